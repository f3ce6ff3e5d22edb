"""The `evaluate` command: runs and encoders on the collected qrels, beside each other."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
from rich.table import Table

from label_configs.errors import Mendable
from label_configs.records import Qrel
from ls_retrieval import flow
from ls_retrieval.progress import bar, say, terminal
from ls_retrieval.tables import plain
from store.workspace import Workspace
from sync import evaluation
from sync.dataset import Dataset
from sync.evaluation import Columns, Difference, Evaluation, HoledDifference
from sync.evaluation.measures import measure
from sync.evaluation.ranked import columns
from sync.evaluation.runs import read
from sync.splits import Split

if TYPE_CHECKING:
    from ml_backend.encoder_runs import Space

PRE_RANKING = "pre-ranking"
"""The run that the pools were made of."""
DEPTH = 1000
"""Items of each query that an encoder's run holds."""


class Wanted(NamedTuple):
    """What is evaluated: run files, and encoders of the settings or of open_clip; the pre-ranking where there is none.

    against: a file, an encoder that is among them, or PRE_RANKING. split: the queries of that split alone.
    """

    runs: Sequence[Path]
    encoders: Sequence[str]
    against: str
    measures: Sequence[str]
    split: Split | None = None


@dataclass(frozen=True)
class Evaluated:
    """Runs by name on the qrels of one direction, and how each differs from the one that they are compared with."""

    direction: str
    judged: int
    runs: Mapping[str, Evaluation]
    against: str
    differences: Mapping[str, Mapping[str, Difference | HoledDifference | None]]


Runs = Mapping[str, Columns]


def run(workspace: Workspace, project: str, wanted: Wanted) -> list[Evaluated]:
    """Evaluate in the project's direction and, where there are encoders, the other way round: candidates ask for
    queries, by the same judgments.
    """
    for name in wanted.measures:
        measure(name)
    data, chosen = flow.dataset(workspace, project), workspace.project(project)
    qrels = [q for q in data.qrels if wanted.split in (None, data.split(q.query_id))]
    if not qrels:
        raise Mendable(
            f"No query of {f'the split {wanted.split}' if wanted.split else f'the project {project!r}'} is judged yet.",
            mend="Label some tasks, and run pull.",
        )
    there, back = _encoded(workspace, data, qrels, wanted.encoders, chosen.candidates)
    ids = {*data.queries, *data.items}
    given = {
        path.name if [p.name for p in wanted.runs].count(path.name) == 1 else str(path): path for path in wanted.runs
    }
    files = {name: columns(read(path, ids)) for name, path in given.items()}
    forth = {**files, **there} or {PRE_RANKING: columns(data.run)}
    beside = {**forth, **_beside(wanted, data, ids, forth)}
    found = [_evaluated(f"{chosen.query} → {chosen.candidates}", columns(qrels), forth, beside, data, wanted)]
    if back:
        turned = columns([Qrel(q.doc_id, q.query_id, q.relevance) for q in qrels])
        found.append(_evaluated(f"{chosen.candidates} → {chosen.query}", turned, back, back, data, wanted))
    return found


def _beside(wanted: Wanted, data: Dataset, ids: set[str], forth: Runs) -> Runs:
    """The run that all are compared with, where it is none of them."""
    if not wanted.against or wanted.against in forth:
        return {}
    chosen = data.run if wanted.against == PRE_RANKING else read(Path(wanted.against), ids)
    return {wanted.against: columns(chosen)}


def _evaluated(direction: str, qrels: Columns, runs: Runs, beside: Runs, data: Dataset, wanted: Wanted) -> Evaluated:
    def of(hits: Columns) -> Evaluation:
        return evaluation.evaluate(qrels, hits, data.rules.positive, wanted.measures)

    found, against = {name: of(hits) for name, hits in runs.items()}, wanted.against
    differences = {}
    if against in beside:
        one = found[against] if against in found else of(beside[against])
        differences = {name: evaluation.compare(mine, one) for name, mine in found.items() if name != against}
    return Evaluated(direction, len(qrels.value), found, against if differences else "", differences)


