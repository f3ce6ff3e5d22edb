"""Answers from a JSON export of Label Studio, for those whose API cannot be reached.

An export says less than the API: it may be old, and may leave out tasks and annotations. So what the table holds in a
later state stays as it is, and an annotation counts as deleted only where its task says how many it has, and lists all.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from label_configs.errors import Unreadable, quoted
from store import json_array, times
from store.judgments import Table
from store.mappings import RulesOf
from store.settings import Project
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
) -> Pulled:
    """Read an export into the table, a stretch at a time. Raises Unreadable for what is no such export, or another's.

    It may be read again, after a crash or any number of times: what is there is not doubled. The bookmark of the API
    stays where it is. advance: is told how many tasks were read.
    """
    _check(path)
    with table.writing() as writer:
        reading = reader(project, table, writer, rules_of, pseudonym_key, newer=True)
        held, number = by_task(writer), 0
        for tasks in json_array.read(path):
            for raw in tasks:
                number += 1
                try:
                    _task(reading, _row(raw, project, path), held)
                except _Odd as error:
                    reading.pulled.problem(f"{path.name}, task no. {number}: {error}")
            advance(len(tasks))
        return reading.pulled


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


def _row(raw: msgspec.Raw, project: Project, path: Path) -> dict[str, Any]:
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


def _task(reading: Reader, row: Mapping[str, Any], held: Mapping[int, set[int]]) -> None:
    """Read one task, and mark what is gone of it, where it says that much."""
    reading.task(row)
    task_id, annotations = row.get("id"), row.get("annotations") or []
    if type(task_id) is not int or task_id not in held or not isinstance(annotations, list):
        return
    counted = [row.get(name) for name in ("total_annotations", "cancelled_annotations")]
    there: list[Any] = [one.get("id") for one in annotations if isinstance(one, dict)]
    if all(isinstance(n, int) for n in counted) and sum(n for n in counted if n) == len(there):
        reading.gone(task_id, there, held[task_id], _seen(row))


def _seen(row: Mapping[str, Any]) -> str:
    try:
        return times.stamp(str(row.get("updated_at")))
    except ValueError:
        return times.BEGINNING
