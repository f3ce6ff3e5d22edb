"""Reading a project's tasks page by page, completely even while people go on working in it.

Of a task whose `data` are no object Label Studio shows nothing, nor of any page that it stands on. Such tasks are
broken: they are looked for when a page fails, and left out.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from label_configs.errors import Mendable
from store import times
from sync.patience import ALONE, patiently

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio

Row = dict[str, Any]
_LAST = 2**62
_SURE = 3
"""Times that a task has to fail before it is taken for broken."""
_COUNTED = ("total_annotations", "cancelled_annotations")
_STATE = (*_COUNTED, "draft_exists", "total_predictions")
_NAMES = ("id", "data", "meta", "annotations", *_STATE)
_LIGHT = ",".join(("id", "data", "meta", *_STATE))
_COUNTS = ",".join(("id", *_COUNTED))
_ANSWERED = ("id", "data", "meta", "updated_at", "annotations", "result", "completed_by", "was_cancelled", "lead_time")
_WHOLE: Any = {"fields": "all", "include": ",".join(_ANSWERED), "resolve_uri": False}
"""Tasks and their annotations, of both what is read: all that it can tell takes Label Studio twice as long."""


class _Page(NamedTuple):
    """Tasks, and whether more are there than fitted: an administrator may have set how many do."""

    rows: list[Row]
    more: bool


def listing(
    client: "LabelStudio", project: int, *, after: int = 0, page_size: int = 500, include: str = _LIGHT
) -> Iterator[Row]:
    """All tasks with `data`, `meta` and what `busy` needs, or the fields that are named, in the order of their ids;
    then broken ones, without data.

    after: an id; only tasks beyond it are listed.
    """
    doing, gone = f"listing the tasks of project {project}", list[int]()
    beyond = _filter("id", "greater", "Number", after)
    for page in _by_id(client, project, doing, [beyond], page_size, gone, include=include):
        yield from page
    yield from ({**dict.fromkeys(_NAMES), "id": task_id} for task_id in gone if task_id > after)


def one(client: "LabelStudio", project: int, task_id: int) -> Row | None:
    """One task as `listing` gives it, or None where there is none.

    Reading it by its id would make Label Studio ask the ML backend for predictions, in the middle of giving them.
    """
    only = _filter("id", "equal", "Number", task_id)
    rows = _page(client, project, f"reading task {task_id}", [only], "tasks:id", 1, include=_LIGHT).rows
    return rows[0] if rows else None


def broken(client: "LabelStudio", project: int, *, page_size: int = 500) -> list[int]:
    """The ids of the tasks that Label Studio cannot show."""
    found, after, size = list[int](), 0, page_size

    def shown(after: int, size: int, upto: int = _LAST) -> _Page | None:
        doing = f"looking for broken tasks in project {project}"
        bounds = [_filter("id", "greater", "Number", after), _filter("id", "less_or_equal", "Number", upto)]
        return _shown(client, project, doing, bounds, "tasks:id", size, include="id")

    while True:
        page = shown(after, size)
        if page is not None and not (page.rows and page.more):
            return found
        if page is not None:
            after = page.rows[-1]["id"]
        elif size > 1:
            size //= 2
        else:
            bad = _first(after, partial(shown, after, 1))
            found += [bad] if all(shown(bad - 1, 1, bad) is None for _ in range(_SURE)) else []
            after, size = bad, page_size


def changed_since(client: "LabelStudio", project: int, since: str, *, page_size: int = 200) -> Iterator[list[Row]]:
    """Pages of the tasks whose `updated_at` is `since` or later, oldest change first, annotations included.

    Each page starts where the one before ended instead of counting on, so that a task that changes meanwhile moves to
    the end and none is passed over; where a whole page changed at one time, all of that time are read by their ids. A
    task may come twice.
    """
    doing, later, gone = f"reading the answers of project {project}", "greater_or_equal", list[int]()
    while True:
        after = _filter("updated_at", later, "Datetime", since)
        rows, more = _page(client, project, doing, [after], "tasks:updated_at", page_size, gone, **_WHOLE)
        if rows:
            yield rows
        if not (rows and more):
            return
        last, later = str(rows[-1]["updated_at"]), "greater_or_equal"
        if last == since:
            at = [_filter("updated_at", f"{side}_or_equal", "Datetime", since) for side in ("greater", "less")]
            yield from _by_id(client, project, doing, at, page_size, gone, **_WHOLE)
            later = "greater"
        since = last


def counts(client: "LabelStudio", project: int, *, page_size: int = 2000) -> Iterator[tuple[int, int]]:
    """All tasks, each with how many annotations it has, skipped ones among them."""
    doing = f"counting the answers of project {project}"
    for page in _by_id(client, project, doing, [], page_size, [], include=_COUNTS):
        for row in page:
            yield row["id"], (row["total_annotations"] or 0) + (row["cancelled_annotations"] or 0)


def whole(client: "LabelStudio", project: int, task_ids: Sequence[int], *, page_size: int = 100) -> Iterator[list[Row]]:
    """These tasks as `changed_since` gives them."""
    doing = f"reading the answers of project {project}"
    for start in range(0, len(task_ids), page_size):
        some = _filter("id", "in_list", "Number", list(task_ids[start : start + page_size]))
        yield from _by_id(client, project, doing, [some], page_size, [], **_WHOLE)


def busy(task: Row) -> bool:
    """Whether somebody has answered or skipped the task, or is about to."""
    return bool(task["total_annotations"] or task["cancelled_annotations"] or task["draft_exists"])


def _by_id(
    client: "LabelStudio",
    project: int,
    doing: str,
    filters: list[Row],
    page_size: int,
    gone: list[int],
    **fields: Any,
) -> Iterator[list[Row]]:
    """Pages of the tasks that the filters let through, by their ids: what is deleted or changed shifts no page."""
    after = 0
    while True:
        beyond = [*filters, _filter("id", "greater", "Number", after)]
        rows, more = _page(client, project, doing, beyond, "tasks:id", page_size, gone, **fields)
        if rows:
            yield rows
        if not (rows and more):
            return
        after = rows[-1]["id"]


def _page(
    client: "LabelStudio",
    project: int,
    doing: str,
    filters: list[Row],
    order: str,
    size: int,
    gone: list[int] | None = None,
    **fields: Any,
) -> _Page:
    """A page. gone: broken tasks, which are left out where that may be; those that are found are added to it."""

    def shown() -> _Page | None:
        return _shown(client, project, doing, [*filters, *_without(gone)], order, size, **fields)

    page = shown()
    if page is None and gone is not None:
        gone += [task_id for task_id in broken(client, project) if task_id not in gone]
        page = shown()
        if page is None and not gone:
            return patiently(doing, partial(_asked, client, project, filters, order, size, **fields))
    if page is None:
        raise Mendable(
            f"Label Studio fails while {doing}.",
            why="Somebody has given a task data that are no object.",
            mend=f"Delete it: POST /api/dm/actions?id=delete_tasks&project={project} with "
            '{"selectedItems": {"all": false, "included": [ID]}}. Label Studio answers 500, and does it.',
        )
    return page


def _shown(
    client: "LabelStudio", project: int, doing: str, filters: list[Row], order: str, size: int, **fields: Any
) -> _Page | None:
    """A page, or None where Label Studio fails to show it."""
    from label_studio_sdk.core.api_error import ApiError

    def ask() -> _Page | None:
        try:
            return _asked(client, project, filters, order, size, **fields)
        except ApiError as error:
            if error.status_code == 500:
                return None
            raise

    return patiently(doing, ask)


def _asked(client: "LabelStudio", project: int, filters: list[Row], order: str, size: int, **fields: Any) -> _Page:
    query = json.dumps({"filters": {"conjunction": "and", "items": filters}, "ordering": [order]})
    page: Any = client.tasks.list(project=project, page=1, page_size=size, query=query, request_options=ALONE, **fields)
    rows = [_row(task) for task in page.items or []]
    return _Page(rows, len(rows) < page.response.total)


def _first(after: int, holds: Callable[[int], object | None]) -> int:
    """The smallest id above `after` up to which a page fails. holds: what is shown up to an id, None where it fails."""
    reach = 1
    while holds(after + reach) is not None:
        reach *= 2
    low, high = after + reach // 2, after + reach
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) is not None else (low, middle)
    return high


def _without(gone: Iterable[int] | None) -> list[Row]:
    return [_filter("id", "not_equal", "Number", task_id) for task_id in gone or ()]


def _filter(column: str, operator: str, kind: str, value: object) -> Row:
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}


def _row(task: Any) -> Row:
    """A task of the SDK as the fields that are used here."""
    updated_at = getattr(task, "updated_at", None)
    stamp = None if updated_at is None else times.stamp(updated_at)
    return {name: getattr(task, name, None) for name in _NAMES} | {"updated_at": stamp}