def _encoded(
    workspace: Workspace, data: Dataset, qrels: Sequence[Qrel], names: Sequence[str], shown: str
) -> tuple[Runs, Runs]:
    """The runs of encoders: queries over all items of the project, and judged items over all its queries."""
    if not names:
        return {}, {}
    from ml_backend import encoder_runs

    asked, judged = {q.query_id for q in qrels}, {q.doc_id for q in qrels}
    modality = data.queries[qrels[0].query_id].modality
    queries = [query for query in data.queries.values() if query.modality == modality]
    items = [item for item in data.items.values() if shown in {"mixed", item.modality}]
    there, back = dict[str, Columns](), dict[str, Columns]()
    for name in names:
        with bar(f"Loading {name}"):
            encoder = encoder_runs.load(workspace, name)
        with bar(f"Encoding by {name}", len(queries) + len(items)) as advance:
            of_queries = encoder_runs.encoded(workspace, name, encoder, queries, advance)
            of_items = encoder_runs.encoded(workspace, name, encoder, items, advance)
        for sentence in (*of_queries.broken, *of_items.broken):
            say(f"left out: {sentence}")
        there[name] = _hits(_some(of_queries, asked), of_items)
        back[name] = _hits(_some(of_items, judged), of_queries)
    return there, back


def _some(space: "Space", wanted: set[str]) -> "Space":
    kept = [n for n, one in enumerate(space.ids) if one in wanted]
    return space._replace(ids=[space.ids[n] for n in kept], vectors=space.vectors[kept])


def _hits(asking: "Space", answers: "Space") -> Columns:
    from ml_backend.encoder_runs import ranked

    found = ranked(asking, answers, DEPTH)
    names = pa.array(answers.ids, pa.string()).take(pa.array(found.places.ravel()))
    queries = pa.array(np.repeat(np.array(asking.ids, object), found.places.shape[1]), pa.string())
    return Columns(pa.chunked_array([queries]), pa.chunked_array([names]), found.scores.ravel().astype(np.float64))


def show(found: Sequence[Evaluated]) -> None:
    """Print a row a measure and a column a run, and the differences below; direction by direction."""
    for done in found:
        for table in _tables(done):
            terminal().print(table)


def _tables(done: Evaluated) -> Iterator[Table]:
    title = f"{done.direction}, {done.judged} judged pairs; in brackets the 95 % interval"
    table = Table("", *done.runs, title=title)
    for name in next(iter(done.runs.values())).means:
        table.add_row(name, *(evaluation.shown(of.means[name]) for of in done.runs.values()))
    table.add_row("queries ranked", *(f"{of.ranked} of {len(of.queries)}" for of in done.runs.values()))
    yield table
    if done.differences:
        table = Table("", *done.differences, title=f"Better than {done.against} by, query by query")
        for name in next(iter(done.differences.values())):
            table.add_row(name, *(evaluation.shown(of[name]) for of in done.differences.values()))
        yield table


def as_json(found: Sequence[Evaluated]) -> dict[str, object]:
    """The same for programs, the other direction under `reversed`. An nDCG that has holes is an object with judged
    share and bpref.
    """
    first, *others = map(_plain, found)
    return {**first, "reversed": others[0]} if others else first


def _plain(done: Evaluated) -> dict[str, object]:
    runs = {name: {one: plain(mean) for one, mean in of.means.items()} for name, of in done.runs.items()}
    ranked = {name: of.ranked for name, of in done.runs.items()}
    found: dict[str, object] = {"direction": done.direction, "judged": done.judged, "ranked": ranked, "runs": runs}
    if done.against:
        found["against"] = {"name": done.against, "differences": plain(done.differences)}
    return found
