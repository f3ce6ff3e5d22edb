"""Reading a project's tasks page by page, completely even while people go on working in it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sync.label_studio import explained

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio

Row = dict[str, Any]
BEGINNING = "1970-01-01T00:00:00.000000Z"
TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
_LIGHT = "id,data,meta,total_annotations,cancelled_annotations,draft_exists"


def listing(client: "LabelStudio", project: int, *, page_size: int = 500, include: str = _LIGHT) -> Iterator[Row]:
    """All tasks with `data`, `meta` and what `busy` needs, or the fields that are named, in the order of their ids."""
    doing = f"listing the tasks of project {project}"
    for page in _by_id(client, project, doing, [], page_size, include=include):
        yield from page


def one(client: "LabelStudio", project: int, task_id: int) -> Row | None:
    """One task as `listing` gives it, or None where there is none.

    Reading it by its id would make Label Studio ask the ML backend for predictions, in the middle of giving them.
    """
    only = _filter("id", "equal", "Number", task_id)
    rows = _page(client, project, f"reading task {task_id}", [only], "tasks:id", 1, include=_LIGHT)
    return rows[0] if rows else None


def changed_since(client: "LabelStudio", project: int, since: str, *, page_size: int = 100) -> Iterator[list[Row]]:
    """Pages of the tasks whose `updated_at` is `since` or later, oldest change first, annotations included.

    Each page starts where the one before ended instead of counting on, so that a task that changes meanwhile moves to
    the end and none is passed over; where a whole page changed at one time, all of that time are read by their ids. A
    task may come twice.
    """
    doing, later = f"reading the answers of project {project}", "greater_or_equal"
    while True:
        after = _filter("updated_at", later, "Datetime", since)
        rows = _page(client, project, doing, [after], "tasks:updated_at", page_size, fields="all")
        if rows:
            yield rows
        if len(rows) < page_size:
            return
        last, later = str(rows[-1]["updated_at"]), "greater_or_equal"
        if last == since:
            at = [_filter("updated_at", f"{side}_or_equal", "Datetime", since) for side in ("greater", "less")]
            yield from _by_id(client, project, doing, at, page_size, fields="all")
            later = "greater"
        since = last


def busy(task: Row) -> bool:
    """Whether somebody has answered or skipped the task, or is about to."""
    return bool(task["total_annotations"] or task["cancelled_annotations"] or task["draft_exists"])


def _by_id(
    client: "LabelStudio", project: int, doing: str, filters: list[Row], page_size: int, **fields: Any
) -> Iterator[list[Row]]:
    """Pages of the tasks that the filters let through, by their ids: what is deleted or changed shifts no page."""
    after = 0
    while True:
        more = [*filters, _filter("id", "greater", "Number", after)]
        rows = _page(client, project, doing, more, "tasks:id", page_size, **fields)
        if rows:
            yield rows
        if len(rows) < page_size:
            return
        after = rows[-1]["id"]


def _page(
    client: "LabelStudio", project: int, doing: str, filters: list[Row], order: str, size: int, **fields: Any
) -> list[Row]:
    query = json.dumps({"filters": {"conjunction": "and", "items": filters}, "ordering": [order]})
    with explained(doing):
        page: Any = client.tasks.list(project=project, page=1, page_size=size, query=query, **fields)
    return [_row(task) for task in page.items or []]


def _filter(column: str, operator: str, kind: str, value: object) -> Row:
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}


def _row(task: Any) -> Row:
    """A task of the SDK as the fields that are used here."""
    names = ("id", "data", "meta", "annotations", "total_annotations", "cancelled_annotations", "draft_exists")
    return {name: getattr(task, name, None) for name in names} | {"updated_at": _stamp(task.updated_at)}


def _stamp(time: datetime | str | None) -> str | None:
    """A time as the filter takes it, always with fractions of a second: without them Label Studio answers 500."""
    moment = datetime.fromisoformat(time) if isinstance(time, str) else time
    return None if moment is None else moment.astimezone(UTC).strftime(TIME)
