"""What every task carries beside what the annotator sees, and how it is read back."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import pairwise
from typing import Any, NamedTuple, NotRequired, TypedDict

from label_configs import cards
from label_configs.errors import Unreadable, quoted
from label_configs.records import Candidate, Judgment, Pool, Query
from label_configs.rules import Rules

KEY = "ls_retrieval"
VERSION = 1
_FOREVER = 1e12
"""Seconds; beyond it a number is no time."""


class Task(TypedDict):
    """A task as it is imported into Label Studio."""

    data: dict[str, Any]
    meta: dict[str, Any]
    predictions: NotRequired[list[dict[str, Any]]]


class Annotation(TypedDict, total=False):
    """The part of Label Studio's annotation that is read."""

    id: int
    result: list[dict[str, Any]]
    was_cancelled: bool
    lead_time: float | None
    updated_at: str
    completed_by: Any


class Decoded(NamedTuple):
    """The judgments of one annotation, as a list or a block, and what of it could not be read."""

    told: Sequence[Judgment]
    problems: list[str]

    @property
    def judgments(self) -> list[Judgment]:
        """The judgments, one by one."""
        return list(self.told)


@dataclass(frozen=True, slots=True)
class Filled:
    """A task of ours as Label Studio holds it. ids, docs: opaque id and doc_id at each position of the screen.

    places: the position of each opaque id.
    """

    project: int
    task_id: int
    query_id: str
    pool_id: str
    rules_hash: str
    form: str
    round: int
    part: int
    ids: tuple[str, ...]
    docs: tuple[str, ...]
    places: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "places", {c: n for n, c in enumerate(self.ids)})

    def position(self, candidate: object) -> int:
        """The place of an opaque id on the screen. Raises ValueError for one that the task does not have."""
        found = self.places.get(str(candidate)) if isinstance(candidate, str | int) else None
        if found is None:
            raise ValueError(f"the task has no candidate {quoted(candidate)}")
        return found

    def place(self, annotation: Annotation, control: object = None) -> str:
        """Where a problem lies, for messages."""
        where = f"project {self.project}, task {self.task_id}, annotation {quoted(annotation.get('id'))}"
        return where if control is None else f"{where}, control {quoted(control)}"


@cache
def opaque(position: int) -> str:
    """Candidate id inside a task. It starts with a letter: Label Studio re-sorts ids that look like numbers."""
    return f"c{position}"


