"""Answers of tasks of the usual shape as columns: each field of all of them at once, whatever their forms are."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from label_configs.forms import plain
from store import times
from store.rows import DEFAULTS, SCHEMA, Batch, Counts

Key = tuple[str, str]
"""A form, and the hash of its rules."""
_SILENT: Key = "", ""
"""Whatever the form: what was skipped, or is empty."""
Mask = npt.NDArray[np.bool_]


def read(project: int, tasks: Sequence[plain.Task], readings: Mapping[Key, plain.Read]) -> tuple[Batch | None, Mask]:
    """What the answers say, in their order, and which tasks could be read; of the others nothing is there.

    readings: what reads the answers, by the form and the rules of a task. The annotators are the ids of users.
    """
    answers = _Answers(project, tasks)
    of = np.repeat(np.arange(len(tasks)), [len(task.annotations) for task in tasks])
    groups = answers.groups()
    if not groups:
        return None, np.ones(len(tasks), bool)
    batch = Batch.joined([answers.batch(group, readings.get(key, _silent)) for key, group in groups.items()])
    order = np.argsort(np.concatenate(list(groups.values())))
    whole = np.ones(len(tasks), bool)
    whole[of[(batch.counts[order] == 0) | ~answers.stamped()]] = False
    kept = order[whole[of]]
    return (batch.take(kept) if len(kept) else None), whole


class _Answers:
    def __init__(self, project: int, tasks: Sequence[plain.Task]) -> None:
        self._project = project
        self._tasks = [task for task in tasks for _ in task.annotations]
        self._annotations = [one for task in tasks for one in task.annotations]

    def groups(self) -> dict[Key, Counts]:
        """The places of those that are read alike."""
        found: dict[Key, list[int]] = {}
        for place, (task, one) in enumerate(zip(self._tasks, self._annotations, strict=True)):
            key = _SILENT if one.was_cancelled or not one.result else task.meta.envelope.key
            found.setdefault(key, []).append(place)
        return {key: np.array(places) for key, places in found.items()}

    def stamped(self) -> Mask:
        """Whether the time of each is written as all are."""
        return np.array([times.is_stamp(one.updated_at) for one in self._annotations])

    def batch(self, group: Counts, read: plain.Read) -> Batch:
        """What those say that are read alike."""
        tasks, annotations = [self._tasks[n] for n in group], [self._annotations[n] for n in group]
        docs = [task.meta.envelope.docs for task in tasks]
        sizes = plain.numbers(map(len, docs))
        said = read(plain.Answers(annotations, sizes))
        shown = _Shown(docs, np.repeat(np.cumsum(sizes) - sizes, said.counts))
        each = {name: _column(name, values) for name, values in said.each.items()}
        each["doc_id"] = shown.at(said.each["position"])
        if said.others is not None:
            each["other_doc_id"] = shown.at(said.others)
        same = {**_frame(self._project, tasks, annotations), **said.same}
        same |= {name: plain.always(default, len(group)) for name, default in DEFAULTS.items() if name not in same}
        return Batch({name: _column(name, same[name]) for name in DEFAULTS if name not in each}, said.counts, each)


class _Shown:
    """The documents on screens. first: where the screen of each judgment begins among all of them."""

    def __init__(self, docs: Sequence[Mapping[str, str]], first: Counts) -> None:
        self._ids = pa.array([*chain.from_iterable(one.values() for one in docs), ""], pa.string())
        self._first = first

    def at(self, positions: Counts) -> pa.Array:
        """The doc_id of each judgment, given its position; of what is of no document nothing."""
        places = np.where(positions < 0, len(self._ids) - 1, self._first + positions)
        if np.array_equal(places, np.arange(len(self._ids) - 1)):
            return self._ids[:-1]
        return self._ids.take(pa.array(places))


def _silent(answers: plain.Answers) -> plain.Said:
    """One flag of each, whatever else is left in it."""
    skipped = plain.numbers(bool(one.was_cancelled) for one in answers.annotations)
    nothing = np.full(len(skipped), -1)
    each = {"position": nothing, "value": plain.Coded(skipped, ("empty", "skipped"))}
    same = {"kind": plain.always("flag", len(skipped)), "untouched": plain.always(False, len(skipped))}
    return plain.Said(np.ones(len(skipped), np.int64), each, same)


def _frame(project: int, tasks: Sequence[plain.Task], annotations: Sequence[plain.Annotation]) -> dict[str, Any]:
    """Where answers come from; see `envelope.frame`."""
    envelopes = [task.meta.envelope for task in tasks]
    users = [one.completed_by for one in annotations]
    return {
        "annotator": [str(user if isinstance(user, int) else user.id) for user in users],
        "project": plain.always(project, len(tasks)),
        "task_id": [task.id for task in tasks],
        "query_id": [task.data.query_id for task in tasks],
        "rules_hash": [envelope.rules_hash for envelope in envelopes],
        "pool_id": [envelope.pool_id for envelope in envelopes],
        "form": [envelope.form for envelope in envelopes],
        "round": [envelope.round for envelope in envelopes],
        "annotation_id": [one.id for one in annotations],
        "updated_at": [one.updated_at for one in annotations],
        "lead_time": [one.lead_time for one in annotations],
        "untouched": plain.untouched(annotations),
    }


def _column(name: str, found: plain.Column) -> pa.Array:
    kind = SCHEMA.field(name).type
    if isinstance(found, plain.Coded):
        return pa.array(found.words, kind).take(pa.array(found.codes))
    return pa.array(found, kind)
