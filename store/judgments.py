"""The canonical table: one row a judgment, in append-only Parquet parts, one folder a project.

An edit is a new revision of its annotation, a deletion a revision that holds one row marked deleted. Each row says
`since` when it stands, by Label Studio's clock: the time of the annotation, or just after everything that earlier
pulls had read, where it came later than it was made. So what is added never changes a state that was there before.
"""

import time
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from label_configs.records import Block, Judgment
from store import columns, files, times
from store.parts import Parts
from store.rows import DISTINCT, SCHEMA, Batch, Rows
from store.states import Known, States

__all__ = ["FORGOTTEN", "SCHEMA", "Known", "Table", "Writer"]

FORGOTTEN = "forgotten"
"""The value of the one row that is left of an annotation that was erased."""
_HEAD = ["annotation_id", "task_id", "updated_at", "revision", "deleted", "value"]
_STANDS = ["annotation_id", "revision", "deleted", "since"]
"""Columns that tell whether a row stands."""
_LATE = 60.0
"""Seconds by which a change may become visible after the time that it bears."""
_ROWS = 100_000
"""Rows of a part that is written while more are to come."""
_NAMES = [field.name for field in fields(Judgment)]


class _State(msgspec.Struct, frozen=True, omit_defaults=True):
    """The bookmark: up to when Label Studio was read, by its clock."""

    updated_at: str
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """The judgments of one Label Studio project."""

    folder: Path

    def known(self) -> dict[int, Known]:
        """annotation_id to what is known of its last revision."""
        found: dict[int, Known] = {}
        for part in self.parts.read(_HEAD):
            ids = part["annotation_id"].to_numpy()
            ends = np.flatnonzero(np.append(ids[1:] != ids[:-1], True))
            for head in part.take(pa.array(ends)).to_pylist():
                found[head["annotation_id"]] = _known(head)
        return found

    def append(
        self, judgments: Sequence[Judgment], known: MutableMapping[int, Known], *, deleted: bool = False
    ) -> None:
        """Write one part: a new revision of each annotation among the judgments. Brings `known` up to date."""
        writer = Writer(self, known)
        writer.add(judgments, deleted=deleted)
        writer.flush()

    @contextmanager
    def writing(self) -> Iterator["Writer"]:
        """Write to the table, alone: who comes second waits. What was added is flushed at the end."""
        with files.locked(self.folder / ".lock", f"writing the judgments in {self.folder}", wait=True):
            writer = Writer(self, self.known())
            try:
                yield writer
            finally:
                writer.flush()
            self.parts.merge()

    def standing(self, as_of: str | None = None, names: Sequence[str] = SCHEMA.names) -> pa.Table:
        """The rows that stand, in the order of their annotations' ids: of each its last revision, unless deleted.

        as_of: in the state of that time; see `times.given`. names: the columns wanted.
        """
        read = list(dict.fromkeys((*names, *_STANDS)))
        empty = pa.schema([SCHEMA.field(name) for name in read]).empty_table()
        rows = pa.concat_tables([empty, *self.parts.read(read)])
        if as_of is not None:
            rows = rows.filter(pc.less_equal(rows["since"], times.given(as_of)))
        return _last(rows).select(list(names))

    def current(self, as_of: str | None = None) -> list[Judgment]:
        """The judgments that stand; see `standing`."""
        rows = self.standing(as_of, _NAMES)
        with columns.reading(self.folder):
            return [j for batch in rows.to_batches(10_000) for j in msgspec.convert(batch.to_pylist(), list[Judgment])]

    def latest(self, as_of: str | None = None) -> str:
        """The time from which the newest row stands; given as `as_of`, it means the table's present state for ever."""
        rows = pa.concat_tables([SCHEMA.empty_table().select(["since"]), *self.parts.read(["since"])])["since"]
        if as_of is not None:
            rows = rows.filter(pc.less_equal(rows, times.given(as_of)))
        return str(pc.max(rows).as_py() or times.BEGINNING)

    def cursor(self) -> str | None:
        """The time up to which Label Studio was read, as it writes it."""
        state = self._state()
        return state.updated_at if state else None

    @property
    def settled(self) -> bool:
        """Whether the cursor was seen again so long after it was reached that nothing before it can still come."""
        state = self._state()
        return state is not None and state.settled

    def bookmark(self, updated_at: str) -> None:
        """Move the cursor, once the data up to it is written."""
        if self.cursor() != updated_at:
            self._note(_State(updated_at))

    def settle(self) -> None:
        """Say that the cursor is settled, if it has stood for a minute."""
        state = self._state()
        if state and not state.settled and time.time() - self._bookmark.stat().st_mtime >= _LATE:
            self._note(_State(state.updated_at, settled=True))

    def _note(self, state: "_State") -> None:
        files.write(self._bookmark, msgspec.json.encode(state) + b"\n")

    def _state(self) -> "_State | None":
        if not self._bookmark.exists():
            return None
        return files.read_json(self._bookmark, _State, "Delete it: the next pull reads everything again.")

    @property
    def _bookmark(self) -> Path:
        return self.folder / "state.json"

    @property
    def parts(self) -> Parts:
        """The files that hold it."""
        return Parts(self.folder, SCHEMA, DISTINCT)


