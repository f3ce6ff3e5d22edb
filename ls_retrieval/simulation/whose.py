"""Evaluations of a model on pools that it made alone, and on pools of three."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from label_configs.records import Candidate, Qrel, ScoredDoc
from ls_retrieval.simulation.world import World, ask, doc
from sync.completeness import circular

_TRIALS = 60
_QUERIES = 20
_DEPTH = 20
RELEVANT = frozenset({2, 3})
Ints = NDArray[np.int64]
Pools = list[dict[str, Candidate]]
"""By query, candidates by doc_id."""


def flags(world: World, random: np.random.Generator) -> dict[str, float]:
    """The share of flagged evaluations. Each model is a little other than the one that the pool was made with."""
    names, own, balanced = sorted(world.vectors), [], []
    pools = {name: _pool(world, [name]) for name in names}
    together = _pool(world, names)
    for n in range(_TRIALS):
        name = names[n % len(names)]
        chosen = random.choice(world.size.queries, min(_QUERIES, world.size.queries), replace=False)
        run = _tuned(world, name, chosen, random)
        own.append(_flagged(world, run, pools[name], chosen))
        balanced.append(_flagged(world, run, together, chosen))
    return {"own judged, flagged": float(np.mean(own)), "balanced, flagged": float(np.mean(balanced))}


def _tuned(world: World, name: str, queries: Ints, random: np.random.Generator) -> list[ScoredDoc]:
    """What a model ranks first after a little fine-tuning."""
    seen = world.scores(name)[queries]
    scores = seen + random.normal(0, 0.01, seen.shape)
    return [
        ScoredDoc(ask(int(q)), doc(int(d)), float(row[d]))
        for q, row in zip(queries, scores, strict=True)
        for d in _first(row)
    ]


def _flagged(world: World, run: Sequence[ScoredDoc], pool: Pools, queries: Ints) -> bool:
    candidates = {(ask(int(q)), doc_id): c for q in queries for doc_id, c in pool[int(q)].items()}
    qrels = [Qrel(q, d, world.grade(q, d)) for q, d in candidates]
    return circular(run, candidates, qrels, RELEVANT)["flagged"]


def _pool(world: World, proposers: Sequence[str]) -> Pools:
    """By query the first of each proposer, every one with who named it."""
    from ml_backend import fusion

    scores, found = {name: world.scores(name) for name in proposers}, []
    for q in range(world.size.queries):
        rankings = {name: [ScoredDoc("", doc(int(d)), 0.0) for d in _first(of[q])] for name, of in scores.items()}
        fused = fusion.reciprocal_rank(rankings)
        found.append({hit.doc_id: Candidate(doc_id=hit.doc_id, source=hit.source, reason=hit.reason) for hit in fused})
    return found


def _first(scores: NDArray[np.float32] | NDArray[np.float64]) -> Ints:
    """The best, in their order."""
    best = np.argpartition(-scores, _DEPTH)[:_DEPTH]
    return np.asarray(best[np.argsort(-scores[best])])
