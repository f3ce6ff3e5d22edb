"""Records as columns: Parquet parts with a fixed schema."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from label_configs.errors import Unreadable, mendable
from store import files


def table(rows: Sequence[Mapping[str, object]], schema: pa.Schema) -> pa.Table:
    """Rows as a table; a field that a row lacks is an error, one that the schema lacks is left out."""
    return pa.table({name: [row[name] for row in rows] for name in schema.names}, schema=schema)


def write(data: pa.Table, path: Path, *, plain: bool = False, distinct: Collection[str] = ()) -> None:
    """Write one part atomically; the same rows give the same bytes.

    plain: without Arrow's own schema, so that text which is kept once in memory is read as text like any; for those who
    read parts whole, without statistics, and without saying of each row that it has a value where all have. distinct:
    columns of which no dictionary is made, as they differ in most rows.
    """
    with files.replacing(path) as temporary:
        pq.write_table(
            _required(data) if plain else data,
            temporary,
            compression="zstd",
            store_schema=not plain,
            write_statistics=not plain,
            use_dictionary=[name for name in data.schema.names if name not in distinct] if distinct else True,
        )


def notes(path: Path) -> dict[str, str]:
    """What a part says of itself, beside its rows. Raises Unreadable where it is damaged."""
    with reading(path):
        return {name.decode(): text.decode() for name, text in (pq.read_schema(path).metadata or {}).items()}


def read(paths: Iterable[Path], schema: pa.Schema, names: Sequence[str] | None = None) -> pa.Table:
    """All parts after each other, in the order given. names: the columns wanted; all without it.

    Raises Unreadable where one is damaged.
    """
    chosen = schema if names is None else pa.schema([schema.field(name) for name in names])
    parts = [_part(path, schema, chosen.names) for path in paths]
    return pa.concat_tables(parts) if parts else chosen.empty_table()


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Say of a part that the block cannot make sense of that it is damaged."""
    try:
        yield
    except (Unreadable, FileNotFoundError):
        raise
    except (pa.ArrowException, OSError, ValueError, msgspec.MsgspecError) as error:
        if mendable(error):
            raise
        raise Unreadable(f"{path} is damaged: {str(error)[:200]}.", mend="Restore it from a backup.") from error


def _required(data: pa.Table) -> pa.Table:
    """The same, where columns without a null may have none."""
    fields = [data.schema.field(name).with_nullable(data[name].null_count > 0) for name in data.schema.names]
    return pa.Table.from_arrays(data.columns, schema=pa.schema(fields))


def _part(path: Path, schema: pa.Schema, names: Sequence[str]) -> pa.Table:
    with reading(path):
        found = pq.read_table(path, columns=names, schema=schema)
        found.validate(full=True)
        return found
