"""The commands that look after judgments: gold, qualification, adjudication, repeats."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from label_configs.errors import Mendable
from label_configs.records import Pool
from ls_retrieval import admin, compose, flow
from ls_retrieval.progress import say
from store import gold, pools
from store.gold import Gold
from store.judgments import Table
from store.settings import Project, Purpose
from store.workspace import Workspace
from sync import adjudication, asking, qualification, repeats, views
from sync import forget as naming
from sync import recheck as rechecking
from sync.dataset import load
from sync.gold.annotators import Annotator, annotators
from sync.gold.choice import promoted
from sync.push import Pushed
from sync.qualification import Qualification

MANY = 1000
"""Annotations wanted of each task of a qualification: everybody's."""


class Measured(NamedTuple):
    """The gold of a workspace, what of it is new, and everybody who judged in a project."""

    gold: Sequence[Gold]
    promoted: Sequence[Gold]
    annotators: dict[str, Annotator]


def measure(workspace: Workspace, project: str, *, promote: bool = False, dry_run: bool = False) -> Measured:
    """Who answers carefully, after what is sure became gold, if it is asked for."""
    data, quality = load(workspace, project), workspace.settings.quality
    there = list(data.gold.values())
    used = Counter((a.query_id, a.doc_id) for a in data.answers)
    fresh = promoted(data.consensus.relevance, data.candidates, there, quality, used) if promote else []
    if fresh and not dry_run:
        gold.save(workspace.gold, [*there, *fresh])
    people = annotators(data.judgments, data.answers, data.queries, data.rules, quality)
    return Measured(sorted([*there, *fresh]), fresh, people)


def tabs(workspace: Workspace, project: str, people: Mapping[str, Annotator]) -> tuple[int, int]:
    """A tab for each annotator in the project's Data Manager, called by pseudonym and flags; how many made, renamed."""
    with compose.label_studio() as client:
        users = naming.users(client, compose.pseudonym_key(workspace))
        wanted = views.of_annotators(users, {name: one["flags"] for name, one in people.items()})
        return views.ensure(client, workspace.project(project).id, wanted)


def qualify(workspace: Workspace, project: str, name: str, title: str = "", *, dry_run: bool = False) -> Qualification:
    """Make a project of gold tasks where there is none, or add what it lacks; read its answers, and tell who passed."""
    source, data, quality = workspace.project(project), load(workspace, project), workspace.settings.quality
    there = _there(workspace, name, "qualification")
    earlier = list(pools.load(workspace.pools_of(there)).values()) if there else []
    known = qualification.known(data, pools.fitting(source, data.queries.values(), data.items.values()))
    fresh = qualification.pools(known, earlier, quality, workspace.settings.pool.seed)
    if not fresh and not earlier:
        raise Mendable(
            "There is no gold to ask for.",
            mend="Give queries known `positives`, write gold.tsv, or `ls-retrieval gold --promote` once people agree.",
        )
    asked = [c for pool in (*earlier, *fresh) for c in pool.candidates]
    if all(c.reason == qualification.POSITIVE for c in asked):
        say("all of it is known positives: who always answers the best grade passes. Plant or promote negatives.")
    mark = quality.pass_mark if there is None or there.pass_mark is None else there.pass_mark
    if not dry_run:
        made = {"purpose": "qualification", "votes": MANY, "pass_mark": mark, "domain": source.domain}
        _bring(workspace, source, name, title, fresh, there, made)
        flow.pull(workspace, name)
    results = {} if dry_run and not there else qualification.results(load(workspace, name), [data], mark)
    return Qualification(project=name, tasks=len(asked), pass_mark=mark, annotators=results)


class Adjudicated(NamedTuple):
    """What was found in dispute, what of it goes before a judge now, and the tasks that were made of it."""

    disputes: int
    fresh: int
    pushed: Pushed


