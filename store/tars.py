"""Members of tar archives, read where they lie: nothing is unpacked, and no name in an archive is ever a path."""

import os
import tarfile
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

from label_configs.errors import Unreadable

BROKEN = (tarfile.TarError, OSError, ValueError, OverflowError, EOFError)
"""What the tarfile library raises for archives that are none."""


class Member(NamedTuple):
    """A plain file in an archive: its name, and where its bytes lie."""

    name: str
    offset: int
    size: int


def members(path: Path) -> Iterator[Member]:
    """The plain files of an uncompressed archive, as they lie. Raises Unreadable where it ends too early or is none."""
    whole = path.stat().st_size
    try:
        with tarfile.open(path, "r:") as archive:
            for entry in archive:
                archive.members = []  # type: ignore[attr-defined] # so that memory does not grow with the archive
                if entry.offset_data + entry.size > whole:
                    raise Unreadable(f"{path.name} ends in the middle of {entry.name}.")
                if entry.isreg() and not entry.issparse():
                    yield Member(entry.name, entry.offset_data, entry.size)
    except BROKEN as error:
        raise Unreadable(f"{path.name} is no tar archive, or damaged: {error}.") from error


def split(uri: str) -> tuple[str, str]:
    """The archive and the member that `PATH.tar#NAME` names; no member for other URIs."""
    archive, there, name = uri.partition(".tar#")
    return (f"{archive}.tar", name) if there else (uri, "")


def find(path: Path, name: str, called: str = "") -> Member:
    """A member by its name; of two the first. called: the archive, in messages. Raises Unreadable."""
    status = path.stat()
    found = _index(path, status.st_mtime_ns, status.st_size).get(name)
    if found is None:
        raise Unreadable(f"{called or path.name} has no file {name}.")
    return found


def read(file: BinaryIO, member: Member, limit: int) -> bytes:
    """The bytes of a member of an open archive, at most so many of them."""
    return os.pread(file.fileno(), min(member.size, limit), member.offset)


@lru_cache(maxsize=32)
def _index(path: Path, modified: int, size: int) -> Mapping[str, Member]:
    """An archive's members by name, as far as it is sound."""
    found: dict[str, Member] = {}
    try:
        for member in members(path):
            found.setdefault(member.name, member)
    except Unreadable:
        pass
    return found
