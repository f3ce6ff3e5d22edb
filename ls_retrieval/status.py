"""Where a project stands: from the workspace's files, and from Label Studio where it answers. One page."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING, TypedDict

from label_configs.errors import Mendable
from label_configs.forms.envelope import KEY, is_filled
from label_configs.records import Judgment
from ls_retrieval import compose
from store import pools
from store.judgments import Table
from store.settings import Project
from store.workspace import Workspace
from sync import projects
from sync.tasks import listing

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio

_COUNTS = "id,meta,total_annotations,cancelled_annotations,draft_exists"


class Tasks(TypedDict):
    """What Label Studio holds. bare: without candidates; answered: at least once; complete: as often as wanted.

    given: answers, of the `wanted` that all tasks together need; skipped, drafts: tasks that somebody skipped or began.
    earlier: made under other rules than the present ones.
    """

    pushed: int
    bare: int
    earlier: int
    answered: int
    complete: int
    skipped: int
    drafts: int
    given: int
    wanted: int


class Annotator(TypedDict):
    """What one annotator has done, as far as it was pulled. seconds: median time for a judgment, where it is known."""

    answers: int
    judgments: int
    seconds: float | None


class Status(TypedDict):
    """Where a project stands. tasks: none where Label Studio was not asked, or did not answer: `unasked` says why.

    pulled: time up to which its changes were read. indexes: encoder to version. next: what to do now.
    """

    project: str
    id: int
    form: str
    query: str
    candidates: str
    mode: str
    votes: int
    queries: int
    pools: int
    tasks: Tasks | None
    unasked: str
    answers: int
    judgments: int
    annotators: dict[str, Annotator]
    pulled: str | None
    indexes: dict[str, str]
    next: str


def status(workspace: Workspace, name: str) -> Status:
    """All of it. What cannot be read is as if it were not there yet, and `next` says what is missing first."""
    project, settings = workspace.project(name), workspace.settings
    (queries, made), unread = _read(workspace, project)
    table = Table(workspace.judgments / str(project.id))
    standing = table.current()
    tasks, unasked = _asked(project, workspace.rules.hash)
    found = Status(
        project=name,
        id=project.id,
        form=project.form,
        query=project.query,
        candidates=project.candidates,
        mode=project.mode,
        votes=project.votes,
        queries=queries,
        pools=made,
        tasks=tasks,
        unasked=unasked,
        answers=len({j.annotation_id for j in standing}),
        judgments=sum(j.kind != "flag" for j in standing),
        annotators=_annotators(standing),
        pulled=table.cursor(),
        indexes=_indexes(workspace, list(settings.encoders)),
        next="",
    )
    return {**found, "next": unread or _next(found, f"--workspace {workspace.root} --project {name}")}


def _read(workspace: Workspace, project: Project) -> tuple[tuple[int, int], str]:
    """How many queries the project has and how many of them have a pool; or none, and why they cannot be read."""
    try:
        items, queries = workspace.read_items().records, workspace.read_queries().records
    except Mendable as error:
        return (0, 0), error.line
    fits = pools.fitting(project, queries, items)
    made = {pool.query_id for pool in pools.each(workspace.pools_of(project)) if fits.owns(pool)}
    return (len(fits.asked), len(made & fits.asked)), ""


def _asked(project: Project, rules_hash: str) -> tuple[Tasks | None, str]:
    try:
        with compose.label_studio() as client:
            projects.there(client, project)
            return _tasks(client, project, rules_hash), ""
    except Mendable as error:
        return None, error.line


def _tasks(client: "LabelStudio", project: Project, rules_hash: str) -> Tasks:
    counts = Counter[str]()
    for task in listing(client, project.id, include=_COUNTS):
        answers = task["total_annotations"] or 0
        counts["pushed" if is_filled(task) else "bare"] += 1
        counts["earlier"] += is_filled(task) and task["meta"][KEY].get("rules_hash") != rules_hash
        counts["answered"] += answers > 0
        counts["complete"] += answers >= project.votes
        counts["skipped"] += bool(task["cancelled_annotations"])
        counts["drafts"] += bool(task["draft_exists"])
        counts["given"] += answers
        counts["wanted"] += project.votes
    return Tasks(
        pushed=counts["pushed"],
        bare=counts["bare"],
        earlier=counts["earlier"],
        answered=counts["answered"],
        complete=counts["complete"],
        skipped=counts["skipped"],
        drafts=counts["drafts"],
        given=counts["given"],
        wanted=counts["wanted"],
    )


def _annotators(judgments: Sequence[Judgment]) -> dict[str, Annotator]:
    """By pseudonym, who has done most first. The time of an answer is shared among the judgments it holds."""
    size = Counter(j.annotation_id for j in judgments)
    found = {}
    for who, _ in Counter(j.annotator for j in judgments).most_common():
        own = [j for j in judgments if j.annotator == who]
        times = [j.lead_time / size[j.annotation_id] for j in own if j.lead_time]
        given = sum(j.kind != "flag" for j in own)
        seconds = round(median(times), 1) if times else None
        found[who] = Annotator(answers=len({j.annotation_id for j in own}), judgments=given, seconds=seconds)
    return found


def _indexes(workspace: Workspace, encoders: Sequence[str]) -> dict[str, str]:
    from ml_backend import index

    built = index.current(workspace.index)
    return {name: built[name]["version"] for name in encoders if name in built}


def _next(found: Status, where: str) -> str:
    """The first thing that keeps the project from being done."""
    steps: Mapping[str, bool] = {
        f"Put queries into the workspace that are {found['query']}.": not found["queries"],
        f"ls-retrieval index {where.partition(' --project')[0]}": not found["indexes"] and not found["pools"],
        f"ls-retrieval pool {where}": not found["pools"],
        f"Make Label Studio answer: {found['unasked']}": found["tasks"] is None,
    }
    for step, is_due in steps.items():
        if is_due:
            return step
    return _next_task(found, found["tasks"], where) if found["tasks"] else ""


def _next_task(found: Status, tasks: Tasks, where: str) -> str:
    if not tasks["pushed"]:
        return f"ls-retrieval push {where}"
    if tasks["bare"]:
        return f"{tasks['bare']} tasks wait for candidates: ls-retrieval serve --workspace …, and init --backend URL"
    if tasks["earlier"] and tasks["complete"] < tasks["pushed"]:
        return f"ls-retrieval push {where}: the rules have changed, and open tasks are made anew under the present ones"
    if tasks["complete"] < tasks["pushed"]:
        left = tasks["pushed"] - tasks["complete"]
        return f"People label: {left} tasks want more answers"
    if found["answers"] < tasks["given"]:
        return f"ls-retrieval pull {where}"
    if found["pools"] < found["queries"]:
        return f"ls-retrieval pool {where}, then push: {found['queries'] - found['pools']} queries have no pool"
    return f"ls-retrieval sync {where} --to BUCKET"
