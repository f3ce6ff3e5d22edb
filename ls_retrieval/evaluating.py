"""The `evaluate` command: runs on the collected qrels, beside each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from label_configs.errors import Mendable
from label_configs.records import Qrel, ScoredDoc
from ls_retrieval import flow
from ls_retrieval.tables import plain
from store.workspace import Workspace
from sync import evaluation
from sync.dataset import Dataset
from sync.evaluation import Difference, Evaluation, HoledDifference
from sync.evaluation.measures import measure
from sync.evaluation.runs import read
from sync.splits import Split

PRE_RANKING = "pre-ranking"
"""The run that the pools were made of."""


@dataclass(frozen=True)
class Evaluated:
    """Runs by name on the qrels of one project, and how each differs from the one that they are compared with."""

    direction: str
    judged: int
    runs: Mapping[str, Evaluation]
    against: str
    differences: Mapping[str, Mapping[str, Difference | HoledDifference | None]]


def run(
    workspace: Workspace,
    project: str,
    runs: Sequence[Path],
    against: str,
    measures: Sequence[str],
    split: Split | None = None,
) -> Evaluated:
    """Evaluate run files, or the pre-ranking where there are none. against: a file too, or PRE_RANKING.

    split: the queries of that split alone.
    """
    for name in measures:
        measure(name)
    data, chosen = flow.dataset(workspace, project), workspace.project(project)
    qrels = [q for q in data.qrels if split in (None, data.split(q.query_id))]
    if not qrels:
        raise Mendable(
            f"No query of {f'the split {split}' if split else f'the project {project!r}'} is judged yet.",
            mend="Label some tasks, and run pull.",
        )
    ids = {*data.queries, *data.items}
    given = {path.name if [p.name for p in runs].count(path.name) == 1 else str(path): path for path in runs}
    read_in = {name: read(path, ids) for name, path in given.items()} or {PRE_RANKING: list(data.run)}
    found = {name: _evaluated(qrels, hits, data, measures) for name, hits in read_in.items()}
    differences = {}
    if against:
        beside = data.run if against == PRE_RANKING else read(Path(against), ids)
        one = _evaluated(qrels, beside, data, measures)
        differences = {name: evaluation.compare(of, one) for name, of in found.items()}
    return Evaluated(f"{chosen.query} → {chosen.candidates}", len(qrels), found, against, differences)


def _evaluated(qrels: Sequence[Qrel], hits: Sequence[ScoredDoc], data: Dataset, measures: Sequence[str]) -> Evaluation:
    return evaluation.evaluate(qrels, hits, data.rules.positive, measures)


def show(done: Evaluated) -> None:
    """Print a row a measure and a column a run, and the differences below."""
    console = Console(highlight=False)
    title = f"{done.direction}, {done.judged} judged pairs; in brackets the 95 % interval"
    table = Table("", *done.runs, title=title)
    for name in next(iter(done.runs.values())).means:
        table.add_row(name, *(evaluation.shown(of.means[name]) for of in done.runs.values()))
    table.add_row("queries ranked", *(f"{of.ranked} of {len(of.queries)}" for of in done.runs.values()))
    console.print(table)
    if done.against:
        table = Table("", *done.differences, title=f"Better than {done.against} by, query by query")
        for name in next(iter(done.differences.values())):
            table.add_row(name, *(evaluation.shown(of[name]) for of in done.differences.values()))
        console.print(table)


def as_json(done: Evaluated) -> dict[str, object]:
    """The same for programs. An nDCG that has holes is an object with judged share and bpref."""
    runs = {name: {one: plain(mean) for one, mean in of.means.items()} for name, of in done.runs.items()}
    ranked = {name: of.ranked for name, of in done.runs.items()}
    found: dict[str, object] = {"direction": done.direction, "judged": done.judged, "ranked": ranked, "runs": runs}
    if done.against:
        differences = {
            name: {one: plain(difference) for one, difference in of.items()} for name, of in done.differences.items()
        }
        found["against"] = {"name": done.against, "differences": differences}
    return found
