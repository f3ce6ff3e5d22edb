"""Answers from the bucket or folder that Label Studio exports to: one JSON an annotation, or one a task.

Label Studio takes nothing away from there, so that deletions are not seen. Objects are known by name and ETag: those
that were read before are not read again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from label_configs.errors import Mendable, quoted
from label_configs.records import digest
from store import columns, places
from store.buckets import brief, open_bucket
from store.judgments import Table
from store.mappings import RulesOf
from store.settings import Project
from sync.pull import reader
from sync.reading import Pulled

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_SEEN = pa.schema([("name", pa.string()), ("tag", pa.string())])
_STRETCH, _AT_ONCE = 512, 16
_LIMIT = 64_000_000
"""Bytes of one object; a longer one is named and left."""


def pull(
    url: str,
    project: Project,
    table: Table,
    rules_of: RulesOf,
    pseudonym_key: str,
    *,
    advance: Callable[[int], None] = lambda done: None,
) -> Pulled:
    """Read what is new in the storage into the table. advance: is told how many objects were looked at."""
    from obstore.exceptions import BaseError

    place = table.folder / "storage" / f"{digest(url)}.parquet"
    try:
        with table.writing() as writer:
            reading = reader(project, table, writer, rules_of, pseudonym_key, newer=True)
            bucket, seen = open_bucket(url), _seen(table, url)
            fresh = dict(seen)
            for stretch in _listed(bucket):
                new = [(name, tag, size) for name, tag, size in stretch if seen.get(name) != tag or not tag]
                for name, tag, found in _read(bucket, new):
                    try:
                        if reading.task(_row(found, project)):
                            fresh[name] = tag
                    except ValueError as error:
                        reading.pulled.problem(f"{places.named(url).rstrip('/')}/{name}: {error}")
                advance(len(stretch))
            writer.flush()
            if fresh != seen:
                rows = [{"name": name, "tag": tag} for name, tag in sorted(fresh.items())]
                columns.write(columns.table(rows, _SEEN), place)
            return reading.done()
    except (BaseError, OSError) as error:
        raise Mendable(
            f"The storage {places.named(url)} cannot be read: {brief(error)}",
            mend="Check the URL, and that the credentials in the environment may list and read there.",
        ) from error


def _seen(table: Table, url: str) -> dict[str, str]:
    """ETags by name of what was read before."""
    path = table.folder / "storage" / f"{digest(url)}.parquet"
    rows = columns.read([path] if path.exists() else [], _SEEN)
    return dict(zip(rows["name"].to_pylist(), rows["tag"].to_pylist(), strict=True))


def _listed(bucket: "ObjectStore") -> Iterator[list[tuple[str, str, int]]]:
    """Name, ETag and size of all objects, some at a time."""
    for stretch in bucket.list(chunk_size=_STRETCH):
        yield sorted((one["path"], one["e_tag"] or "", one["size"]) for one in stretch)


def _read(bucket: "ObjectStore", objects: Sequence[tuple[str, str, int]]) -> Iterator[tuple[str, str, bytes | None]]:
    """Name, ETag and content, in the order given; no content where it is too long."""

    def content(one: tuple[str, str, int]) -> tuple[str, str, bytes | None]:
        name, tag, size = one
        return name, tag, bytes(bucket.get(name).bytes()) if size <= _LIMIT else None

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield from pool.map(content, objects)


def _row(content: bytes | None, project: Project) -> Mapping[str, Any]:
    """A task with its annotations. Raises ValueError for what is none, or another project's."""
    if content is None:
        raise ValueError(f"it is longer than {_LIMIT} bytes")
    try:
        found = msgspec.json.decode(content)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"it is no JSON: {error}") from error
    task = found.get("task") if isinstance(found, dict) else None
    row = {**task, "annotations": [found]} if isinstance(task, dict) else found
    if not isinstance(row, dict) or "annotations" not in row:
        raise ValueError("it holds neither an annotation with its task nor a task with its annotations")
    if row.get("project", project.id) != project.id:
        raise ValueError(f"it is of the project {quoted(row['project'])}, and this is project {project.id}")
    return row
