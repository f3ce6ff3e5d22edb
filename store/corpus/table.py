"""CSV and TSV: columns named as the fields of JSONL; `metadata.NAME` goes to the metadata, an empty cell is none.

The delimiter is the one of , ; | and tab under which the header has the most columns that are known.
"""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO, TypeVar

import msgspec

from label_configs.errors import Unreadable
from store.corpus import rows
from store.corpus.rows import COLUMNS, Entries, Row

T = TypeVar("T")
_DELIMITERS = ",;\t|"
_METADATA = "metadata."


def read(path: Path) -> Entries:
    """The rows of a file. Raises Unreadable where no column is known, and where a cell goes on for ever."""
    csv.field_size_limit(rows.LIMIT)  # of the process: there is none of a reader
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        header = _header(path, file)
        delimiter = max(_DELIMITERS, key=lambda one: len(COLUMNS & set(_names(header, one))))
        names = _names(header, delimiter)
        if header.strip() and not COLUMNS & set(names):
            raise Unreadable(
                f"{path} has no column that is known; it has {', '.join(names)[:200]!r}.",
                mend="The first line names the columns: _id, and text, image, audio or video.",
            )
        for number, cells in _records(file, delimiter):
            if cells:
                yield f"{path.name}, line {number}", _row(names, cells) if isinstance(cells, list) else cells


def _header(path: Path, file: TextIO) -> str:
    try:
        return _text(file.readline(rows.LIMIT))
    except ValueError as error:
        raise Unreadable(f"{path} cannot be read: the names of its columns are not UTF-8.") from error


def _names(header: str, delimiter: str) -> list[str]:
    return [name.strip() for name in header.strip("\r\n").replace('"', "").split(delimiter)]


def _records(lines: Iterator[str], delimiter: str) -> Iterator[tuple[int, list[str] | Exception]]:
    """The records behind the header, each with the line that it begins on."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        number = reader.line_num + 2
        try:
            yield number, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "field limit" in str(error):
                raise Unreadable(
                    f"From line {number} on it cannot be told what a row is: a cell has over {rows.LIMIT} letters.",
                    mend="Close the quote that opens there, or take the row out.",
                ) from error
            yield number, error


def _row(names: Sequence[str], cells: Sequence[str]) -> Row | Exception:
    if len(cells) != len(names):
        return ValueError(f"it has {len(cells)} cells, and the header {len(names)}")
    try:
        given = {name: _READ.get(name, _text)(cell) for name, cell in zip(names, cells, strict=True) if cell.strip()}
    except (ValueError, RecursionError) as error:
        return error
    metadata = {name.removeprefix(_METADATA): value for name, value in given.items() if name.startswith(_METADATA)}
    return rows.of(given | ({"metadata": given.get("metadata", {}) | metadata} if metadata else {}))


def _text(cell: str) -> str:
    try:
        cell.encode()
    except UnicodeEncodeError as error:
        raise ValueError("it is not UTF-8") from error
    return cell


def _json(cell: str, kind: type[T]) -> T:
    """JSON that can be written again: no NaN, and no half of a character."""
    try:
        return msgspec.json.decode(cell, type=kind)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error


def _object(cell: str) -> dict[str, Any]:
    return _json(cell, dict[str, Any])


def _ids(cell: str) -> Any:
    """One id, or several as a JSON list: ids may hold any delimiter."""
    return _json(cell, list[Any]) if cell.lstrip().startswith("[") else [_text(cell)]


_READ: Mapping[str, Callable[[str], Any]] = {"start": float, "end": float, "positives": _ids, "metadata": _object}
