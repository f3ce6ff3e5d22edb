"""Media in the workspace's folder: files, members of tar shards, and cells of Parquet files."""

from pathlib import Path

from label_configs.errors import Unreadable
from store import cells, tars
from store.cells import Cell
from store.media.base import checked
from store.tars import Member


def read(root: Path, uri: str, limit: int) -> bytes:
    """The bytes of a file, a member or a cell. Raises Unreadable: missing, outside of root, empty, too large."""
    path, part = find(root, uri)
    if isinstance(part, Cell):
        content = cells.read(path, part)
        checked(uri, len(content), limit)
        return content
    if isinstance(part, Member):
        return member(path, part, uri, limit)
    checked(uri, path.stat().st_size, limit)
    return path.read_bytes()


def member(path: Path, part: Member, name: str, limit: int) -> bytes:
    """The bytes of a member of an archive. name: for messages. Raises Unreadable where it is empty, or too large."""
    checked(name, part.size, limit)
    with path.open("rb") as archive:
        return tars.read(archive, part, limit)


def find(root: Path, uri: str) -> tuple[Path, Member | Cell | None]:
    """The file, and what of it is meant: `shards/0001.tar#0007.jpg`, `corpus.parquet#image/17`.

    A file of that very name comes first.
    """
    (archive, name), (table, cell) = tars.split(uri), cells.split(uri)
    if _is_file(root, uri) or not (name or cell):
        return inside(root, uri), None
    if cell:
        path = inside(root, table)
        cells.check(path, cell)
        return path, cell
    path = inside(root, archive)
    return path, tars.find(path, name)


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
