"""Media in cells of Parquet files, read where they lie: `corpus.parquet#image/17` is row 17 (from 1) of column `image`.

A column of media holds bytes, or structs of `bytes` and `path` as the hub writes them. Rows that follow each other are
read in one pass; another row group, or a row before the last one read, begins its group anew.
"""

import re
import threading
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate, islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from label_configs.errors import Unreadable

if TYPE_CHECKING:
    import pyarrow as pa

_URI = re.compile(r"(.+\.parquet)#([a-z]+)/([1-9][0-9]{0,15})", re.DOTALL)
_BUFFER = 1 << 20
"""Bytes read ahead: without a buffer of its own size, all of a row group's column is held."""


class Cell(NamedTuple):
    """A column and a row, from 1."""

    column: str
    row: int


def split(uri: str) -> tuple[str, Cell | None]:
    """The file and the cell that `PATH.parquet#COLUMN/ROW` names; no cell for other URIs."""
    found = _URI.fullmatch(uri)
    return (found[1], Cell(found[2], int(found[3]))) if found else (uri, None)


def uri(file: str, cell: Cell) -> str:
    """The URI of a cell."""
    return f"{file}#{cell.column}/{cell.row}"


def leaf(kind: "pa.DataType") -> str | None:
    """Where in a column of that type the bytes lie: `""`, in itself, or `".bytes"`; None where it holds none."""
    from pyarrow import types

    binary = (types.is_binary, types.is_large_binary, types.is_fixed_size_binary, types.is_binary_view)
    if any(one(kind) for one in binary):
        return ""
    if types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        return ".bytes" if leaf(kind.field("bytes").type) == "" else None
    return None


def within(column: "pa.Array") -> "pa.Array":
    """The bytes of a column that holds them, of structs as far as they are read."""
    from pyarrow import types

    return column.flatten()[0] if types.is_struct(column.type) else column


def check(path: Path, cell: Cell) -> None:
    """Raise Unreadable where a file has no such cell. Nothing of the column is read."""
    _of(path).place(cell)


def read(path: Path, cell: Cell) -> bytes:
    """The bytes of a cell. Raises Unreadable where there are none, or the file is damaged."""
    return _of(path).read(cell)


class _Table:
    """An open file. It keeps its place in every column that is being read. Safe in several threads."""

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as pq

        self._name, self._lock = path.name, threading.Lock()
        self._file = pq.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER)
        groups = self._file.metadata
        self._ends = list(accumulate(groups.row_group(n).num_rows for n in range(groups.num_row_groups)))
        schema = self._file.schema_arrow
        found = {name: leaf(kind) for name, kind in zip(schema.names, schema.types, strict=True)}
        self._leaves = {name: name + inner for name, inner in found.items() if inner is not None}
        self._ahead: dict[str, tuple[int, int, Iterator[bytes | None]]] = {}

    def place(self, cell: Cell) -> int:
        """The row group that holds a cell. Raises Unreadable."""
        if self._file.schema_arrow.names.count(cell.column) > 1:
            raise Unreadable(f"{self._name} has more than one column {cell.column}.")
        if cell.column not in self._leaves:
            raise Unreadable(f"{self._name} has no column {cell.column} that holds media.")
        group = bisect_right(self._ends, cell.row - 1)
        if group == len(self._ends):
            raise Unreadable(f"{self._name} has no row {cell.row}.")
        return group

    def read(self, cell: Cell) -> bytes:
        import pyarrow as pa

        group = self.place(cell)
        with self._lock:
            try:
                content = self._advance(cell, group)
            except (pa.ArrowException, OSError, ValueError) as error:
                raise Unreadable(f"{self._name} is damaged in its row {cell.row}: {error}.") from error
        if content is None:
            raise Unreadable(f"{self._name} has nothing in its row {cell.row}, column {cell.column}.")
        return content

    def _advance(self, cell: Cell, group: int) -> bytes | None:
        """Go on to a row from where its column stands. A column that fails on the way begins anew the next time."""
        there, done, rest = self._ahead.pop(cell.column, (-1, 0, iter(())))
        if there != group or done >= cell.row:
            done, rest = self._ends[group - 1] if group else 0, self._column(cell.column, group)
        for content in islice(rest, cell.row - done - 1, None):
            self._ahead[cell.column] = group, cell.row, rest
            return content
        raise Unreadable(f"{self._name} ends before its row {cell.row}.")

    def _column(self, name: str, group: int) -> Iterator[bytes | None]:
        for batch in self._file.iter_batches(1, row_groups=[group], columns=[self._leaves[name]]):
            yield within(batch.column(0))[0].as_py()


def _of(path: Path) -> _Table:
    import pyarrow as pa

    status = path.stat()
    try:
        return _opened(path, status.st_mtime_ns, status.st_size)
    except (pa.ArrowException, OSError) as error:
        raise Unreadable(f"{path.name} cannot be read as Parquet: {error}.") from error


@lru_cache(maxsize=8)
def _opened(path: Path, modified: int, size: int) -> _Table:
    return _Table(path)
