"""Evaluations of a model on pools that it made alone, and on pools of three."""

from collections.abc import Sequence

import numpy as np

from label_configs.records import Candidate, Qrel, ScoredDoc
from ls_retrieval.simulation.world import World, ask, doc
from sync.completeness import circular

_TRIALS = 100
_QUERIES = 20
_DEPTH = 20
RELEVANT = frozenset({2, 3})


def flags(world: World, random: np.random.Generator) -> dict[str, float]:
    """The share of flagged evaluations. Each model is a little other than the one that the pool was made with."""
    names = sorted(world.vectors)
    own, balanced = [], []
    for n in range(_TRIALS):
        chosen = random.choice(world.size.queries, min(_QUERIES, world.size.queries), replace=False)
        name = names[n % len(names)]
        tuned = world.scores(name) + random.normal(0, 0.01, world.grades.shape)
        for proposers, found in (([name], own), (names, balanced)):
            candidates = _pool(world, proposers, chosen)
            qrels = [Qrel(q, d, world.grade(q, d)) for q, d in candidates]
            run = [ScoredDoc(ask(q), doc(int(d)), float(tuned[q, d])) for q in chosen for d in _first(tuned[q])]
            found.append(circular(run, candidates, qrels, RELEVANT)["flagged"])
    return {"own judged, flagged": float(np.mean(own)), "balanced, flagged": float(np.mean(balanced))}


def _pool(world: World, proposers: Sequence[str], queries: np.ndarray) -> dict[tuple[str, str], Candidate]:  # type: ignore[type-arg]
    """The first of each proposer, every one with who named it."""
    from ml_backend import fusion

    scores = {name: world.scores(name) for name in proposers}
    found = {}
    for q in queries:
        rankings = {name: [ScoredDoc("", doc(int(d)), 0.0) for d in _first(of[q])] for name, of in scores.items()}
        for hit in fusion.reciprocal_rank(rankings):
            found[ask(q), hit.doc_id] = Candidate(doc_id=hit.doc_id, source=hit.source, reason=hit.reason)
    return found


def _first(scores: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    return np.argsort(-scores)[:_DEPTH]
