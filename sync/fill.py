"""Live filling: a bare query that somebody imported into Label Studio gets its candidates.

Only a task without annotation or draft is touched: Label Studio replaces `data` whole, without a check, and whoever
is answering saves the stale task over it. What was written is read back.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from label_configs.errors import Mendable
from label_configs.forms.envelope import is_filled
from label_configs.records import Pool, Query
from store.corpus import bare_query_id
from sync.label_studio import explained
from sync.present import Presenter
from sync.tasks import Row, busy, listing, one

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio

Propose = Callable[[Query], Pool]
_TRIES = 3


def fill(client: "LabelStudio", presenter: Presenter, task_id: int, propose: Propose) -> Row | None:
    """Write candidates into one bare task and return it as it stands; None where it must not be touched."""
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
        with explained(f"filling task {task_id}"):
            client.tasks.update(str(task_id), data=data, meta=meta)
        task = one(client, project, task_id)
        if task is None or (task["data"] == data and task["meta"] == meta):
            return task
    raise Mendable(f"Task {task_id} does not keep its candidates.", mend="Close it in the browser and try again.")


def bare_tasks(client: "LabelStudio", presenter: Presenter) -> list[int]:
    """Ids of a project's tasks that can be filled: those with a query, without candidates, that nobody works on."""
    return [
        int(task["id"])
        for task in listing(client, presenter.project.id)
        if not is_filled(task) and not busy(task) and bare_query(task, presenter)
    ]


def bare_query(task: Row, presenter: Presenter) -> Query | None:
    """The query of a bare task, with what is known of it; None where the task says nothing."""
    data: Any = task["data"]
    content = data.get("query") if isinstance(data, dict) else None
    if not isinstance(content, str) or not content.strip():
        return None
    query_id = str(data.get("query_id") or bare_query_id(content))
    known = presenter.queries.get(query_id)
    if known is not None and known.content == content.strip():
        return known
    if presenter.project.query == "text":
        return Query(query_id=query_id, text=content.strip())
    return Query(query_id=query_id, modality=presenter.project.query, uri=content.strip())