def parts(pool: Pool, per_screen: int) -> list[tuple[Candidate, ...]]:
    """The pool's candidates in screens whose sizes differ by one at most, in display order."""
    screens = max(1, -(-len(pool.candidates) // per_screen))
    bounds = [round(n * len(pool.candidates) / screens) for n in range(screens + 1)]
    return [pool.candidates[a:b] for a, b in pairwise(bounds)]


def tasks(
    form: str,
    pool: Pool,
    query: Query,
    shown: str,
    rules: Rules,
    screens: Iterable[Sequence[Candidate]],
    show: Callable[[int, str], dict[str, Any]],
) -> list[Task]:
    """One task a screen: what is shown, and the envelope by which its answers are read.

    show: what a candidate's entry holds beside its id, given its position and doc_id.
    """
    made: list[Task] = []
    for part, screen in enumerate(screens):
        docs = {opaque(n): candidate.doc_id for n, candidate in enumerate(screen)}
        data = {
            "query_id": pool.query_id,
            "query": shown,
            "about": cards.about(query),
            **({"domain": query.domain} if query.domain else {}),
            "candidates": [{"id": c, **show(n, doc_id)} for n, (c, doc_id) in enumerate(docs.items())],
            "guideline": rules.guideline(),
        }
        envelope = {
            "v": VERSION,
            "pool_id": pool.pool_id,
            "rules_hash": rules.hash,
            "form": form,
            "round": pool.round,
            "part": part,
            "docs": docs,
        }
        made.append({"data": data, "meta": {KEY: envelope}})
    return made


def is_filled(task: Mapping[str, Any]) -> bool:
    """Whether a task from Label Studio holds candidates that this tool put there."""
    meta = task.get("meta") if isinstance(task, Mapping) else None
    return isinstance(meta, dict) and isinstance(meta.get(KEY), dict)


def read(task: Mapping[str, Any], project: int) -> Filled:
    """A task from Label Studio as a record. Raises Unreadable when its envelope and its candidates disagree."""
    if not is_filled(task):
        raise Unreadable(f"{_place(task, project)} has no candidates of this tool.")
    envelope, data = task["meta"][KEY], task.get("data")
    if envelope.get("v") != VERSION:
        raise Unreadable(
            f"{_place(task, project)} was written in version {quoted(envelope.get('v'))} of the task format.",
            mend="Use the tool's version that pushed it.",
        )
    try:
        ids = _words([candidate["id"] for candidate in data["candidates"]])  # type: ignore[index]
        named = envelope["docs"]
        if not isinstance(named, dict) or len(named) != len(ids) or named.keys() != set(ids):
            raise ValueError("its candidates are not those of its envelope")
        return Filled(
            project=project,
            task_id=_whole(task["id"], 63),
            query_id=_word(data["query_id"]),  # type: ignore[index]
            pool_id=_word(envelope["pool_id"]),
            rules_hash=_word(envelope["rules_hash"]),
            form=_word(envelope["form"]),
            round=_whole(envelope["round"], 31),
            part=_whole(envelope["part"], 31),
            ids=tuple(ids),
            docs=tuple(_words([named[c] for c in ids])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Unreadable(
            f"{_place(task, project)} was changed since it was pushed: {type(error).__name__} {error}.",
            mend="Restore its data and meta, or delete the task and push the query again in a new round.",
        ) from error


def _place(task: object, project: int) -> str:
    return f"project {project}, task {quoted(task.get('id') if isinstance(task, Mapping) else None)}"


def speaker(task: Filled, annotation: Annotation, annotator: str) -> Callable[..., Judgment]:
    """Makes the judgments of one annotation: where they come from is filled in, what was said is left to give."""
    return partial(Judgment, **frame(task, annotation, annotator))


def frame(task: Filled, annotation: Annotation, annotator: str) -> dict[str, Any]:
    """Where all judgments of one annotation come from.

    Raises ValueError for an annotation that has no id or no time: nothing could be told of its next revision.
    """
    return {
        "annotator": annotator,
        "project": task.project,
        "task_id": task.task_id,
        "query_id": task.query_id,
        "rules_hash": task.rules_hash,
        "pool_id": task.pool_id,
        "form": task.form,
        "round": task.round,
        "annotation_id": _whole(annotation.get("id"), 63, "an id"),
        "updated_at": _time(annotation.get("updated_at")),
        "lead_time": seconds(annotation.get("lead_time")),
    }


def seconds(found: object) -> float | None:
    """A number of seconds, or None for what is none."""
    if isinstance(found, bool) or not isinstance(found, int | float) or not abs(found) < _FOREVER:
        return None
    return float(found)


def stored(text: str) -> str:
    """Text that files can hold. Raises ValueError for half a character, which JSON can say and UTF-8 cannot."""
    text.encode()
    return text


def _words(found: list[object]) -> list[str]:
    """All of them as names, at once where they are plain."""
    if set(map(type, found)) == {str} and "" not in found:
        stored("".join(found))  # type: ignore[arg-type]
        return found  # type: ignore[return-value]
    return [_word(one) for one in found]


def _word(found: object) -> str:
    if isinstance(found, bool) or not isinstance(found, str | int) or found == "":
        raise ValueError(f"expected a name, found {quoted(found)}")
    return stored(str(found))


def _whole(found: object, bits: int, what: str = "a number") -> int:
    number = int(found) if isinstance(found, str) and found.isdecimal() and len(found) <= bits else found
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < 2**bits:
        raise ValueError(f"expected {what}, found {quoted(found)}")
    return number


def _time(found: object) -> str:
    if not isinstance(found, str) or not found:
        raise ValueError(f"expected updated_at, found {quoted(found)}")
    return stored(found)
