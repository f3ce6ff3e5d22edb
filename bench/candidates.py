"""What each proposer and each source of hard negatives is worth, judged by a demo workspace's known truth.

    python bench/candidates.py workspace/demo                                                  # text → image
    python bench/candidates.py workspace/demo --captions FOLDER --films FOLDER --sounds FOLDER  # and three more

Any workspace with a project and a `truth.tsv` (query_id 0 doc_id grade) will do, of whatever modalities. The others are
made of the demo's pack, each in its own folder, where it stays: image → text, text → video, text → audio.
"""

import argparse
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import worlds
from rich.console import Console
from rich.table import Table

from label_configs.records import Pool, Query
from ls_retrieval.demo import run
from ml_backend import library, negatives, pooling, proposers
from ml_backend.collection import Collection
from ml_backend.proposers.request import Request
from ml_backend.rounds import prepared
from store.settings import Settings
from store.workspace import Workspace

RELEVANT = 2
Truth = Mapping[str, Mapping[str, int]]
"""query_id to doc_id to grade; what is not in it is of grade 0."""


class World(NamedTuple):
    """A project to be measured. queries: those that have a vector and a relevant item."""

    collection: Collection
    queries: list[Query]
    truth: Truth
    settings: Settings


@dataclass
class Found:
    """What one proposer or source brought, over all queries."""

    items: int = 0
    grades: Counter[int] = field(default_factory=Counter)
    unique: int = 0

    def add(self, grades: Iterable[int], unique: int = 0) -> None:
        """Count the grades of what was brought for one query, and the relevant that nobody else brought."""
        self.grades.update(known := list(grades))
        self.items += len(known)
        self.unique += unique

    @property
    def relevant(self) -> int:
        """How many were of grade 2 or above."""
        return sum(count for grade, count in self.grades.items() if grade >= RELEVANT)


def load(workspace: Workspace, project: str) -> World:
    """Open a project and its truth."""
    wanted = workspace.project(project)
    held = library.open_collection(workspace, wanted.candidates, library.not_indexed, asked=wanted.query)
    opened = prepared(workspace, held)
    truth: dict[str, dict[str, int]] = {}
    for line in (workspace.root / "truth.tsv").read_text("utf-8").splitlines():
        query_id, _, doc_id, grade = line.split()
        if doc_id in opened.items:
            truth.setdefault(query_id, {})[doc_id] = int(grade)
    asked = [query for query in library.records(workspace)[1] if query.modality == wanted.query]
    queries = [query for query in asked if max(truth.get(query.query_id, {"": 0}).values()) >= RELEVANT]
    return World(opened, queries, truth, workspace.settings)


def by_proposer(world: World, depth: int) -> dict[str, Found]:
    """What each ranking holds in its first `depth` beyond what is known; and what they hold together."""
    found: dict[str, Found] = {}
    for query in world.queries:
        request, grades = Request(query, world.collection, world.settings.pool.seed), world.truth[query.query_id]
        heads = {
            source: set([hit.doc_id for hit in hits if hit.doc_id not in request.positives][:depth])
            for propose in proposers.PROPOSERS.values()
            for source, hits in propose(request, depth + len(request.positives)).items()
        }
        for source, head in heads.items():
            others = set[str]().union(*(other for name, other in heads.items() if name != source))
            alone = sum(grades.get(doc_id, 0) >= RELEVANT for doc_id in head - others)
            found.setdefault(source, Found()).add((grades.get(doc_id, 0) for doc_id in head), alone)
        ranked = {name: head for name, head in heads.items() if name != "random"}
        together = found.setdefault("together, but for random", Found())
        together.add(grades.get(doc_id, 0) for doc_id in set[str]().union(*ranked.values()))
    return found


def unaided(world: World, depth: int) -> float:
    """Recall of the relevant, the known too, in the first `depth` of the dense rankings where no positive is known."""
    held, relevant = 0, 0
    for query in world.queries:
        wanted = {doc_id for doc_id, grade in world.truth[query.query_id].items() if grade >= RELEVANT}
        rankings = proposers.PROPOSERS["dense"](Request(replace(query, positives=()), world.collection), depth)
        found = {hit.doc_id for hits in rankings.values() for hit in hits}
        held, relevant = held + len(wanted & found), relevant + len(wanted)
    return held / relevant


def by_source(world: World, wanted: int) -> dict[str, Found]:
    """The first `wanted` negatives of each source for each query, and what the margin forbids."""
    found: dict[str, Found] = {}
    for name in negatives.SOURCES:
        rule = world.settings.negatives.model_copy(update={"sources": (name,), "num_negatives": wanted})
        for query in world.queries:
            grades = world.truth[query.query_id]
            mined = negatives.mine(Request(query, world.collection, world.settings.pool.seed), rule)
            found.setdefault(name, Found()).add(grades.get(c.doc_id, 0) for c in mined.negatives[:wanted])
            if name in ("near-miss", "look-alike"):
                kind = f"discarded by {name}'s margin"
                found.setdefault(kind, Found()).add(grades.get(c.doc_id, 0) for c in mined.discarded[:wanted])
    return found


