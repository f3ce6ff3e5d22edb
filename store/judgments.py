"""The canonical table: one row a judgment, in append-only Parquet parts, one folder a project.

An edit is a new revision of its annotation, a deletion a revision that holds one row marked deleted.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
import pyarrow as pa

from label_configs.records import Judgment
from store import columns, files

_JUDGMENT = [
    ("kind", pa.string()),
    ("project", pa.int64()),
    ("task_id", pa.int64()),
    ("annotation_id", pa.int64()),
    ("updated_at", pa.string()),
    ("query_id", pa.string()),
    ("doc_id", pa.string()),
    ("value", pa.string()),
    ("annotator", pa.string()),
    ("rules_hash", pa.string()),
    ("pool_id", pa.string()),
    ("form", pa.string()),
    ("round", pa.int32()),
    ("position", pa.int32()),
    ("other_doc_id", pa.string()),
    ("rank", pa.int32()),
    ("start", pa.float64()),
    ("end", pa.float64()),
    ("reasons", pa.list_(pa.string())),
    ("flags", pa.list_(pa.string())),
    ("note", pa.string()),
    ("side", pa.string()),
    ("lead_time", pa.float64()),
    ("origin", pa.string()),
    ("untouched", pa.bool_()),
]
SCHEMA = pa.schema([*_JUDGMENT, ("revision", pa.int32()), ("deleted", pa.bool_())])


@dataclass(frozen=True, slots=True)
class Known:
    """What the table holds of one annotation: its task, its state in Label Studio, and how often it was revised."""

    task_id: int
    updated_at: str
    revision: int
    deleted: bool


@dataclass(frozen=True, slots=True)
class Table:
    """The judgments of one Label Studio project."""

    folder: Path

    def known(self) -> dict[int, Known]:
        """annotation_id to what is known of its last revision."""
        names = ["annotation_id", "task_id", "updated_at", "revision", "deleted"]
        rows = columns.read(self._parts(), SCHEMA, names).to_pylist()
        return {r["annotation_id"]: Known(r["task_id"], r["updated_at"], r["revision"], r["deleted"]) for r in rows}

    def append(self, judgments: Sequence[Judgment], known: dict[int, Known], *, deleted: bool = False) -> None:
        """Write one part: a new revision of each annotation among the judgments. Brings `known` up to date."""
        if not judgments:
            return
        revisions = {j.annotation_id: _next(known.get(j.annotation_id)) for j in judgments}
        rows = [{**asdict(j), "revision": revisions[j.annotation_id], "deleted": deleted} for j in judgments]
        number = max((int(path.stem) for path in self._parts()), default=0) + 1
        columns.write(columns.table(rows, SCHEMA), self.folder / f"{number:06d}.parquet")
        for j in judgments:
            known[j.annotation_id] = Known(j.task_id, j.updated_at, revisions[j.annotation_id], deleted)

    def current(self) -> list[Judgment]:
        """The judgments that stand: of every annotation its last revision, deleted ones left out."""
        rows = columns.read(self._parts(), SCHEMA).to_pylist()
        last = {row["annotation_id"]: row["revision"] for row in rows}
        stand = [r for r in rows if r["revision"] == last[r["annotation_id"]] and not r["deleted"]]
        return msgspec.convert(stand, list[Judgment])

    def cursor(self) -> str | None:
        """The time up to which Label Studio was read, as it writes it."""
        path = self.folder / "state.json"
        return json.loads(path.read_text("utf-8"))["updated_at"] if path.exists() else None

    def bookmark(self, updated_at: str) -> None:
        """Move the cursor, once the data up to it is written."""
        files.write(self.folder / "state.json", json.dumps({"updated_at": updated_at}) + "\n")

    def _parts(self) -> list[Path]:
        return sorted(self.folder.glob("*.parquet"))


def _next(known: Known | None) -> int:
    return known.revision + 1 if known else 1
