"""Parquet: columns named as the fields of JSONL; a null is as good as no value.

A column of media holds paths and URIs, or the media themselves: bytes, or the hub's `{"bytes": …, "path": …}`. Those
stay where they are: `corpus.parquet#image/17`. Where a struct has no bytes, its path names the medium.
"""

from collections.abc import Iterator, Mapping
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from label_configs.errors import Unreadable
from store import cells
from store.cells import Cell
from store.corpus import rows
from store.corpus.rows import COLUMNS, MEDIA, Entries, Row

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

_BATCH = 1_000


class _Columns(NamedTuple):
    """read: what is read of each row, paths within structs too. inside: of the media in the file, where bytes lie."""

    read: list[str]
    inside: dict[str, str]


def read(path: Path) -> Entries:
    """The rows of a file, read batch by batch. Raises Unreadable for a file that is none, or damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
            columns, number = _columns(path, file.schema_arrow), 0
            for group in range(file.num_row_groups):
                for values, there in zip(
                    _values(file, group, columns.read), _there(file, group, columns.inside), strict=True
                ):
                    number += 1
                    media = {name: cells.uri(path.name, Cell(name, number)) for name in there}
                    yield f"{path.name}, row {number}", _row(values, media)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Unreadable(f"{path} cannot be read as Parquet: {error}.") from error


def _columns(path: Path, schema: "pa.Schema") -> _Columns:
    """The columns that count. Raises Unreadable where there is none, and for media in a shape that is none."""
    known = [name for name in schema.names if name in COLUMNS]
    if not known:
        raise Unreadable(f"{path} has no column that is known; it has {', '.join(schema.names)[:200]!r}.")
    twice = sorted({name for name in known if known.count(name) > 1})
    if twice:
        raise Unreadable(f"{path} has more than one column {', '.join(twice)}.", mend="Keep one of them.")
    inside = {name: name + inner for name in known if (inner := _inside(path, schema, name)) is not None}
    paths = [f"{name}.path" for name, place in inside.items() if place != name and _has_path(schema, name)]
    read = [name for name in known if name not in inside] + paths
    if inside and "_id" not in read:
        raise Unreadable(f"{path} holds media and has no column _id.", mend="Add one: a row's number is no id.")
    return _Columns(read, inside)


def _inside(path: Path, schema: "pa.Schema", name: str) -> str | None:
    """Where in a column of media their bytes lie; None for other columns, and for paths and URIs."""
    from pyarrow import types

    kind = schema.field(name).type
    found = cells.leaf(kind) if name in MEDIA else None
    if name in MEDIA and found is None and types.is_nested(kind):
        raise Unreadable(
            f"{path} cannot be read: its column {name} is of the type {str(kind)[:200]}.",
            mend="A medium is a path or URI, bytes, or a struct of bytes and path: its file, not what was decoded.",
        )
    return found


def _has_path(schema: "pa.Schema", name: str) -> bool:
    return bool(schema.field(name).type.get_field_index("path") >= 0)


def _values(file: "ParquetFile", group: int, columns: list[str]) -> Iterator[Mapping[str, Any] | Exception]:
    """Row by row, so that text that is not UTF-8 breaks its own row alone."""
    for batch in file.iter_batches(_BATCH, row_groups=[group], columns=columns):
        for number in range(batch.num_rows):
            try:
                yield batch.slice(number, 1).to_pylist()[0]
            except (ValueError, OverflowError) as error:
                yield error


def _there(file: "ParquetFile", group: int, inside: Mapping[str, str]) -> Iterator[list[str]]:
    """Row by row the columns whose medium lies in the file."""
    found = [_filled(file, group, place) for place in inside.values()]
    for _, *filled in zip(range(file.metadata.row_group(group).num_rows), *found, strict=True):
        yield [name for name, is_there in zip(inside, filled, strict=True) if is_there]


def _filled(file: "ParquetFile", group: int, place: str) -> Iterator[bool]:
    """Whether a column holds bytes, row by row: as its statistics say where they speak of all rows, else read."""
    about = file.metadata.row_group(group)
    column = next(c for n in range(about.num_columns) if (c := about.column(n)).path_in_schema == place)
    nulls = column.statistics.null_count if column.is_stats_set and column.statistics.has_null_count else None
    if nulls in (0, about.num_rows):
        return repeat(nulls == 0, about.num_rows)
    return chain.from_iterable(
        cells.within(batch.column(0)).is_valid().to_pylist()
        for batch in file.iter_batches(1, row_groups=[group], columns=[place])
    )


def _row(values: Mapping[str, Any] | Exception, media: Mapping[str, str]) -> Row | Exception:
    """media: the URIs of those that lie in this row."""
    if isinstance(values, Exception):
        return values
    if media and values.get("_id") is None:
        return ValueError("the row has no _id")
    given = {**values, **media}
    plain = {name: value["path"] if _is_struct(name, value) else value for name, value in given.items()}
    return rows.of({name: value for name, value in plain.items() if value is not None})


def _is_struct(name: str, value: object) -> bool:
    return name in MEDIA and isinstance(value, dict)
