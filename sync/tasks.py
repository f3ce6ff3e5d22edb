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
_LIGHT = "id,data,meta,total_annotations,draft_exists"


def listing(client: "LabelStudio", project: int, *, page_size: int = 500) -> Iterator[Row]:
    """All tasks with `data`, `meta` and the number of annotations, in the order of their ids."""
    number = 1
    while True:
        with explained(f"listing the tasks of project {project}"):
            page: Any = client.tasks.list(
                project=project,
                page=number,
                page_size=page_size,
                include=_LIGHT,
                query=json.dumps({"ordering": ["tasks:id"]}),
            )
        items = list(page.items or [])
        yield from (_row(task) for task in items)
        if len(items) < page_size:
            return
        number += 1


def changed_since(client: "LabelStudio", project: int, since: str, *, page_size: int = 100) -> Iterator[list[Row]]:
    """Pages of the tasks whose `updated_at` is `since` or later, oldest change first, annotations included.

    Each page starts where the one before ended instead of counting on, so that a task that changes meanwhile moves to
    the end and none is passed over; only where a whole page changed at one time are pages counted. A task may come
    twice.
    """
    number = 1
    while True:
        with explained(f"reading the answers of project {project}"):
            page: Any = client.tasks.list(
                project=project, page=number, page_size=page_size, fields="all", query=_query(since)
            )
        rows = [_row(task) for task in page.items or []]
        if rows:
            yield rows
        if len(rows) < page_size:
            return
        last = str(rows[-1]["updated_at"])
        number = number + 1 if last == since else 1
        since = last


def _query(since: str) -> str:
    after = {
        "filter": "filter:tasks:updated_at",
        "operator": "greater_or_equal",
        "type": "Datetime",
        "value": since,
    }
    return json.dumps({"filters": {"conjunction": "and", "items": [after]}, "ordering": ["tasks:updated_at"]})


def _row(task: Any) -> Row:
    names = ("id", "data", "meta", "annotations", "total_annotations", "draft_exists")
    return {name: getattr(task, name, None) for name in names} | {"updated_at": _stamp(task.updated_at)}


def _stamp(time: datetime | str | None) -> str | None:
    """A time as the filter takes it, always with fractions of a second: without them Label Studio answers 500."""
    moment = datetime.fromisoformat(time) if isinstance(time, str) else time
    return None if moment is None else moment.astimezone(UTC).strftime(TIME)
