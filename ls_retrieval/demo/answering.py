"""The demo's simulated annotators at work: each answers, under an account of its own, what it has not answered yet."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from label_configs.forms import envelope
from label_configs.records import digest
from ls_retrieval.demo.annotators import ANNOTATORS, SimulatedAnnotator
from ls_retrieval.progress import bar
from ls_retrieval.studio import Studio
from store import times
from store.workspace import Workspace

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio

OPEN_SHARE = 0.1
"""Share of the queries that are left for somebody to label by hand."""


def answer(studio: Studio, workspace: Workspace, name: str) -> None:
    """Let every simulated annotator answer the filled tasks of the project of that name."""
    from sync.label_studio import connected

    truth = _truth(workspace)
    project = Workspace(workspace.root).project(name).id
    with connected(studio.url, studio.admin.token) as client:
        tasks = [task for task in _tasks(client, project) if not _left_open(task)]
    accounts = [(one, studio.annotator(one.name)) for one in ANNOTATORS]
    with bar("Simulated annotators answer", len(tasks) * len(accounts)) as advance:
        for annotator, account in accounts:
            with connected(studio.url, account.token) as client:
                user = client.users.whoami().id
                for task in tasks:
                    if user not in task["annotators"]:
                        _submit(client, task, annotator, truth)
                    advance(1)


def _tasks(client: "LabelStudio", project: int) -> list[dict[str, Any]]:
    from sync.tasks import changed_since

    found: dict[int, dict[str, Any]] = {}
    for rows in changed_since(client, project, times.BEGINNING):
        for row in rows:
            if envelope.is_filled(row):
                found[row["id"]] = row | {"annotators": {a["completed_by"] for a in row["annotations"] or []}}
    return [found[task_id] for task_id in sorted(found)]


def _left_open(task: Mapping[str, Any]) -> bool:
    return int(digest("open", task["data"]["query_id"]), 16) / 16**16 < OPEN_SHARE


def _submit(
    client: "LabelStudio", task: Mapping[str, Any], annotator: SimulatedAnnotator, truth: Mapping[tuple[str, str], int]
) -> None:
    from label_configs.forms import graded
    from label_configs.rules import CANT_JUDGE
    from sync.label_studio import ONCE, explained

    query_id, docs = task["data"]["query_id"], task["meta"][envelope.KEY]["docs"]
    shown = [docs[candidate["id"]] for candidate in task["data"]["candidates"]]
    grades = [annotator.grade(truth.get((query_id, doc_id), 0), query_id, doc_id) for doc_id in shown]
    regions = [graded.answer(n, CANT_JUDGE if grade is None else str(grade)) for n, grade in enumerate(grades)]
    with explained(f"answering task {task['id']}"):
        client.annotations.create(id=task["id"], result=regions, lead_time=2.0 * len(regions), request_options=ONCE)


def _truth(workspace: Workspace) -> dict[tuple[str, str], int]:
    lines = (line.split() for line in (workspace.root / "truth.tsv").read_text("utf-8").splitlines())
    return {(query_id, doc_id): int(grade) for query_id, _, doc_id, grade in lines}
