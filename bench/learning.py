"""What learning from judgments is worth on held-out queries of the demo corpus, blind and assisted.

    python bench/learning.py workspace/demo learning --json learning.json

Makes a workspace of its own in the second folder from the first one's pictures: every query is the caption of a picture
whose concept (head noun, caption) the demo model was not fitted to, so that the model is weaker than the demo's. 64 of
the queries are never judged: they are the test. The others are judged by the demo's simulated annotators, who are no
people; of an assisted screen see `assisted`. Learning is the product's own, from the table to the version in use.
"""

import argparse
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table as Shown

from label_configs import rules as rules_file
from label_configs.records import Candidate, Judgment, Pool, Query, digest
from ls_retrieval import compose
from ls_retrieval.demo import corpus as demo_corpus
from ls_retrieval.demo import model, packs, run
from ls_retrieval.demo.annotators import ANNOTATORS, SimulatedAnnotator
from ls_retrieval.progress import bar, say, track
from ml_backend import learning, library, pooling
from ml_backend.collection import Collection
from ml_backend.encoder_service import RemoteEncoders
from ml_backend.learning import proof
from ml_backend.proposers.request import Request
from ml_backend.ranker import Ranker
from ml_backend.retriever import Retriever
from store import files, pools
from store import settings as settings_file
from store.judgments import Known, Table
from store.settings import Project
from store.workspace import Workspace
from sync.present import BLIND_SHARE

Floats = NDArray[np.float64]

TEST, STEPS = 64, (0, 20, 60, 200)
CONCEPTS = 264
LAZY, ANCHORED = 0.15, 0.5
"""Share of the assisted screens that are submitted as they were prefilled; chance that a suggestion which is at most a
grade off is left where the annotator would have said something else."""
_SETTINGS = """\
[encoders.clip]
model = "local-dir:model"
batch = 16

[pool]
depth = 24
hard = 4
gold_share = 0.0                    # bare queries: no answer is known before people judge
proposers = ["dense", "lexical"]

[negatives]
range_max = 40
"""


@dataclass(frozen=True)
class World:
    """A workspace whose truth is known. taught: the queries in the order in which they are judged."""

    workspace: Workspace
    collection: Collection
    truth: Mapping[tuple[str, str], int]
    taught: Sequence[Query]
    test: Sequence[Query]
    pools: Mapping[str, Pool]


def make(demo: Path, root: Path) -> Workspace:
    """The workspace: the demo's pictures, a model that was fitted to none of the queries' concepts, and an index."""
    workspace = Workspace(root.resolve())
    if not (root / "indexed").exists():
        for folder in ("cache", "media"):
            shutil.copytree(demo / folder, root / folder, dirs_exist_ok=True)
        pack = (demo / "pack").read_text("utf-8").strip()
        pictures = packs.PACKS[pack](workspace.root / "cache", workspace.root, track, limit=run.LIMITS.get(pack))
        fit, asked = demo_corpus.split(pictures, CONCEPTS, run.SEED)
        say(f"{len(pictures)} pictures of {pack}: {len(asked)} queries, the model is fitted to {len(fit)} others")
        tags = model.machine_tags(pictures, track=track)
        demo_corpus.write(pictures, workspace.root, n_queries=CONCEPTS, seed=run.SEED, tags=tags, pack=pack)
        model.build(fit, workspace.root / "model", track=track, threads=2)
        files.write(workspace.settings_path, _SETTINGS)
        files.write(workspace.rules_path, rules_file.preset())
        for number, name in enumerate(("blind", "assist"), 1):
            settings_file.add_project(workspace.settings_path, name, Project(id=number, candidates="image"))
        compose.index(workspace)
        files.write(root / "indexed", "")
    return workspace


