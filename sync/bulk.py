"""Tasks of the shape that nearly all have, read many at a time into columns, in this process or in another.

Only what says the same by itself wherever it is read is read here: whatever is of another shape, of rules that were
not given, or not to be understood, comes back as it is, for a Reader.
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec import UNSET

from label_configs.forms import READINGS, plain
from store.json_array import Stretch
from store.rows import Batch
from sync import columns
from sync.garbage import uncollected

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
        self._readings: dict[columns.Key, plain.Read] = {}

    def read(self, stretches: Sequence[Stretch]) -> Told:
        """What they say, up to the first that does not parse."""
        with uncollected():
            return self._told(stretches)

    def _told(self, stretches: Sequence[Stretch]) -> Told:
        told, contents, found = Told(stretches[0].start), list[_Content](), list[plain.Task | None]()
        with self._path.open("rb") as file:
            for stretch in stretches:
                content = _Content(stretch.content(file), stretch.lines)
                tasks = content.tasks()
                if not tasks:
                    told.whole = False
                    break
                contents.append(content)
                found += [task if task and self._usual(task) else None for task in tasks]
                told.end = stretch.end + 1
        told.count = len(found)
        usual = [task for task in found if task]
        told.batch, read = columns.read(self._project, usual, self._readings)
        whole = {id(task) for task, one in zip(usual, read, strict=True) if one}
        if self._heads or len(whole) < len(found):
            told.tasks = list(self._tasks(found, whole, contents))
        return told

    def _tasks(
        self, found: Sequence[plain.Task | None], whole: Container[int], contents: Iterable["_Content"]
    ) -> Iterator[Head | Left]:
        """See Told. whole: the identities of those that were read."""
        raw: Iterator[Buffer] = chain.from_iterable(content.raw() for content in contents)
        annotations = 0
        for place, (task, content) in enumerate(zip(found, raw, strict=True)):
            if task is None or id(task) not in whole:
                yield Left(place, annotations, bytes(content))
                continue
            if self._heads:
                yield _head(task, annotations)
            annotations += len(task.annotations)

    def _usual(self, task: plain.Task) -> bool:
        """Whether its answers may be read by a form's reading."""
        if task.project is not UNSET and task.project != self._project:
            return False
        return plain.as_pushed(task) and self._readable(task.meta.envelope.key)

    def _readable(self, key: columns.Key) -> bool:
        form, rules_hash = key
        if key not in self._readings and form in READINGS and (rules := self._rules_of(rules_hash)):
            self._readings[key] = READINGS[form](rules)
        return key in self._readings


class _Content(NamedTuple):
    """What stands in a stretch. lines: it is lines, not an array."""

    found: bytearray
    lines: bool

    def tasks(self) -> Sequence[plain.Task | None]:
        """The tasks, None for one of another shape; none at all for what is no array."""
        try:
            return _ONE.decode_lines(self.found) if self.lines else _MANY.decode(self.found)
        except _BROKEN:
            pass
        try:
            return [_task(one) for one in self.raw()]
        except _BROKEN:
            return []

    def raw(self) -> Sequence[Buffer]:
        """Each task as JSON."""
        return [one for one in self.found.split(b"\n") if one.strip()] if self.lines else _RAW.decode(self.found)


def _task(content: Buffer) -> plain.Task | None:
    try:
        return _ONE.decode(content)
    except _BROKEN:
        return None


def _head(task: plain.Task, first: int) -> Head:
    there = len(task.annotations)
    counted = task.total_annotations, task.cancelled_annotations
    whole = all(isinstance(n, int) for n in counted) and sum(counted) == there
    return Head(task.id, first, first + there, whole, task.updated_at)
