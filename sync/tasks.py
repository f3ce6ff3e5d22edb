"""Reading a project's tasks page by page, completely even while people go on working in it."""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from store import times
from sync.patience import ALONE, patiently

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio

Row = dict[str, Any]
_COUNTS = "id,total_annotations,cancelled_annotations"
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


def counts(client: "LabelStudio", project: int, *, page_size: int = 2000) -> Iterator[tuple[int, int]]:
    """All tasks, each with how many annotations it has, skipped ones among them."""
    doing = f"counting the answers of project {project}"
    for page in _by_id(client, project, doing, [], page_size, include=_COUNTS):
        for row in page:
            yield row["id"], (row["total_annotations"] or 0) + (row["cancelled_annotations"] or 0)


def whole(client: "LabelStudio", project: int, task_ids: Sequence[int], *, page_size: int = 100) -> Iterator[list[Row]]:
    """These tasks as `changed_since` gives them."""
    doing = f"reading the answers of project {project}"
    for start in range(0, len(task_ids), page_size):
        some = _filter("id", "in_list", "Number", list(task_ids[start : start + page_size]))
        yield _page(client, project, doing, [some], "tasks:id", page_size, fields="all")


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

    def ask() -> list[Any]:
        page: Any = client.tasks.list(
            project=project, page=1, page_size=size, query=query, request_options=ALONE, **fields
        )
        return page.items or []

    return [_row(task) for task in patiently(doing, ask)]


def _filter(column: str, operator: str, kind: str, value: object) -> Row:
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}


def _row(task: Any) -> Row:
    """A task of the SDK as the fields that are used here."""
    names = ("id", "data", "meta", "annotations", "total_annotations", "cancelled_annotations", "draft_exists")
    updated_at = getattr(task, "updated_at", None)
    stamp = None if updated_at is None else times.stamp(updated_at)
    return {name: getattr(task, name, None) for name in names} | {"updated_at": stamp}