def load(workspace: Workspace, seed: int) -> World:
    """Open it, and make a pool of every query. Known positives are taken off: they would be told to the proposers."""
    collection = library.open_collection(workspace, "image", library.not_indexed)
    lines = (line.split() for line in (workspace.root / "truth.tsv").read_text("utf-8").splitlines())
    truth = {(query_id, doc_id): int(grade) for query_id, _, doc_id, grade in lines}
    bare = [replace(query, positives=()) for query in library.records(workspace)[1]]
    test = sorted(bare, key=lambda query: digest("test", query.query_id))[:TEST]
    apart = {query.query_id for query in test}
    taught = [query for query in bare if query.query_id not in apart]
    taught.sort(key=lambda query: digest("order", seed, query.query_id))
    made = {query.query_id: pooling.build(query, collection, workspace.settings).pool for query in bare}
    for folder in (workspace.pools, workspace.judgments, workspace.root / "models"):
        shutil.rmtree(folder, ignore_errors=True)
    pools.append(workspace.pools, list(made.values()))
    return World(workspace, collection, truth, taught, test, made)


def answers(world: World, queries: Iterable[Query], project: int, ranker: Ranker | None) -> Iterator[Judgment]:
    """What all annotators say of the pools of some queries, screen by screen. ranker: of what they see; none: blind."""
    for query in queries:
        pool = world.pools[query.query_id]
        seen = None if int(digest("blind", query.query_id), 16) / 16**16 < BLIND_SHARE else ranker
        for first in range(0, len(pool.candidates), 8):
            screen = pool.candidates[first : first + 8]
            for annotator in ANNOTATORS:
                yield from _screen(world, pool, screen, annotator, project, seen)


def _screen(
    world: World,
    pool: Pool,
    screen: Sequence[Candidate],
    annotator: SimulatedAnnotator,
    project: int,
    ranker: Ranker | None,
) -> Iterator[Judgment]:
    query_id, rules = pool.query_id, world.workspace.rules
    own = [annotator.grade(world.truth.get((query_id, c.doc_id), 0), query_id, c.doc_id) for c in screen]
    given, shown = own, [None] * len(screen)
    if ranker:
        shown = ranker.calibration.grades(ranker.scores(query_id, screen)).tolist()
        given = assisted(own, shown, f"{annotator.name} {query_id} {screen[0].doc_id}")
    named = int(digest(project, annotator.name, query_id, screen[0].doc_id)[:12], 16)
    for position, (candidate, grade) in enumerate(zip(screen, given, strict=True)):
        if grade is not None:
            origin = "manual" if ranker is None else "prediction" if grade == shown[position] else "prediction-changed"
            yield Judgment(
                kind="grade",
                project=project,
                task_id=named,
                annotation_id=named,
                updated_at="2026-01-01T00:00:00.000000Z",
                query_id=query_id,
                doc_id=candidate.doc_id,
                value=str(grade),
                annotator=annotator.name,
                rules_hash=rules.hash,
                pool_id=pool.pool_id,
                form="graded",
                round=1,
                position=position,
                origin=origin,
                untouched=ranker is not None and given == shown,
            )


def assisted(own: Sequence[int | None], shown: Sequence[int], seed: str) -> list[int | None]:
    """What an annotator says of a prefilled screen: the whole suggestion in LAZY of the screens; else the own grade,
    but in ANCHORED of the cases a suggestion that is at most one grade off stays.
    """
    if _chance("lazy", seed) < LAZY:
        return list(shown)
    kept = [_chance(n, seed) < ANCHORED for n in range(len(own))]
    return [
        suggested if grade is not None and stays and abs(grade - suggested) <= 1 else grade
        for grade, suggested, stays in zip(own, shown, kept, strict=True)
    ]


def _chance(*parts: object) -> float:
    return float(int(digest(*parts), 16) / 16**16)


@dataclass(frozen=True)
class Measured:
    """Of the test queries: nDCG@10 of each one's list of 100, re-ranked, and how near the grades of its pool are."""

    ndcg: Sequence[float]
    loss: float
    error: float


def measure(world: World, ranker: Ranker) -> Measured:
    """Rank what the proposers found for each test query, and grade its pool."""
    reached, losses, errors = [], list[float](), list[float]()
    for query in world.test:
        gains = {d: float(grade) for (q, d), grade in world.truth.items() if q == query.query_id}
        found = _found(world, query)
        order = np.argsort(-np.array(ranker.scores(query.query_id, found)), kind="stable")
        reached.append(_ndcg([gains.get(found[n].doc_id, 0.0) for n in order], list(gains.values())))
        shown = world.pools[query.query_id].candidates
        scores, true = ranker.scores(query.query_id, shown), [int(gains.get(c.doc_id, 0)) for c in shown]
        losses += (-np.log(ranker.calibration.chances(scores)[np.arange(len(true)), true].clip(1e-9))).tolist()
        errors += np.abs(ranker.calibration.grades(scores) - true).tolist()
    return Measured(reached, float(np.mean(losses)), float(np.mean(errors)))


