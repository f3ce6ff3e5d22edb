"""Push: pools become tasks with predictions, once per (project, query_id, form, round)."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from label_configs.errors import Mendable
from label_configs.forms import envelope
from label_configs.forms.envelope import KEY, Task, is_filled
from store.settings import Project
from sync.label_studio import post
from sync.patience import ALONE, patiently
from sync.tasks import Row, busy, listing

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio

_CHUNK = 200
Key = tuple[str, str, int, int]
"""query_id, form, round, part: what a task is known by."""


class Pushed(NamedTuple):
    """Tasks made now, tasks that were there already, and tasks removed that nobody worked on.

    Removed are doubles that a cut-off push had left, and tasks of rules that have changed since.
    """

    made: int
    there: int
    removed: int


def push(
    client: "LabelStudio",
    project: Project,
    tasks: Sequence[Task],
    *,
    dry_run: bool = False,
    advance: Callable[[int], None] = lambda done: None,
) -> Pushed:
    """Import the tasks that the project does not hold. Killed at any point, it is run again and doubles nothing."""
    rules_hash = tasks[0]["meta"][KEY]["rules_hash"] if tasks else None
    present, removed = _present(client, project, rules_hash)
    fresh = [task for task in tasks if _key(task) not in present]
    if not dry_run:
        _delete(client, removed)
        advance(len(tasks) - len(fresh))
        _import_all(client, project, fresh, advance)
    return Pushed(len(fresh), len(tasks) - len(fresh), len(removed))


def _import_all(client: "LabelStudio", project: Project, tasks: Sequence[Task], advance: Callable[[int], None]) -> None:
    """Import tasks in chunks, each with a patience of its own, however long the push takes."""
    for start in range(0, len(tasks), _CHUNK):
        chunk = tasks[start : start + _CHUNK]
        patiently("importing tasks", _sender(client, project, chunk))
        advance(len(chunk))


def _sender(client: "LabelStudio", project: Project, chunk: Sequence[Task]) -> Callable[[], None]:
    """What imports a chunk. A request that was lost may have been heard: what arrived is asked for before it is sent
    again, and what arrived twice is removed.
    """
    left, lost = list(chunk), False

    def send() -> None:
        nonlocal left, lost
        if lost:
            present, doubled = _present(client, project, None)
            _delete(client, doubled)
            left = [task for task in left if _key(task) not in present]
        lost = True
        if left:
            _import(client, project, left)

    return send


def _import(client: "LabelStudio", project: Project, chunk: list[Task]) -> None:
    answer = post(client, f"api/projects/{project.id}/import", chunk)
    predictions = sum(len(task["predictions"]) for task in chunk)
    there, predicted = answer.get("task_count"), answer.get("prediction_count")
    if (there, predicted) != (len(chunk), predictions):
        raise Mendable(
            f"Of {len(chunk)} tasks with {predictions} predictions Label Studio took {there} with {predicted}.",
            mend="Run push again: what is there is not pushed twice.",
        )


def _key(task: Mapping[str, Any]) -> Key:
    meta = task["meta"][KEY]
    return str(task["data"]["query_id"]), str(meta["form"]), int(meta["round"]), int(meta["part"])


def _present(client: "LabelStudio", project: Project, rules_hash: str | None) -> tuple[set[Key], list[int]]:
    """Keys of the tasks that stay, and the ids of those to remove: doubled or of other rules, and not worked on."""
    kept: dict[Key, Row] = {}
    removed = []
    for task in filter(is_filled, listing(client, project.id)):
        there = envelope.read(task, project.id)
        key = there.query_id, there.form, there.round, there.part
        if rules_hash not in (None, there.rules_hash) and not busy(task):
            removed.append(int(task["id"]))
            continue
        first = kept.setdefault(key, task)
        if first is not task:
            spare = next((t for t in (task, first) if not busy(t)), None)
            if spare is not None:
                removed.append(int(spare["id"]))
                kept[key] = first if spare is task else task
    return set(kept), removed


def _delete(client: "LabelStudio", task_ids: list[int]) -> None:
    """Delete tasks; one that is gone already, by a request whose answer was lost, is as good as deleted."""
    from label_studio_sdk.core.api_error import ApiError

    def delete(task_id: int) -> None:
        try:
            client.tasks.delete(str(task_id), request_options=ALONE)
        except ApiError as error:
            if error.status_code != 404:
                raise

    for task_id in task_ids:
        patiently("removing tasks that nobody works on", partial(delete, task_id))
