"""Who may use the page: requests of the page itself, from the address that the browser shows."""

import hmac
import re
import secrets
from urllib.parse import urlsplit

from flask import Response, abort, request

COOKIE = "lsr_ui"
HEADER = "X-CSRF-Token"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def token() -> str:
    """The token of this browser, or a new one: its cookie and the page itself hold it, and a write repeats it.

    No worker has to remember it: a page of another origin can read neither of the two.
    """
    held = request.cookies.get(COOKIE, "")
    return held if _TOKEN.fullmatch(held) else secrets.token_urlsafe(32)


def give(response: Response, value: str) -> Response:
    """Hand the token to the browser."""
    response.set_cookie(COOKIE, value, path="/ui", httponly=True, samesite="Strict", secure=request.is_secure)
    return response


def check_host() -> None:
    """Refuse a name that is not this machine's own, where no credentials are asked for.

    Somebody's page could point its own name at this machine, and would be of the same origin then.
    """
    if urlsplit(f"//{request.host}").hostname not in _LOOPBACK:
        abort(403, "Without credentials, the page is shown under 127.0.0.1 and localhost alone.")


def check_write() -> None:
    """Refuse what the page did not send."""
    origin, fetched = request.headers.get("Origin", ""), request.headers.get("Sec-Fetch-Site", "same-origin")
    if urlsplit(origin).netloc != request.host or fetched != "same-origin":
        abort(403, "Only the page itself may send this.")
    held, given = request.cookies.get(COOKIE, ""), request.headers.get(HEADER, "")
    if not _TOKEN.fullmatch(held) or not hmac.compare_digest(held.encode(), given.encode()):
        abort(403, "The page is no longer the one that was opened. Reload it.")


def harden(response: Response) -> Response:
    """What a browser may do with an answer: no script, style or frame from anywhere else; keep nothing unasked."""
    response.headers.update(_HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
    return response
