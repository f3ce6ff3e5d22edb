"""Tasks and answers of the shape that nearly all have, typed, so that they are read many at a time.

What this reads means what `Form.judgments` says of it, to the last field: tests hold the two equal on arbitrary tasks.
Whatever is of another shape in any way is not read here at all, and no problem is told here: that is the other's part.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from label_configs.forms.envelope import KEY, VERSION, opaque
from label_configs.records import Block, Origin

Id = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Small = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Word = Annotated[str, Meta(min_length=1)]
Seconds = Annotated[float, Meta(gt=-1e12, lt=1e12)]


class Candidate(msgspec.Struct, gc=False):
    """What stands on the screen at one position."""

    id: Word


class Data(msgspec.Struct, gc=False):
    """What the annotator sees, as far as it matters."""

    query_id: Word
    candidates: list[Candidate]


class Envelope(msgspec.Struct, gc=False):
    """See `envelope.tasks`."""

    v: Annotated[int, Meta(ge=VERSION, le=VERSION)]
    pool_id: Word
    rules_hash: Word
    form: Word
    round: Small
    part: Small
    docs: dict[str, Word]


class Ours(msgspec.Struct, gc=False, rename={"envelope": KEY}):
    """The meta of a task."""

    envelope: Envelope


class Value(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """The answer of a Ranker or of a Choices."""

    ranker: dict[str, list[str]] | UnsetType = UNSET
    choices: list[str] | UnsetType = UNSET


class Suggestion(msgspec.Struct, gc=False):
    """The meta of a region."""

    suggested: Value | UnsetType = UNSET


class Region(msgspec.Struct, gc=False):
    """The answer to one control."""

    from_name: str
    value: Value
    type: Literal["ranker", "choices"]
    origin: Origin | None = None
    meta: Suggestion | None = None

    @property
    def edited(self) -> bool:
        """See `answers.edited`."""
        return self.meta is not None and self.meta.suggested is not UNSET and self.meta.suggested != self.value

    @property
    def untouched(self) -> bool:
        """Whether a prediction gave it, and nobody changed it."""
        return self.origin == "prediction" and not self.edited

    @property
    def source(self) -> Origin:
        """See `answers.origin`."""
        origin = self.origin or "manual"
        return "prediction-changed" if origin == "prediction" and self.edited else origin


class User(msgspec.Struct, gc=False):
    """An annotator, in exports that tell more than the id."""

    id: int


class Annotation(msgspec.Struct, gc=False):
    """See `envelope.Annotation`."""

    id: Id
    updated_at: str
    result: list[Region]
    completed_by: int | User
    was_cancelled: bool | None = False
    lead_time: Seconds | None = None


class Task(msgspec.Struct, gc=False):
    """A task of ours as Label Studio holds it, with its answers. counted: how many it says that it has."""

    id: Id
    annotations: list[Annotation]
    data: Data
    meta: Ours
    updated_at: Any = None
    project: int | UnsetType = UNSET
    total_annotations: Any = None
    cancelled_annotations: Any = None


class Screen(NamedTuple):
    """docs: doc_id at each position. places: the position of each opaque id."""

    docs: Sequence[str]
    places: Mapping[str, int]


Said = tuple[Mapping[str, Sequence[Any]], Mapping[str, Any]]
"""What an annotation says: by field a value for each judgment, and what all have in common."""
Read = Callable[[Screen, Sequence[Region]], Said | None]
"""Reads the regions of an annotation; None where it is for `Form.judgments` to read."""


def screen(task: Task) -> Screen | None:
    """What was on the screen; None where envelope and candidates do not plainly agree."""
    ids, docs = [one.id for one in task.data.candidates], task.meta.envelope.docs
    if ids != list(docs):
        return None
    usual, places = _usual(len(ids))
    return Screen(list(docs.values()), places if usual == ids else {c: n for n, c in enumerate(ids)})


def block(project: int, task: Task, annotation: Annotation, annotator: str, screen: Screen, read: Read) -> Block | None:
    """The judgments of one annotation, at least one; None where it is for `Form.judgments` to read."""
    envelope, regions = task.meta.envelope, annotation.result
    frame = {
        "annotator": annotator,
        "project": project,
        "task_id": task.id,
        "query_id": task.data.query_id,
        "rules_hash": envelope.rules_hash,
        "pool_id": envelope.pool_id,
        "form": envelope.form,
        "round": envelope.round,
        "annotation_id": annotation.id,
        "updated_at": annotation.updated_at,
        "lead_time": annotation.lead_time,
    }
    if annotation.was_cancelled or not regions:
        flag = "skipped" if annotation.was_cancelled else "empty"
        return Block({**frame, "kind": "flag", "doc_id": "", "position": -1}, {"value": (flag,)})
    said = read(screen, regions)
    if said is None:
        return None
    each, same = said
    frame["untouched"] = regions[0].untouched if len(regions) == 1 else all(one.untouched for one in regions)
    return Block({**frame, **same}, each)


@lru_cache(maxsize=100)
def _usual(size: int) -> tuple[list[str], Mapping[str, int]]:
    """The ids that `envelope.tasks` gives, and their positions."""
    ids = [opaque(n) for n in range(size)]
    return ids, {c: n for n, c in enumerate(ids)}
