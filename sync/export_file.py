"""Answers from a JSON export of Label Studio, for those whose API cannot be reached.

An export says less than the API: it may be old, and may leave out tasks and annotations. So what the table holds in a
later state stays as it is, and an annotation counts as deleted only where its task says how many it has, and lists all.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from label_configs.errors import Unreadable, quoted
from store import json_array, times
from store.judgments import Table
from store.mappings import RulesOf
from store.settings import Project
from sync import crew
from sync.bulk import Left, Told
from sync.pull import by_task, reader
from sync.reading import Pulled, Reader

_MIN = {"annotation_id", "annotator"}
"""Fields of a task in JSON_MIN, which JSON does not have."""
_AGAIN = 'Export the project as "JSON".'


def pull(
    path: Path,
    project: Project,
    table: Table,
    rules_of: RulesOf,
    pseudonym_key: str,
    *,
    advance: Callable[[int], None] = lambda done: None,
    helpers: int | None = None,
) -> Pulled:
    """Read an export into the table, a stretch at a time. Raises Unreadable for what is no such export, or another's.

    helpers: how many other processes read along; as the machine and the file allow without it.
    It may be read again, after a crash or any number of times: what is there is not doubled. The bookmark of the API
    stays where it is. advance: is told how many tasks were read.
    """
    _check(path)
    with table.writing() as writer:
        reading = reader(project, table, writer, rules_of, pseudonym_key, newer=True)
        held, end = by_task(writer), 0
        export = _Export(path, reading, held)
        for told in _many(path, reading, bool(held), helpers):
            export.told(told)
            end = told.end
            advance(told.count)
        for tasks in json_array.read(path, start=end) if end <= path.stat().st_size else ():
            for raw in tasks:
                export.task(raw)
            advance(len(tasks))
        return reading.done()


def _many(path: Path, reading: Reader, held: bool, helpers: int | None) -> Iterator[Told]:
    """What can be read many at a time, in the order of the file, up to where that ends.

    Where something was erased each judgment is looked at by itself.
    """
    if reading.forgotten.annotators or reading.forgotten.items:
        return iter(())
    return crew.told(path, reading.project.id, reading.rules_of, held, helpers)


class _Export:
    """Takes what one file says into the table. held: the annotations of each task, as the table had them before."""

    def __init__(self, path: Path, reading: Reader, held: Mapping[int, set[int]]) -> None:
        self._path, self._reading, self._held = path, reading, held
        self._number = 0

    def task(self, raw: bytes | msgspec.Raw) -> None:
        """Take one task, and mark what is gone of it, where it says that much."""
        self._number += 1
        try:
            row = _row(raw, self._reading.project, self._path)
        except _Odd as error:
            self._reading.pulled.problem(f"{self._path.name}, task no. {self._number}: {error}")
            return
        self._reading.task(row)
        task_id, annotations = row.get("id"), row.get("annotations") or []
        if type(task_id) is not int or task_id not in self._held or not isinstance(annotations, list):
            return
        counted = [row.get(name) for name in ("total_annotations", "cancelled_annotations")]
        there: list[Any] = [one.get("id") for one in annotations if isinstance(one, dict)]
        if all(isinstance(n, int) for n in counted) and sum(n for n in counted if n) == len(there):
            ids = [one for one in there if type(one) is int]
            self._reading.gone(task_id, ids, self._held[task_id], _seen(row.get("updated_at")))

    def told(self, told: Told) -> None:
        """Take many tasks; what was left of them in its place."""
        before, done = self._number, 0
        ids = told.batch.heads["annotation_id"].to_pylist() if told.batch and self._held else []
        for one in told.tasks:
            if isinstance(one, Left):
                done = self._until(told, done, one.before)
                self._number = before + one.place
                self.task(one.content)
            elif one.listed and self._held.get(one.task_id, set()) - set(there := ids[one.first : one.end]):
                done = self._until(told, done, one.end)
                self._reading.gone(one.task_id, there, self._held[one.task_id], _seen(one.updated_at))
        self._until(told, done, len(told.batch) if told.batch else 0)
        self._number = before + told.count

    def _until(self, told: Told, done: int, end: int) -> int:
        """Take the annotations of a batch up to `end`."""
        if told.batch and end > done:
            self._reading.batch(told.batch.slice(done, end))
        return end


def _check(path: Path) -> None:
    """Raise Unreadable for what begins like no export as JSON."""
    try:
        with path.open("rb") as file:
            begin = file.read(1_000).removeprefix(b"\xef\xbb\xbf").lstrip()
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}.") from error
    if not begin.startswith((b"[", b"{")):
        raise Unreadable(
            f"{path} is no export as JSON; it looks like CSV.",
            why="CSV drops the answers of repeated controls, such as the grades of all cards.",
            mend=_AGAIN,
        )


class _Odd(Exception):
    """One element of the export that is no task."""


def _row(raw: bytes | msgspec.Raw, project: Project, path: Path) -> dict[str, Any]:
    try:
        row = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise _Odd(str(error)) from error
    if not isinstance(row, dict):
        raise _Odd(f"expected a task, found {quoted(row)}")
    if "annotations" not in row and _MIN & row.keys():
        raise Unreadable(
            f"{path} is an export as JSON_MIN.",
            why="That drops the answers of repeated controls, such as the grades of all cards.",
            mend=_AGAIN,
        )
    if row.get("project", project.id) != project.id:
        raise Unreadable(
            f"{path} is of the project {quoted(row['project'])}, and this is project {project.id}.",
            mend="Name the project that it is of: --project NAME.",
        )
    return row


def _seen(updated_at: object) -> str:
    try:
        return times.stamp(str(updated_at))
    except ValueError:
        return times.BEGINNING