def by_role(world: World, given: Mapping[str, object]) -> tuple[dict[str, Found], float, float]:
    """What whole pools hold by role and source; their recall of the relevant, and judged@10."""
    chosen = Settings.model_validate(
        {**world.settings.model_dump(), "pool": {**world.settings.pool.model_dump(), **given}}
    )
    found: dict[str, Found] = {}
    held, relevant, judged = 0, 0, list[float]()
    for query in world.queries:
        pool, ranked = pooling.build(query, world.collection, chosen)
        grades = world.truth[query.query_id]
        shown = {c.doc_id for c in pool.candidates}
        for kind, doc_ids in _kinds(pool).items():
            found.setdefault(kind, Found()).add(grades.get(doc_id, 0) for doc_id in doc_ids)
        wanted = {doc_id for doc_id, grade in grades.items() if grade >= RELEVANT} - set(query.positives)
        held, relevant = held + len(wanted & shown), relevant + len(wanted)
        judged.append(sum(hit.doc_id in shown for hit in ranked[:10]) / len(ranked[:10]))
    return found, held / max(relevant, 1), sum(judged) / len(judged)


def _kinds(pool: Pool) -> dict[str, list[str]]:
    kinds: dict[str, list[str]] = {}
    for role, c in [*((c.role, c) for c in pool.candidates), *(("folded", c) for c in pool.folded)]:
        kinds.setdefault(f"{role} {c.source.partition(':')[0] if role == 'candidate' else c.source}", []).append(
            c.doc_id
        )
    return kinds


def show(title: str, found: Mapping[str, Found], **more: Mapping[str, str]) -> None:
    """A table of what was brought, by grade. more: further columns, by what is named in the first."""
    table = Table("from", "items", "grade 0", "grade 1", "grade 2, 3", *more, title=title)
    for name, one in sorted(found.items()):
        row = [name, one.items, one.grades[0], one.grades[1], one.relevant, *(column[name] for column in more.values())]
        table.add_row(*map(str, row))
    Console(width=110).print(table)


def measure(workspace: Workspace, project: str, *, depth: int, wanted: int) -> None:
    """Print all tables of one project."""
    world = load(workspace, project)
    unknown = [
        doc_id
        for query in world.queries
        for doc_id, grade in world.truth[query.query_id].items()
        if grade >= RELEVANT and doc_id not in query.positives
    ]
    about = workspace.project(project)
    way = f"{about.query} → {about.candidates}"
    print(
        f"{way}: {len(world.queries)} queries, {len(world.collection.items)} items, {len(unknown)} relevant not known"
    )
    found = by_proposer(world, depth)
    share = {name: f"{one.relevant / max(len(unknown), 1):.0%}" for name, one in found.items()}
    alone = {name: str(one.unique) for name, one in found.items()}
    show(f"{way}: the first {depth} of each proposer", found, recall=share, alone=alone)
    print(f"of all relevant, known or not, the first {depth} of dense alone hold {unaided(world, depth):.0%}")
    show(f"{way}: the first {wanted} negatives of each source", by_source(world, wanted))
    for name, given in variants(world.settings.pool.depth).items():
        made, recall, judged = by_role(world, given)
        if name == "as set":
            show(f"{way}: whole pools", made)
        items = sum(one.items for kind, one in made.items() if not kind.startswith("folded"))
        print(f"pools {name}: {items} candidates, {recall:.0%} of the relevant, judged@10 {judged:.0%}")


def variants(depth: int) -> dict[str, dict[str, object]]:
    """Settings of [pool] to compare."""
    return {
        "as set": {},
        "of one proposer": {"proposers": ("dense",)},
        "without siblings": {"proposers": ("dense", "neighbours", "lexical")},
        "with diversity 0.3": {"diversity": 0.3},
        "as deep as ambiguity asks": {"max_depth": depth + 8},
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--project", default=run.PROJECT)
    for name in worlds.WORLDS:
        parser.add_argument(f"--{name}", type=Path, help=f"measure the demo's {name} as well, made in this folder")
    parser.add_argument("--depth", type=int, default=10)
    parser.add_argument("--negatives", type=int, default=5)
    given = parser.parse_args(arguments)
    demo = Workspace(given.workspace.resolve())
    measure(demo, given.project, depth=given.depth, wanted=given.negatives)
    for name in worlds.WORLDS:
        if folder := getattr(given, name):
            measure(worlds.made(name, demo, folder), run.PROJECT, depth=given.depth, wanted=given.negatives)


if __name__ == "__main__":
    main()
