"""Tasks of the shape that nearly all have, read many at a time into columns, in this process or in another.

Only what says the same by itself wherever it is read is read here: whatever is of another shape, of rules that were
not given, or not to be understood, comes back as it is, for a Reader.
"""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET

from label_configs.forms import READINGS, plain
from label_configs.records import Block
from store import times
from store.json_array import Stretch
from store.rows import SCHEMA, Batch, Rows

if TYPE_CHECKING:
    from store.mappings import RulesOf

Buffer = bytes | bytearray | msgspec.Raw
_BROKEN = (msgspec.DecodeError, RecursionError, UnicodeError)
_MANY: msgspec.json.Decoder[list[plain.Task]] = msgspec.json.Decoder(list[plain.Task])
_ONE: msgspec.json.Decoder[plain.Task] = msgspec.json.Decoder(plain.Task)
_RAW: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])


class Head(msgspec.Struct, array_like=True, tag=True, gc=False):
    """A task that was read. first, end: its annotations within the batch. listed: it lists all that it says it has."""

    task_id: int
    first: int
    end: int
    listed: bool
    updated_at: Any


class Left(msgspec.Struct, array_like=True, tag=True, gc=False):
    """A task that was not read, as JSON: its place among all, and how many annotations of the batch come before it."""

    place: int
    before: int
    content: bytes


@dataclass
class Told:
    """What stretches say. end: up to where they were read. whole: that is all of them.

    tasks: those that are left, and, where they are asked for, those that were read, in the order of the file.
    batch: its annotators are the ids of users.
    """

    end: int
    count: int = 0
    tasks: list[Head | Left] = field(default_factory=list)
    batch: Batch | None = None
    whole: bool = True


class Bulk:
    """Reads stretches of one export. rules_of: the rules of a hash; None for those that are for a Reader.

    heads: tasks that were read are told too.
    """

    def __init__(self, path: Path, project: int, rules_of: "RulesOf", heads: bool) -> None:
        self._path, self._project, self._rules_of, self._heads = path, project, rules_of, heads
        self._readings: dict[tuple[str, str], plain.Read | None] = {}

    def read(self, stretches: Sequence[Stretch]) -> Told:
        """What they say, up to the first that does not parse."""
        with _uncollected():
            return self._told(stretches)

    def _told(self, stretches: Sequence[Stretch]) -> Told:
        told, rows = Told(stretches[0].start), Rows(SCHEMA)
        annotations = 0
        with self._path.open("rb") as file:
            for stretch in stretches:
                content = stretch.content(file)
                tasks = _tasks(content, stretch.lines)
                if not tasks:
                    told.whole = False
                    break
                raw: Sequence[Buffer] = ()
                for place, task in enumerate(tasks):
                    blocks = self._blocks(task)
                    if blocks is None:
                        raw = raw or _raw(content, stretch.lines)
                        told.tasks.append(Left(told.count + place, annotations, bytes(raw[place])))
                        continue
                    for block in blocks:
                        rows.add(block)
                    if self._heads and task:
                        told.tasks.append(_head(task, annotations))
                    annotations += len(blocks)
                told.count += len(tasks)
                told.end = stretch.end + 1
        told.batch = rows.batch() if len(rows) else None
        return told

    def _blocks(self, task: plain.Task | None) -> list[Block] | None:
        """What the annotations of a task say; None where one of them is for a Reader."""
        if task is None or task.project not in (UNSET, self._project):
            return None
        screen, read = plain.screen(task), self._reading(task.meta.envelope)
        if screen is None or read is None:
            return None
        found: list[Block] = []
        for one in task.annotations:
            user = one.completed_by
            annotator = str(user if isinstance(user, int) else user.id)
            block = plain.block(self._project, task, one, annotator, screen, read)
            if block is None or not _stamped(one.updated_at):
                return None
            found.append(block)
        return found

    def _reading(self, envelope: plain.Envelope) -> plain.Read | None:
        key = envelope.form, envelope.rules_hash
        read = self._readings.get(key)
        if read is None and key[0] in READINGS and (rules := self._rules_of(key[1])):
            read = self._readings[key] = READINGS[key[0]](rules)
        return read


@contextmanager
def _uncollected() -> Iterator[None]:
    """Look for no garbage meanwhile: nothing here refers to itself, and looking costs a tenth of the time."""
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collected:
            gc.enable()


def _tasks(content: bytearray, lines: bool) -> Sequence[plain.Task | None]:
    """The tasks, None for one of another shape; none at all for what is no array."""
    try:
        return _ONE.decode_lines(content) if lines else _MANY.decode(content)
    except _BROKEN:
        pass
    try:
        return [_task(one) for one in _raw(content, lines)]
    except _BROKEN:
        return []


def _task(content: Buffer) -> plain.Task | None:
    try:
        return _ONE.decode(content)
    except _BROKEN:
        return None


def _raw(content: bytearray, lines: bool) -> Sequence[Buffer]:
    """Each task as JSON."""
    return [one for one in content.split(b"\n") if one.strip()] if lines else _RAW.decode(content)


def _head(task: plain.Task, first: int) -> Head:
    there = len(task.annotations)
    counted = task.total_annotations, task.cancelled_annotations
    whole = all(isinstance(n, int) for n in counted) and sum(counted) == there
    return Head(task.id, first, first + there, whole, task.updated_at)


def _stamped(time: str) -> bool:
    """Whether a time is written as all are."""
    try:
        return times.stamp(time) == time
    except ValueError:
        return False
