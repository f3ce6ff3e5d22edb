"""From tasks as Label Studio writes them to rows of the table, wherever the tasks came from."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from label_configs.errors import Mendable, Unreadable, quoted
from label_configs.forms import envelope, form
from label_configs.forms.envelope import Annotation, Decoded, Filled
from label_configs.records import Judgment
from label_configs.rules import Rules
from store import times
from store.forgotten import Forgotten
from store.judgments import FORGOTTEN, Known, Writer
from store.mappings import RulesOf
from store.rows import Batch
from store.settings import Project

Decode = Callable[[Filled, Annotation, Rules, str], Decoded]
_PROBLEMS = 1_000
"""Problems that are kept word by word; of more, the number is."""


@dataclass
class Pulled:
    """What a pull read: annotations that are new, edited, deleted or as they were, and what could not be read.

    more: problems beyond those that are listed. held: the annotations that stand in the table now, whoever read them.
    """

    new: int = 0
    edited: int = 0
    deleted: int = 0
    unchanged: int = 0
    problems: list[str] = field(default_factory=list)
    more: int = 0
    held: int = field(default=0, compare=False)

    def problem(self, *sentences: str) -> None:
        """Add problems, each once."""
        for sentence in sentences:
            if len(self.problems) >= _PROBLEMS:
                self.more += 1
            elif sentence not in self.problems:
                self.problems.append(sentence)


@dataclass
class Reader:
    """Reads tasks into a table.

    name: the pseudonym of an annotator. unread: annotations of tasks that cannot be read, by task.
    newer: what is older than what the table holds is passed over, as in files that were made some time ago.
    """

    project: Project
    rules_of: RulesOf
    name: Callable[[str], str]
    forgotten: Forgotten
    writer: Writer
    newer: bool = False
    pulled: Pulled = field(default_factory=Pulled)
    unread: dict[int, int] = field(default_factory=dict)

    def done(self) -> Pulled:
        """What was read, once all is."""
        self.pulled.held = self.writer.known.standing()
        return self.pulled

    def task(self, row: Mapping[str, Any]) -> bool:
        """Add the answers of one task that are new; False where it cannot be read."""
        annotations: Any = row.get("annotations") or []
        if not annotations:
            return True
        try:
            task, rules = self._read(row, annotations)
            decode = form(task.form).judgments
        except Mendable as error:
            self.pulled.problem(str(error))
            self.unread[_number(row.get("id"))] = len(annotations) if isinstance(annotations, list) else 0
            return False
        self.unread.pop(task.task_id, None)
        for annotation in annotations:
            self._annotation(task, annotation, rules, decode)
        return True

    def batch(self, batch: Batch) -> None:
        """Add annotations that were read many at a time; their annotators are still the ids of users."""
        users = batch.heads["annotator"].dictionary_encode()
        names = pa.array(map(self.name, users.dictionary.to_pylist()), pa.string()).take(users.indices)
        batch = Batch({**batch.heads, "annotator": names}, batch.counts, batch.each)
        ids, tasks, times_ = (batch.heads[name] for name in ("annotation_id", "task_id", "updated_at"))
        if self.writer.known.begin(ids.to_numpy(), tasks.to_numpy(), times_):
            self.pulled.new += len(batch)
            self.writer.extend(batch, [1] * len(batch))
            return
        kept, revisions = [], []
        rows = zip(ids.to_pylist(), tasks.to_pylist(), times_.to_pylist(), strict=True)
        for n, (annotation_id, task_id, updated_at) in enumerate(rows):
            before = self.writer.known.get(annotation_id)
            if before and self._stands(before, updated_at):
                self.pulled.unchanged += 1
                continue
            self.pulled.edited += bool(before)
            self.pulled.new += not before
            revisions.append(self.writer.revise(annotation_id, task_id, updated_at))
            kept.append(n)
        if kept:
            self.writer.extend(batch.take(np.array(kept)), revisions)

    def gone(self, task_id: int, there: Iterable[int], held: Iterable[int], seen: str) -> None:
        """Mark deleted what the table holds of a task and Label Studio does not. seen: when that was."""
        for annotation_id in sorted(set(held) - set(there)):
            known = self.writer.known[annotation_id]
            if known.there and not (self.newer and known.updated_at > seen):
                self.writer.add([self._mark(task_id, annotation_id, seen, "deleted")], deleted=True)
                self.pulled.deleted += 1

    def _read(self, row: Mapping[str, Any], annotations: object) -> tuple[Filled, Rules]:
        task = envelope.read(row, self.project.id)
        if not isinstance(annotations, list):
            raise Unreadable(f"{task.place({})}: expected annotations, found {quoted(annotations)}.")
        rules = self.rules_of(task.rules_hash)
        if rules is None:
            raise Unreadable(
                f"project {task.project}, task {task.task_id} was made under the rules {task.rules_hash}, which the "
                "workspace does not hold.",
                mend=f"Put their file back into the workspace, as rules/{task.rules_hash}.yaml.",
            )
        return task, rules

    def _annotation(self, task: Filled, found: object, rules: Rules, decode: Decode) -> None:
        try:
            annotation, annotation_id = _framed(found)
        except ValueError as error:
            self.pulled.problem(f"project {task.project}, task {task.task_id}: {error}")
            return
        before = self.writer.known.get(annotation_id)
        if before and self._stands(before, annotation["updated_at"]):
            self.pulled.unchanged += 1
            return
        rows = self._judged(task, annotation, rules, decode)
        erased = rows is None
        if rows is None:
            rows = [self._mark(task.task_id, annotation_id, annotation["updated_at"], FORGOTTEN)]
        self.writer.add(rows, deleted=erased)
        self.pulled.edited += bool(before) and not erased
        self.pulled.new += not before and not erased

    def _stands(self, known: Known, updated_at: str) -> bool:
        """Whether the table holds this state of an annotation, or a later one."""
        if self.newer:
            return known.updated_at >= updated_at
        return known.there and known.updated_at == updated_at

    def _judged(self, task: Filled, annotation: Annotation, rules: Rules, decode: Decode) -> Sequence[Judgment] | None:
        """What an annotation says; one that says nothing is a row too, so that it is known. None for one erased."""
        user: object = annotation.get("completed_by")
        annotator = self.name(str(user.get("id") if isinstance(user, dict) else user))
        if annotator in self.forgotten.annotators:
            return None
        decoded = decode(task, annotation, rules, annotator)
        self.pulled.problem(*decoded.problems)
        if not decoded.told:
            speak = envelope.speaker(task, annotation, annotator)
            return [speak(kind="flag", value="empty", doc_id="", position=-1)]
        return self.forgotten.left(decoded.told) or None

    def _mark(self, task_id: int, annotation_id: int, updated_at: str, value: str) -> Judgment:
        """The one row of an annotation that is gone."""
        return marked(self.project.id, task_id, annotation_id, updated_at, value)


def marked(project: int, task_id: int, annotation_id: int, updated_at: str, value: str) -> Judgment:
    """The one row of an annotation of which nothing stands: it was deleted, or erased."""
    return Judgment(
        kind="flag",
        project=project,
        task_id=task_id,
        annotation_id=annotation_id,
        updated_at=updated_at,
        query_id="",
        doc_id="",
        value=value,
        annotator="",
        rules_hash="",
        pool_id="",
        form="",
        round=0,
        position=-1,
    )


def _framed(found: object) -> tuple[Annotation, int]:
    """An annotation whose time is written as all are, and its id. Raises ValueError where it has none of these."""
    if not isinstance(found, dict):
        raise ValueError(f"expected an annotation, found {quoted(found)}")
    annotation_id, updated_at = found.get("id"), found.get("updated_at")
    if not isinstance(annotation_id, int) or isinstance(annotation_id, bool) or not 0 <= annotation_id < 2**63:
        raise ValueError(f"expected an annotation's id, found {quoted(annotation_id)}")
    if not isinstance(updated_at, str):
        raise ValueError(f"annotation {annotation_id}: expected updated_at, found {quoted(updated_at)}")
    try:
        time = times.stamp(updated_at)
    except ValueError:
        raise ValueError(f"annotation {annotation_id}: expected updated_at, found {quoted(updated_at)}") from None
    framed: Any = found if time == updated_at else {**found, "updated_at": time}
    return framed, annotation_id


def _number(task_id: object) -> int:
    return task_id if isinstance(task_id, int) else -1
