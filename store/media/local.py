"""Media in the workspace's folder: files, and members of tar shards."""

from pathlib import Path

from label_configs.errors import Unreadable
from store import tars
from store.media.base import checked


def read(root: Path, uri: str, limit: int) -> bytes:
    """The bytes of a file, or of a member of an archive. Raises Unreadable: missing, outside of root, too large."""
    path, member = find(root, uri)
    checked(uri, member.size if member else path.stat().st_size, limit)
    if member is None:
        return path.read_bytes()
    with path.open("rb") as archive:
        return tars.read(archive, member, limit)


def find(root: Path, uri: str) -> tuple[Path, tars.Member | None]:
    """The file, or the archive and its member: `shards/0001.tar#0007.jpg`; a file of that very name comes first."""
    name, member = tars.split(uri)
    if not member or _is_file(root, uri):
        return inside(root, uri), None
    archive = inside(root, name)
    return archive, tars.find(archive, member)


def inside(root: Path, uri: str) -> Path:
    """The file that a relative URI names, links followed. Raises Unreadable for what is missing, or outside of root."""
    try:
        path = (root / uri).resolve()
        there = path.is_file()
    except (OSError, RuntimeError, ValueError) as error:  # too long a name, a loop of links, a NUL
        raise Unreadable(f"{uri[:80]!r} names no file: {error}.") from error
    if not path.is_relative_to(root.resolve()):
        raise Unreadable(f"{uri} lies outside the workspace.", mend="Copy it into the workspace.")
    if not there:
        raise Unreadable(f"There is no file {path}.", mend="Put it there, or correct the path.")
    return path


def _is_file(root: Path, uri: str) -> bool:
    try:
        return (root / uri).is_file()
    except (OSError, ValueError):
        return False
