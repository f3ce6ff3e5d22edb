"""Taking an annotator or an item out of everything that a workspace keeps, its history too.

This alone rewrites parts that were written. Of an annotation of which nothing is left, one bare row stays, so that the
next pull knows it; what it said and who said it are gone.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store import columns, files
from store.judgments import FORGOTTEN, SCHEMA, Table
from store.pools import ITEMS, RUN
from store.pools import SCHEMA as POOL

_KEPT = ("project", "task_id", "annotation_id", "updated_at", "revision", "since")
"""What a bare row still says."""
_BARE: dict[str, Any] = {
    **{field.name: "" if field.type == pa.string() else None for field in SCHEMA},
    "kind": "flag",
    "value": FORGOTTEN,
    "round": 0,
    "position": -1,
    "reasons": [],
    "flags": [],
    "origin": "manual",
    "untouched": False,
    "deleted": True,
}


@dataclass(frozen=True)
class Target:
    """Who or what is erased: an annotator by pseudonym, or an item, for one query or for all."""

    annotator: str = ""
    doc_id: str = ""
    query_id: str = ""

    def of(self, rows: pa.Table) -> pa.Array:
        """Which rows tell of it."""
        if self.annotator:
            return pc.equal(rows["annotator"], self.annotator)
        found = pc.equal(rows["doc_id"], self.doc_id)
        for name in {"other_doc_id", "twin"} & set(rows.column_names):
            found = pc.or_(found, pc.equal(rows[name], self.doc_id))
        if self.query_id and "query_id" in rows.column_names:
            found = pc.and_(found, pc.equal(rows["query_id"], self.query_id))
        return found


def judgments(table: Table, target: Target, *, dry_run: bool = False) -> int:
    """Erase from a project's judgments. Returns how many rows told of the target, in all of history."""
    count = 0

    def change(rows: pa.Table) -> pa.Table | None:
        nonlocal count
        told = np.asarray(target.of(rows))
        count += int(told.sum())
        return _without(rows, told) if told.any() and not dry_run else None

    with files.locked(table.folder / ".lock", f"writing the judgments in {table.folder}"):
        table.parts.rewrite(change)
    return count


def pools(folder: Path, target: Target, *, dry_run: bool = False) -> int:
    """Erase an item from the pools, the runs, and the lists of what pools were made of. Returns how many rows."""
    runs = _erase((folder / "runs").glob("*.parquet"), RUN, target.of, dry_run)
    made = _erase(folder.glob("*.parquet"), POOL, target.of, dry_run)
    if target.query_id:
        return made + runs
    return made + runs + _erase((folder / "items").glob("*.parquet"), ITEMS, target.of, dry_run)


def _erase(paths: Iterable[Path], schema: pa.Schema, told_by: Callable[[pa.Table], pa.Array], dry_run: bool) -> int:
    count = 0
    for path in sorted(paths):
        rows = columns.read([path], schema)
        told = told_by(rows)
        here = pc.sum(told).as_py() or 0
        if here and not dry_run:
            left = rows.filter(pc.invert(told))
            columns.write(left.replace_schema_metadata(columns.notes(path)), path)
        count += here
    return count


def _without(rows: pa.Table, told: Any) -> pa.Table:
    """The rows that are not told, each revision of which nothing is left as one bare row in its place."""
    keys = list(zip(rows["annotation_id"].to_pylist(), rows["revision"].to_pylist(), strict=True))
    left = {key for key, gone in zip(keys, told, strict=True) if not gone}
    bare = {key: n for n, key in reversed(list(enumerate(keys))) if told[n] and key not in left}
    places = np.array(sorted(bare.values()), dtype=np.int64)
    kept = np.flatnonzero(~told)
    heads = rows.select(_KEPT).take(pa.array(places)).to_pylist()
    marks = columns.table([{**_BARE, **head} for head in heads], SCHEMA)
    order = np.argsort(np.concatenate([kept, places]), kind="stable")
    return pa.concat_tables([rows.take(pa.array(kept)), marks]).take(pa.array(order))
