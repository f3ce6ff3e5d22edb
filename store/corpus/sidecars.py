"""What stands beside a medium in a file of its own: a caption, and metadata."""

import json
from typing import Any

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
    found = json.loads(content)
    if not isinstance(found, dict):
        raise ValueError("its .json holds no object")
    return found


def _check(content: bytes) -> None:
    if len(content) > LIMIT:
        raise ValueError(f"its caption or metadata are longer than {LIMIT} bytes")
