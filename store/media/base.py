"""What all clients that fetch media have in common."""

from collections.abc import Iterable, Iterator
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


class Arriving(NamedTuple):
    """A medium too large to be held, in pieces that are fetched as they are asked for, and its stamp."""

    pieces: Iterator[bytes]
    stamp: Stamp


class Current(Exception):
    """Said instead of a medium that is still what the stamp stands for."""


class Refused(Unreadable):
    """A medium that exists or not: who asks may not have it."""


class Unreachable(Unreadable):
    """A place that does not answer now, and may later."""


def checked(name: str, size: int, limit: int, setting: str = "max_bytes") -> None:
    """Raise Unreadable for a medium of no bytes, or of more than the limit. setting: its name under [media]."""
    if not 0 < size <= limit:
        raise _size(name, str(size), limit, setting)


def gather(name: str, chunks: Iterable[bytes], limit: int) -> bytes:
    """A medium that comes in pieces. Raises Unreadable as soon as there are too many, whatever was announced."""
    content = bytearray()
    for chunk in chunks:
        content += chunk
        if len(content) > limit:
            raise _size(name, f"more than {limit}", limit)
    checked(name, len(content), limit)
    return bytes(content)


def _size(name: str, size: str, limit: int, setting: str = "max_bytes") -> Unreadable:
    return Unreadable(
        f"{name} has {size} bytes; at least 1 and at most {limit} are read.",
        mend=f"Replace the file, or raise {setting} under [media].",
    )
