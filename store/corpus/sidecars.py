"""What stands beside a medium in a file of its own: a caption, and metadata."""

from typing import Any

import msgspec

CAPTION, METADATA = ".txt", ".json"
LIMIT = 1_000_000
"""Bytes of a caption or of metadata."""


def caption(content: bytes) -> str:
    """A caption as text. Raises ValueError for what is none."""
    _check(content)
    return content.decode("utf-8-sig").strip()


def metadata(content: bytes) -> dict[str, Any]:
    """The metadata of a medium. Raises ValueError for what is no JSON object."""
    _check(content)
    try:
        return msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"), type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise ValueError(f"its .json: {error}") from error


def _check(content: bytes) -> None:
    if len(content) > LIMIT:
        raise ValueError(f"its caption or metadata are longer than {LIMIT} bytes")
