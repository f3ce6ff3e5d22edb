"""Live filling: a bare query that somebody imported into Label Studio gets its candidates.

Only a task without annotation or draft is touched: Label Studio replaces `data` whole, without a check, and whoever
is answering saves the stale task over it. What was written is read back.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from label_configs.errors import Mendable
from label_configs.forms.envelope import is_filled
from label_configs.records import Pool, Query
from store.corpus import bare_query_id
from sync.label_studio import ONCE, explained
from sync.present import Presenter
from sync.tasks import Row, busy, listing, one

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio

Propose = Callable[[Query], Pool]
"""A query to its pool, in display order."""
_TRIES = 3


def fill(client: "LabelStudio", presenter: Presenter, task_id: int, propose: Propose) -> Row | None:
    """Write the first screen into one bare task and return it as it stands; None where it must not be touched."""
    project = presenter.project.id
    task = one(client, project, task_id)
    if task is None or is_filled(task):
        return task
    query = bare_query(task, presenter)
    if query is None or busy(task):
        return None
    filled = presenter.screens(propose(query), query)[0]
    data, meta = {**task["data"], **filled["data"]}, {**(task["meta"] or {}), **filled["meta"]}
    for _ in range(_TRIES):
        task = one(client, project, task_id)
        if task is None or busy(task):
            return None
        if is_filled(task) and task["meta"] != meta:  # another backend was faster
            return task
        with explained(f"filling task {task_id}"):
            client.tasks.update(str(task_id), data=data, meta=meta)
        task = one(client, project, task_id)
        if task is None or (task["data"] == data and task["meta"] == meta):
            return task
    raise Mendable(f"Task {task_id} does not keep its candidates.", mend="Close it in the browser and try again.")


def keep_prediction(client: "LabelStudio", task_id: int, prediction: Mapping[str, Any]) -> None:
    """Store one prediction. Label Studio's bulk import drops those of a Repeater, and says nothing."""
    with explained(f"storing the prediction of task {task_id}"):
        client.predictions.create(task=task_id, request_options=ONCE, **prediction)


class Bare(NamedTuple):
    """Tasks to be filled, each with its query or, where Label Studio cannot show it, without; and the last id seen."""

    queries: dict[int, Query | None]
    last: int


def bare_tasks(client: "LabelStudio", presenter: Presenter, *, after: int = 0) -> Bare:
    """A project's tasks with a query, without candidates, that nobody works on; those whose ids are beyond `after`."""
    found: dict[int, Query | None] = {}
    last = after
    for task in listing(client, presenter.project.id, after=after):
        last = max(last, task["id"])
        if task["data"] is None:
            found[task["id"]] = None
        elif not is_filled(task) and not busy(task) and (query := bare_query(task, presenter)):
            found[task["id"]] = query
    return Bare(found, last)


def bare_query(task: Row, presenter: Presenter) -> Query | None:
    """The query of a bare task, with what is known of it; None where the task says nothing.

    An id that is known for another query is not believed.
    """
    data: Any = task["data"]
    content = _text(data.get("query")) if isinstance(data, dict) else ""
    if not content:
        return None
    query_id = _text(data.get("query_id")) or bare_query_id(content)
    known = presenter.queries.get(query_id)
    if known is not None and known.content == content:
        return known
    if known is not None:
        query_id = bare_query_id(content)
    if presenter.project.query == "text":
        return Query(query_id=query_id, text=content)
    return Query(query_id=query_id, modality=presenter.project.query, uri=content)


def _text(found: object) -> str:
    """What a column of a CSV says: Label Studio makes numbers of what looks like them, 7.0 of 7 beside a blank."""
    if isinstance(found, float) and found.is_integer():
        return str(int(found))
    return "" if isinstance(found, bool) or not isinstance(found, str | int | float) else str(found).strip()
