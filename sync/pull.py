"""Pull: answers become judgments. Incremental by `updated_at`; data first, bookmark after."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from label_configs.errors import Mendable
from store import files, forgotten, times
from store.judgments import Table, Writer
from store.mappings import RulesOf
from store.settings import Project
from store.times import BEGINNING, END, TIME
from sync import tasks
from sync.patience import ALONE, patiently
from sync.reading import Pulled, Reader
from sync.tasks import Row, changed_since

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio

__all__ = ["Pulled", "fingerprint", "first", "pseudonym", "pull", "reader"]

OVERLAP = timedelta(seconds=5)
_COUNTS: Any = {
    **ALONE,
    "additional_query_parameters": {
        "include": "task_number,total_annotations_number,skipped_annotations_number",
    },
}
"""Of what Label Studio counts in a project only this: each number is a look at all of its tasks."""
_FINGERPRINT = "pseudonym-key.fingerprint"
"""Beside the tables of all projects: who made the pseudonyms in them."""


def pull(
    client: "LabelStudio",
    project: Project,
    table: Table,
    rules_of: RulesOf,
    pseudonym_key: str,
    *,
    page_size: int = 200,
    advance: Callable[[int], None] = lambda done: None,
) -> Pulled:
    """Read what changed since the last pull into the table. Killed at any point, it goes on where data ends.

    rules_of: the rules of a hash, None for one that nobody remembers; each task is read by the rules it was made
    under. The bookmark stays before a task that cannot be read, so that its answers come once the cause is mended.
    Where it is ahead of Label Studio's clock, that was set back: what changed since bears times that were read already,
    so everything is read.
    """
    with table.writing() as writer:
        reading = reader(project, table, writer, rules_of, pseudonym_key)
        held, complete, reached = by_task(writer), True, table.cursor() or BEGINNING
        for rows in changed_since(client, project.id, _since(table), page_size=page_size):
            read = [_task(reading, row, held) for row in rows]
            complete, reached = complete and all(read), str(rows[-1]["updated_at"])
            if complete:
                writer.bookmark(reached)
            advance(len(rows))
        there = _counted(client, project.id)
        ahead = reached > there.clock
        if ahead:
            for rows in changed_since(client, project.id, BEGINNING, page_size=page_size):
                read = [_task(reading, row, held) for row in rows]
                complete = complete and all(read)
            if complete:
                writer.bookmark(there.clock)
        _reconcile(client, reading, held, there.annotations)
        found = reading.done()
        if complete and not (ahead or found.new or found.edited or found.deleted):
            table.settle()
        return found


def first(client: "LabelStudio", project: Project, table: Table) -> int | None:
    """How many tasks the first pull will read; None for a later one, of which nobody knows."""
    if table.cursor() is not None:
        return None
    return _counted(client, project.id).tasks


def reader(
    project: Project, table: Table, writer: Writer, rules_of: RulesOf, pseudonym_key: str, *, newer: bool = False
) -> Reader:
    """What reads tasks into a table, from wherever they come; see Reader. Raises Mendable for another key than the
    one that the workspace's answers were read with.
    """
    _same_key(table.folder.parent / _FINGERPRINT, pseudonym_key)
    denied = forgotten.load(table.folder.parent, pseudonym_key)
    return Reader(project, rules_of, cache(partial(pseudonym, pseudonym_key)), denied, writer, newer=newer)


def pseudonym(key: str, user: object) -> str:
    """A stable name for an annotator that only the holder of the key can trace: HMAC-SHA256, 12 hex digits."""
    return "a" + hmac.new(key.encode(), str(user).encode(), hashlib.sha256).hexdigest()[:12]


def fingerprint(key: str) -> str:
    """What names the key in a manifest without giving it away."""
    return pseudonym(key, "fingerprint")


def _same_key(kept: Path, key: str) -> None:
    """Whether the key is the one whose fingerprint is kept; kept is that of the first."""
    if not kept.exists():
        files.write(kept, fingerprint(key) + "\n")
    elif kept.read_text("utf-8").strip() != fingerprint(key):
        raise Mendable(
            f"The pseudonym key is not the one that the answers in {kept.parent} were read with.",
            why="Their annotators would get new names, and one person would count as two.",
            mend="Give every command and service of the workspace the same LSR_PSEUDONYM_KEY or pseudonym.key; or, to "
            f"begin anew, delete {kept.parent} and pull again: what was forgotten is then no longer known.",
        )


def _since(table: Table) -> str:
    """Where to read from: the cursor less an overlap, for changes whose transactions ended late."""
    cursor = table.cursor()
    if cursor is None:
        return BEGINNING
    if table.settled:
        return times.after(cursor)
    return (datetime.fromisoformat(cursor) - OVERLAP).strftime(TIME)


def by_task(writer: Writer) -> dict[int, set[int]]:
    """The annotations of each task that Label Studio has, as far as the table knows."""
    held: dict[int, set[int]] = {}
    for annotation_id, known in writer.known.items():
        if known.there:
            held.setdefault(known.task_id, set()).add(annotation_id)
    return held


def _task(reading: Reader, row: Row, held: dict[int, set[int]]) -> bool:
    """Read one task, and mark what is gone of it; False where it cannot be read."""
    read = reading.task(row)
    there = {annotation["id"] for annotation in row["annotations"] or []}
    reading.gone(row["id"], there, held.get(row["id"], ()), str(row["updated_at"]))
    held[row["id"]] = there if read else there & held.get(row["id"], set())
    return read


class _Counted(NamedTuple):
    """Tasks of a project, annotations, skipped ones among them, and the time after which nothing bears a time yet."""

    tasks: int
    annotations: int
    clock: str


def _counted(client: "LabelStudio", project: int) -> _Counted:
    """What Label Studio counts."""
    doing = f"counting the answers of project {project}"
    answer = patiently(doing, lambda: client.projects.with_raw_response.get(project, request_options=_COUNTS))
    found = answer.data
    annotations = (found.total_annotations_number or 0) + (found.skipped_annotations_number or 0)
    return _Counted(found.task_number or 0, annotations, _clock(answer.headers))


def _clock(headers: Mapping[str, str]) -> str:
    """Label Studio's clock, and the overlap, since it is told in whole seconds; the end of time where it is not."""
    try:
        return times.stamp(parsedate_to_datetime(headers.get("date", "")) + OVERLAP)
    except (ValueError, OverflowError):
        return END


def _reconcile(client: "LabelStudio", reading: Reader, held: dict[int, set[int]], annotations: int) -> None:
    """Find what no time of change tells: tasks that were deleted, and whatever was changed behind its back.

    Costs nothing while the table holds as many annotations as Label Studio counts; else the counts of all tasks are
    listed, and the tasks that differ are read.
    """
    expected = {task_id: len(there) for task_id, there in held.items() if there} | reading.unread
    if sum(expected.values()) == annotations:
        return
    counted = dict(tasks.counts(client, reading.project.id))
    for task_id in sorted(expected.keys() - counted.keys()):
        reading.gone(task_id, (), held.get(task_id, ()), times.now())
    other = sorted(task_id for task_id, number in counted.items() if number != expected.get(task_id, 0))
    for rows in tasks.whole(client, reading.project.id, other):
        for row in rows:
            _task(reading, row, held)
