"""Parquet: columns named as the fields of JSONL; a null is as good as no value."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from label_configs.errors import Unreadable
from store.corpus import rows
from store.corpus.rows import COLUMNS, MEDIA, Entries, Row

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH = 1_000


def read(path: Path) -> Entries:
    """The rows of a file, read batch by batch. Raises Unreadable for a file that is none, or damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(_BATCH, columns=_columns(path, file.schema_arrow)):
                for row in _rows(batch):
                    number += 1
                    yield f"{path.name}, row {number}", row
    except (pa.ArrowException, OSError) as error:
        raise Unreadable(f"{path} cannot be read as Parquet: {error}.") from error


def _columns(path: Path, schema: "pa.Schema") -> list[str]:
    """The columns that count. Raises Unreadable where there is none, and for media that lie in the file itself."""

    from pyarrow import types

    kinds = {name: schema.field(name).type for name in MEDIA if name in schema.names}
    inside = [name for name, kind in kinds.items() if types.is_struct(kind) or types.is_binary(kind)]
    if inside:
        raise Unreadable(
            f"{path} holds media themselves, in its column {inside[0]}.",
            mend="Write them as files, and name them by path or URI.",
        )
    known = [name for name in schema.names if name in COLUMNS]
    if not known:
        raise Unreadable(f"{path} has no column that is known; it has {', '.join(schema.names)[:200]!r}.")
    return known


def _rows(batch: "pa.RecordBatch") -> Iterator[Row | Exception]:
    """Row by row, so that text that is not UTF-8 breaks its own row alone."""
    for number in range(batch.num_rows):
        try:
            (values,) = batch.slice(number, 1).to_pylist()
        except (ValueError, OverflowError) as error:
            yield error
        else:
            yield rows.of({name: value for name, value in values.items() if value is not None})
