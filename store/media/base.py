"""What all clients that fetch media have in common."""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from label_configs.errors import Unreadable


class Stamp(msgspec.Struct, frozen=True):
    """What a server says about the version that it sent, to be asked again whether it is still that one; or nothing."""

    etag: str = ""
    last_modified: str = ""


class Fetched(NamedTuple):
    """A medium as it was sent, and its stamp."""

    content: bytes
    stamp: Stamp


class Current(Exception):
    """Said instead of a medium that is still what the stamp stands for."""


class Unreachable(Unreadable):
    """A place that does not answer now, and may later."""


def checked(name: str, size: int, limit: int) -> None:
    """Raise Unreadable for a medium of no bytes, or of more than the limit."""
    if not 0 < size <= limit:
        raise _size(name, str(size), limit)


def gather(name: str, chunks: Iterable[bytes], limit: int) -> bytes:
    """A medium that comes in pieces. Raises Unreadable as soon as there are too many, whatever was announced."""
    content = bytearray()
    for chunk in chunks:
        content += chunk
        if len(content) > limit:
            raise _size(name, f"more than {limit}", limit)
    checked(name, len(content), limit)
    return bytes(content)


def _size(name: str, size: str, limit: int) -> Unreadable:
    return Unreadable(
        f"{name} has {size} bytes; at least 1 and at most {limit} are read.",
        mend="Replace the file, or raise max_bytes under [media].",
    )
