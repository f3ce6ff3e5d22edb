"""Pull: answers become judgments. Incremental by `updated_at`; data first, bookmark after."""

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from label_configs.errors import Mendable, Unreadable
from label_configs.forms import envelope, form
from label_configs.forms.envelope import Annotation, Filled
from label_configs.records import Judgment
from label_configs.rules import Rules
from store.judgments import Known, Table
from store.mappings import RulesOf
from store.settings import Project
from sync.tasks import BEGINNING, TIME, Row, changed_since

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio

OVERLAP = timedelta(seconds=5)


@dataclass
class Pulled:
    """What a pull read: annotations that are new, edited, deleted or as they were, and what could not be read."""

    new: int = 0
    edited: int = 0
    deleted: int = 0
    unchanged: int = 0
    problems: list[str] = field(default_factory=list)


def pull(
    client: "LabelStudio",
    project: Project,
    table: Table,
    rules_of: RulesOf,
    pseudonym_key: str,
    *,
    page_size: int = 100,
    advance: Callable[[int], None] = lambda done: None,
) -> Pulled:
    """Read what changed since the last pull into the table. Killed at any point, it goes on where data ends.

    rules_of: the rules of a hash, None for one that nobody remembers; each task is read by the rules it was made
    under. The bookmark stays before a task that cannot be read, so that its answers come once the cause is mended.
    """
    known = table.known()
    by_task: dict[int, set[int]] = {}
    for annotation_id, one in known.items():
        by_task.setdefault(one.task_id, set()).add(annotation_id)
    pulled, complete = Pulled(), True
    for rows in changed_since(client, project.id, _since(table.cursor()), page_size=page_size):
        fresh: list[Judgment] = []
        for row in rows:
            complete &= _read(row, project, rules_of, pseudonym_key, known, pulled, fresh)
        table.append(fresh, known)
        for judgment in fresh:
            by_task.setdefault(judgment.task_id, set()).add(judgment.annotation_id)
        gone = [one for row in rows for one in _tombstones(row, by_task.get(row["id"], ()), known, project)]
        table.append(gone, known, deleted=True)
        pulled.deleted += len(gone)
        if complete:
            table.bookmark(str(rows[-1]["updated_at"]))
        advance(len(rows))
    return pulled


def pseudonym(key: str, user: object) -> str:
    """A stable name for an annotator that only the holder of the key can trace: HMAC-SHA256, 12 hex digits."""
    return "a" + hmac.new(key.encode(), str(user).encode(), hashlib.sha256).hexdigest()[:12]


def fingerprint(key: str) -> str:
    """What names the key in a manifest without giving it away."""
    return pseudonym(key, "fingerprint")


def _since(cursor: str | None) -> str:
    """Where to read from: the cursor less an overlap, for changes whose transactions ended late."""
    if cursor is None:
        return BEGINNING
    return (datetime.fromisoformat(cursor) - OVERLAP).strftime(TIME)


def _read(
    row: Row,
    project: Project,
    rules_of: RulesOf,
    pseudonym_key: str,
    known: Mapping[int, Known],
    pulled: Pulled,
    fresh: list[Judgment],
) -> bool:
    """Add the answers of one task to `fresh`; False where the task cannot be read."""
    annotations: Iterable[Annotation] = row["annotations"] or []
    if not annotations:
        return True
    try:
        task = envelope.read(row, project.id)
        rules = _rules(task, rules_of)
        decode = form(task.form).judgments
    except Mendable as error:
        if str(error) not in pulled.problems:
            pulled.problems.append(str(error))
        return False
    for annotation in annotations:
        before = known.get(annotation["id"])
        if before and not before.deleted and before.updated_at == annotation["updated_at"]:
            pulled.unchanged += 1
            continue
        user = _user(annotation.get("completed_by"))
        decoded = decode(task, annotation, rules, pseudonym(pseudonym_key, user))
        pulled.problems += decoded.problems
        fresh += decoded.judgments or [_nothing(task, annotation, pseudonym(pseudonym_key, user))]
        pulled.edited += bool(before)
        pulled.new += not before
    return True


def _rules(task: Filled, rules_of: RulesOf) -> Rules:
    rules = rules_of(task.rules_hash)
    if rules is None:
        raise Unreadable(
            f"project {task.project}, task {task.task_id} was made under the rules {task.rules_hash}, which the "
            "workspace does not hold.",
            mend=f"Put their file back into the workspace, as rules/{task.rules_hash}.yaml.",
        )
    return rules


def _tombstones(row: Row, held: Iterable[int], known: Mapping[int, Known], project: Project) -> list[Judgment]:
    """One row for each annotation of the task that the table holds and Label Studio does not any more."""
    there = {annotation["id"] for annotation in row["annotations"] or []}
    gone = [annotation_id for annotation_id in sorted(held) if annotation_id not in there]
    gone = [annotation_id for annotation_id in gone if not known[annotation_id].deleted]
    return [_tombstone(project, row, annotation_id) for annotation_id in gone]


def _nothing(task: Filled, annotation: Annotation, annotator: str) -> Judgment:
    """An annotation that says nothing is a row too, so that it is known."""
    return envelope.speaker(task, annotation, annotator)(kind="flag", value="empty", doc_id="", position=-1)


def _tombstone(project: Project, row: Row, annotation_id: int) -> Judgment:
    return Judgment(
        kind="flag",
        project=project.id,
        task_id=int(row["id"]),
        annotation_id=annotation_id,
        updated_at=str(row["updated_at"]),
        query_id="",
        doc_id="",
        value="deleted",
        annotator="",
        rules_hash="",
        pool_id="",
        form="",
        round=0,
        position=-1,
    )


def _user(completed_by: object) -> object:
    return completed_by.get("id") if isinstance(completed_by, dict) else completed_by