def _found(world: World, query: Query) -> list[Candidate]:
    request = Request(query, world.collection)
    hits = pooling.rank(request, world.workspace.settings.pool)
    doc_ids = [hit.doc_id for hit in hits]
    (space,) = world.collection.spaces.values()
    scores = space.scores(space.encode(query), doc_ids).tolist()
    return [Candidate(doc_id=d, source="", score=scores[n], rank=n + 1) for n, d in enumerate(doc_ids)]


def _ndcg(ranked: Sequence[float], relevant: Sequence[float]) -> float:
    """nDCG@10 of a list that need not hold all that is relevant."""
    weights = 1 / np.log2(np.arange(2, 12))
    best = np.sort(np.array(relevant))[::-1][:10]
    return float(np.array(ranked[:10]) @ weights[: len(ranked[:10])] / (best @ weights[: len(best)]))


def trial(world: World, mode: str) -> list[dict[str, Any]]:
    """Judge, learn, measure; judge more. An assisted annotator sees what was learned up to then."""
    project = world.workspace.project(mode).id
    retriever = Retriever(world.workspace.root, RemoteEncoders(Path("/nowhere")))
    table, known = Table(world.workspace.judgments / str(project)), dict[int, Known]()
    rows: list[dict[str, Any]] = []
    for before, step in zip((0, *STEPS), STEPS, strict=False):
        ranker = retriever.ranker_of(project) if mode == "assist" else None
        table.append(list(answers(world, world.taught[before:step], project, ranker)), known)
        learned = learning.learn(world.workspace, project).learned
        measured = measure(world, retriever.ranker_of(project))
        row = {"mode": mode, "judged": step, "ndcg": measured.ndcg, "loss": measured.loss, "error": measured.error}
        kept = {"adapted": learned.about.adapted, "ranking": learned.about.ranking._asdict()} if learned else {}
        rows.append(row | kept)
    return rows


def tell(rows: Sequence[Mapping[str, Any]], seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Print a table, a line for each mode and number of judged queries, over all orders in which they were judged."""
    shown = Shown("mode", "judged queries", "adapter kept", "nDCG@10", "against 0 [95 %]", "loss", "grades off by")
    told: list[dict[str, Any]] = []
    for mode, step in dict.fromkeys((row["mode"], row["judged"]) for row in rows):
        of = [row for row in rows if (row["mode"], row["judged"]) == (mode, step)]
        base = next(row for row in rows if (row["mode"], row["judged"]) == (mode, 0))
        compared = proof.compare(base["ndcg"], np.mean([row["ndcg"] for row in of], axis=0).tolist())
        one = {"mode": mode, "judged": step, "kept": sum(row.get("adapted", False) for row in of), "orders": len(seeds)}
        one |= {"ndcg": compared.after, "gain": compared.after - compared.before}
        one |= {"low": compared.low, "high": compared.high}
        one |= {name: float(np.mean([row[name] for row in of])) for name in ("loss", "error")}
        told.append(one)
        gain = f"{one['gain']:+.3f} [{one['low']:+.3f}, {one['high']:+.3f}]" if step else ""
        kept = f"{one['kept']} of {one['orders']}"
        shown.add_row(mode, str(step), kept, f"{one['ndcg']:.3f}", gain, f"{one['loss']:.3f}", f"{one['error']:.3f}")
    Console(highlight=False).print(shown)
    return told


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demo", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--orders", type=int, default=5, help="orders in which the queries are judged")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    workspace, seeds = make(given.demo, given.folder), range(given.orders)
    rows: list[dict[str, Any]] = []
    with bar("Judging and learning", len(seeds) * 2) as advance:
        for seed in seeds:
            world = load(workspace, seed)
            for mode in ("blind", "assist"):
                rows += [{"order": seed, **row} for row in trial(world, mode)]
                advance(1)
    told = tell(rows, seeds)
    if given.json:
        files.write(given.json, json.dumps({"table": told, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