class Writer:
    """Adds to a table: rows are held back until a part is full, and the bookmark until its data are written.

    Full parts are written one by one on a thread, while more rows are added. Where one could not be written, nothing
    after it is, and whatever is done next raises what stood against it. known: by annotation_id, kept up to date.
    """

    def __init__(self, table: Table, known: MutableMapping[int, Known]) -> None:
        self.known, self._table = States(known), table
        self._floor = times.after(table.latest())
        self._rows = Rows(SCHEMA)
        self._cursor: str | None = None
        self._thread = ThreadPoolExecutor(1, "judgments")
        self._written: Future[None] | None = None

    def add(self, judgments: Sequence[Judgment], *, deleted: bool = False) -> None:
        """A new revision of each annotation among the judgments, whose rows stand together."""
        if isinstance(judgments, Block):
            annotation_id, updated_at = judgments.same["annotation_id"], judgments.same["updated_at"]
            revision = self.revise(annotation_id, judgments.same["task_id"], updated_at, deleted, there=not deleted)
            self._rows.add(judgments, (revision, deleted, self._since(updated_at)))
        else:
            revisions: dict[int, int] = {}
            for j in judgments:
                if j.annotation_id not in revisions:
                    there = not deleted or j.value == FORGOTTEN
                    revisions[j.annotation_id] = self.revise(j.annotation_id, j.task_id, j.updated_at, deleted, there)
                self._rows.add(j, (revisions[j.annotation_id], deleted, self._since(j.updated_at)))
        if len(self._rows) >= _ROWS:
            self._hand_over()

    def extend(self, batch: Batch, revisions: Sequence[int]) -> None:
        """Annotations as columns, each a revision that `revise` gave. The parts are those that `add` would make."""
        times_ = batch.heads["updated_at"]
        history = {
            "revision": pa.array(revisions, SCHEMA.field("revision").type),
            "deleted": pa.repeat(False, len(batch)),
            "since": pc.if_else(pc.less(times_, self._floor), self._floor, times_),
        }
        batch = Batch({**batch.heads, **history}, batch.counts, batch.each)
        while len(batch):
            room = _ROWS - len(self._rows)
            full = min(int(np.searchsorted(np.cumsum(batch.counts), room)) + 1, len(batch))
            self._rows.extend(batch.slice(0, full))
            batch = batch.slice(full, len(batch))
            if len(self._rows) >= _ROWS:
                self._hand_over()

    def bookmark(self, updated_at: str) -> None:
        """Move the cursor there as soon as all that was added is written."""
        self._cursor = updated_at

    def flush(self) -> None:
        """Write what was added, then the bookmark."""
        self._hand_over()
        self._wait()

    def revise(
        self, annotation_id: int, task_id: int, updated_at: str, deleted: bool = False, there: bool = True
    ) -> int:
        """The number of the next revision of an annotation, which is known from now on."""
        before = self.known.get(annotation_id)
        revision = before.revision + 1 if before else 1
        self.known[annotation_id] = Known(task_id, updated_at, revision, deleted, there)
        return revision

    def _hand_over(self) -> None:
        """Let the thread write what was added, once it has written what came before."""
        self._wait()
        if len(self._rows) or self._cursor is not None:
            self._written = self._thread.submit(self._write, self._rows, self._cursor)
            self._rows, self._cursor = Rows(SCHEMA), None

    def _wait(self) -> None:
        if self._written:
            self._written.result()

    def _write(self, rows: Rows, cursor: str | None) -> None:
        if len(rows):
            self._table.parts.append(rows.table())
        if cursor is not None:
            self._table.bookmark(cursor)

    def _since(self, updated_at: str) -> str:
        return max(self._floor, _time(updated_at))


def _last(rows: pa.Table) -> pa.Table:
    """Of each annotation the last revision, unless deleted, in the order of their ids."""
    ids, revisions = rows["annotation_id"].to_numpy(), rows["revision"].to_numpy()
    stands = ~rows["deleted"].to_numpy().astype(bool)
    if stands.all() and (revisions == 1).all() and (ids[1:] >= ids[:-1]).all():
        return rows
    found, index = np.unique(ids, return_inverse=True)
    last = np.zeros(len(found), np.int32)
    np.maximum.at(last, index, revisions)
    chosen = np.flatnonzero((revisions == last[index]) & stands)
    return rows.take(pa.array(chosen[np.argsort(ids[chosen], kind="stable")]))


def _known(head: Mapping[str, Any]) -> Known:
    there = not head["deleted"] or head["value"] == FORGOTTEN
    return Known(head["task_id"], head["updated_at"], head["revision"], head["deleted"], there)


def _time(updated_at: str) -> str:
    """The time as all are written; the beginning for what is none."""
    try:
        return times.stamp(updated_at)
    except ValueError:
        return times.BEGINNING
