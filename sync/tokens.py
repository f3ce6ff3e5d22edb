"""Tokens of Label Studio: which kind one is, and why it is refused, each case with its own mend."""

import base64
import json
from datetime import UTC, datetime
from typing import Any, Literal

from label_configs.errors import Mendable

Kind = Literal["personal access token", "legacy token"]
_MAKE = "Make a personal access token under Account & Settings, and export LABEL_STUDIO_API_KEY=…"
_SWITCH = "an administrator may allow them under Organization, API Tokens Settings"
_REFUSALS = {
    "blacklisted": ("The token was revoked", _MAKE),
    "legacy token authentication has been disabled": (
        "The token is a legacy token, and the organization does not allow those",
        f"{_MAKE}; or {_SWITCH}.",
    ),
    "credentials were not provided": (
        "The token is a personal access token, and the organization does not allow those",
        f"Use a legacy token; or {_SWITCH}.",
    ),
    "User is inactive": ("The account that the token belongs to is switched off", "Use the token of another account."),
    "User not found": ("The account that the token belongs to is gone", "Use the token of another account."),
}
"""What Label Studio says, in part, to what that means and how it is mended."""


def kind(token: str) -> Kind:
    """A personal access token is a JWT that is only good to be refreshed; a legacy token is 40 hex digits."""
    return "personal access token" if _claims(token) else "legacy token"


def expires(token: str) -> datetime | None:
    """When a personal access token ends; legacy tokens do not."""
    try:
        return datetime.fromtimestamp(float(_claims(token)["exp"]), UTC)
    except (LookupError, TypeError, ValueError, OverflowError, OSError):
        return None


def check(token: str) -> None:
    """Raise Mendable for what a token says against itself: cut off, made for five minutes, or expired."""
    claims, end = _claims(token), expires(token)
    if claims and token.count(".") != 2:
        raise Mendable(
            "LABEL_STUDIO_API_KEY is a part of a token.",
            why="A personal access token has three parts with dots between; Label Studio shows all of them only once.",
            mend=f"{_MAKE}; revoke the earlier one first.",
        )
    if claims.get("token_type") == "access":
        raise Mendable(
            "LABEL_STUDIO_API_KEY is an access token, which is good for five minutes.",
            mend="Give the personal access token that it was made from.",
        )
    if end and end <= datetime.now(UTC):
        raise Mendable(f"The token expired on {end:%Y-%m-%d}.", mend=_MAKE)


def refused(doing: str, body: str) -> Mendable:
    """What is said where Label Studio answers 401. body: its answer."""
    for said, (what, mend) in _REFUSALS.items():
        if said in body:
            return Mendable(f"{what}: Label Studio refuses it while {doing}.", mend=mend)
    return Mendable(
        f"Label Studio refuses the token while {doing}.",
        why="It knows no such token: a part of it is missing, or it is of another Label Studio.",
        mend=_MAKE,
    )


def _claims(token: str) -> dict[str, Any]:
    """What a JWT says, unverified; nothing for what is none."""
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}
