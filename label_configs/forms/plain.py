"""Tasks and answers of the shape that nearly all have, typed, so that many are read at a time, as columns.

What this reads means what `Form.judgments` says of it, to the last field: tests hold the two equal on arbitrary tasks.
Whatever is of another shape in any way is not read here at all, and no problem is told here: that is the other's part.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from label_configs.forms.envelope import KEY, VERSION, opaque
from label_configs.records import Origin

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]

PLACES: Mapping[str, int] = {opaque(n): n for n in range(1_000)}
"""The ids that `envelope.tasks` gives to the cards of a screen, and their positions."""
if TYPE_CHECKING:
    Card = str
else:
    Card = Literal[tuple(PLACES)]
    """One of these ids: the parser looks it up instead of making a new text."""

Id = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Small = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Word = Annotated[str, Meta(min_length=1)]
Seconds = Annotated[float, Meta(gt=-1e12, lt=1e12)]


class Candidate(msgspec.Struct, gc=False):
    """What stands on the screen at one position."""

    id: Card


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
    docs: dict[Card, Word]
    assisted: Any = None

    @property
    def key(self) -> tuple[str, str]:
        """What says how its answers are read: its form, and the hash of its rules."""
        return self.form, self.rules_hash


class Ours(msgspec.Struct, gc=False, rename={"envelope": KEY}):
    """The meta of a task."""

    envelope: Envelope


class Value(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """The answer of a Ranker or of a Choices."""

    ranker: dict[str, list[Card]] | UnsetType = UNSET
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


class Asked(msgspec.Struct, gc=False):
    """A task of ours that is to be predicted."""

    id: Id
    data: Data
    meta: Ours


class Coded(NamedTuple):
    """A column in which few words repeat: which of them stands in each place."""

    codes: "Ints"
    words: Sequence[Any]


Column = Any
"""A value for each place: a sequence, numbers as an array, or Coded."""


class Answers(NamedTuple):
    """Answers to one form under the same rules, each of one region or more. sizes: the cards on the screen of each."""

    annotations: Sequence[Annotation]
    sizes: "Ints"


class Said(NamedTuple):
    """What answers say.

    counts: how many judgments each answer is; 0 where it is for `Form.judgments` to read. each: by field, a value for
    each judgment, `position` among them. same: by field, a value for each answer. others: the position of what
    `other_doc_id` names.
    """

    counts: "Ints"
    each: Mapping[str, Column]
    same: Mapping[str, Column]
    others: "Ints | None" = None


Read = Callable[[Answers], Said]


def as_pushed(task: Task | Asked) -> bool:
    """Whether the cards of a task stand under the usual ids in the usual order, in its data and in its envelope."""
    docs = task.meta.envelope.docs
    ids = _usual(len(docs))
    return ids == list(docs) and ids == [one.id for one in task.data.candidates]


def asked(task: Asked | Mapping[str, Any] | None) -> Asked | None:
    """A task that is to be predicted; None for one that is not ours, or is not as it was pushed."""
    try:
        found = task if isinstance(task, Asked) else msgspec.convert(task, Asked)
    except msgspec.ValidationError:
        return None
    return found if as_pushed(found) else None


def sources(regions: Iterable[Region]) -> list[Origin]:
    """See `answers.origin`."""
    return [one.source if one.origin == "prediction" else one.origin or "manual" for one in regions]


def untouched(annotations: Iterable[Annotation]) -> list[bool]:
    """Of each, whether a prediction gave all of it, and nobody changed it."""
    return [
        bool(one.result) and one.result[0].origin == "prediction" and all(region.untouched for region in one.result)
        for one in annotations
    ]


def always(word: object, size: int) -> Coded:
    """The same in each place."""
    import numpy as np

    return Coded(np.zeros(size, np.int64), [word])


def numbers(found: Iterable[int]) -> "Ints":
    """As an array."""
    import numpy as np

    return np.fromiter(found, np.int64)


def within(counts: "Ints") -> "Ints":
    """0, 1, 2 … for each of the counts."""
    import numpy as np

    return np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)


def by_screen(counts: "Ints", places: "Ints", sizes: "Ints") -> tuple["Ints", "npt.NDArray[np.bool_]"]:
    """The order of marks by answer and by position, and which answers mark each card once at most, on their screens.

    counts: the marks of each answer. places: the position that each marks.
    """
    import numpy as np

    inside, marks, total = places < np.repeat(sizes, counts), np.arange(len(places)), int(sizes.sum())
    cells = np.where(inside, np.repeat(np.cumsum(sizes) - sizes, counts) + places, total)
    last = np.full(total + 1, -1)
    last[cells] = marks
    odd = np.flatnonzero(~inside | (last[cells] != marks))
    plain = np.ones(len(sizes), bool)
    plain[np.searchsorted(np.cumsum(counts), odd, side="right")] = False
    return last[:-1][last[:-1] >= 0], plain


@lru_cache(maxsize=1_000)
def _usual(size: int) -> list[str]:
    return list(PLACES)[:size]
