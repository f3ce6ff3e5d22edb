"""The completeness bound, tried: audits drawn again and again from the strata of the same pools."""

import random as draws
from dataclasses import replace

from label_configs.records import Candidate, Pool
from ls_retrieval.simulation.labelled import POOL, Labelled
from sync.completeness import missed

RUNS = 400
RELEVANT = 2


def covered(of: Labelled, runs: int = RUNS) -> dict[str, float]:
    """Of so many audits, those whose 95 % bound is at least what was missed; the bound's mean, and the truth's."""
    strata = [_strata(of, pool) for pool in of.pools]
    hits, bounds, truths = 0, 0.0, 0.0
    for n in range(runs):
        made = [_drawn(pool, left, draws.Random(f"{of.world.seed} {n} {pool.query_id}")) for pool, left in strata]  # noqa: S311
        truth = sum(_relevant(of, pool, left) for pool, left in made)
        graded = {
            (pool.query_id, c.doc_id): of.world.grade(pool.query_id, c.doc_id) >= RELEVANT
            for pool, _ in made
            for c in pool.candidates
        }
        most = missed([pool for pool, _ in made], graded)["missed_most"] or 0.0
        hits, bounds, truths = hits + (most >= truth), bounds + most, truths + truth
    return {"covering of 400": hits * RUNS / runs, "mean bound": bounds / runs, "really missed": truths / runs}


def _strata(of: Labelled, pool: Pool) -> tuple[Pool, dict[str, list[str]]]:
    """A pool without its audit, and the three strata of what it does not show."""
    shown = tuple(c for c in pool.candidates if not c.drawn)
    apart = {c.doc_id for c in shown} | {c.doc_id for c in pool.folded}
    ranked = [hit.doc_id for hit in of.run if hit.query_id == pool.query_id]
    edge, rest = 2 * POOL.depth, [doc_id for doc_id in ranked if doc_id not in apart]
    places = {doc_id: n for n, doc_id in enumerate(ranked, 1)}
    named = set(ranked) | apart
    return replace(pool, candidates=shown), {
        "audit:near": [doc_id for doc_id in rest if places[doc_id] <= edge],
        "audit:beyond": [doc_id for doc_id in rest if places[doc_id] > edge],
        "random": [doc_id for doc_id in of.world.items if doc_id not in named],
    }


def _drawn(pool: Pool, left: dict[str, list[str]], random: draws.Random) -> tuple[Pool, dict[str, list[str]]]:
    """The pool with one draw of each stratum."""
    audit = [
        Candidate(doc_id=random.choice(ids), source=name, role="audit", drawn=1, drawn_from=len(ids))
        for name, ids in left.items()
        if ids
    ]
    return replace(pool, candidates=(*pool.candidates, *audit)), left


def _relevant(of: Labelled, pool: Pool, left: dict[str, list[str]]) -> int:
    """Relevant items of the strata that were not drawn."""
    shown = {c.doc_id for c in pool.candidates}
    row = of.world.grades[int(pool.query_id[1:])]
    return sum(int(row[int(doc_id[1:])]) >= RELEVANT for ids in left.values() for doc_id in ids if doc_id not in shown)