def adjudicate(
    workspace: Workspace, project: str, name: str, title: str, given: dict[str, float], *, dry_run: bool = False
) -> Adjudicated:
    """Bring what people disagree about before a judge: a project in the review form, made once.

    given: settings of [quality] that differ this time.
    """
    source, data = workspace.project(project), load(workspace, project)
    there = _there(workspace, name, "adjudication", adjudicates=project)
    earlier = list(pools.load(workspace.pools_of(there)).values()) if there else []
    quality = workspace.settings.quality.model_copy(update=given)
    found = adjudication.disputes(data.votes, data.consensus.relevance, quality)
    controls = {pair for pair, c in data.candidates.items() if c.role == "control"}
    unknown = [d for d in found if (d.query_id, d.doc_id) not in controls]
    fresh = adjudication.pools(unknown, earlier, data.candidates, workspace.settings.pool.seed)
    count = sum(len(pool.candidates) for pool in fresh)
    if dry_run or not (fresh or there):
        return Adjudicated(len(unknown), count, Pushed(0, 0, 0))
    made = {"purpose": "adjudication", "adjudicates": project, "domain": source.domain}
    return Adjudicated(len(unknown), count, _bring(workspace, source, name, title, fresh, there, made))


def recheck(
    workspace: Workspace, project: str, name: str, title: str, size: int | None, *, dry_run: bool = False
) -> tuple[Mapping[str, int], Pushed]:
    """Have a random sample of what is exported judged once more: a project in the review form, made once.

    Gives the pairs that are asked now by their side, and what was pushed. size: of each side.
    """
    source, data = workspace.project(project), load(workspace, project)
    there = _there(workspace, name, "recheck", rechecks=project)
    earlier = list(pools.load(workspace.pools_of(there)).values()) if there else []
    sides = rechecking.sample(rechecking.exported(data), size or workspace.settings.quality.recheck)
    if not sides:
        raise Mendable("Nothing is exported yet.", mend="Label some tasks, and run pull.")
    fresh = asking.pools({pair: data.candidates[pair] for pair in sides}, earlier, workspace.settings.pool.seed)
    counts = Counter[str](sides[pair] for pair in asking.asked(fresh))
    if dry_run or not (fresh or there):
        return counts, Pushed(0, 0, 0)
    made = {"purpose": "recheck", "rechecks": project, "domain": source.domain}
    return counts, _bring(workspace, source, name, title, fresh, there, made)


def repeat(workspace: Workspace, project: str, share: float | None, *, dry_run: bool = False) -> tuple[int, Pushed]:
    """Ask a share of the answered tasks again; how many queries, and what was pushed."""
    chosen, data = workspace.project(project), load(workspace, project)
    fits = pools.fitting(chosen, data.queries.values(), data.items.values())
    there = pools.latest(data.pools, fits)
    answered = {j.pool_id for j in Table(workspace.judgments / str(chosen.id)).current()}
    wanted = workspace.settings.quality.repeat_share if share is None else share
    fresh = repeats.due(there, answered, wanted, data.gold)
    if dry_run:
        return len(fresh), Pushed(0, 0, 0)
    pools.append(workspace.pools_of(chosen), fresh)
    return len(fresh), flow.push(workspace, project)


def _there(workspace: Workspace, name: str, purpose: Purpose, **more: str) -> Project | None:
    """The project of that name, if it is there; Mendable where it is for something else."""
    found = workspace.settings.projects.get(name)
    wanted: dict[str, Any] = {"purpose": purpose, **more}
    problems = [
        f"{n} is {getattr(found, n)!r}, wanted is {v!r}" for n, v in wanted.items() if found and getattr(found, n) != v
    ]
    if problems:
        raise Mendable(
            f"The project {name!r} is for something else.", problems=problems, mend="Give another name: --project NAME."
        )
    return found


def _bring(
    workspace: Workspace,
    source: Project,
    name: str,
    title: str,
    fresh: Sequence[Pool],
    there: Project | None,
    made: dict[str, Any],
) -> Pushed:
    """Make the project where it is not there yet, keep its pools, and push what it lacks."""
    settings = {"form": "review", "query": source.query, "candidates": source.candidates, **made}
    asked = {} if there else settings
    for line in admin.init(workspace.root, admin.Wanted(name, title or name, "", asked)):
        say(line)
    pools.append(workspace.pools_of(workspace.project(name)), fresh)
    return flow.push(workspace, name)
