"""What is known to answer the queries nearest to this one: people's choices, where the models may all be wrong."""

from math import inf

from label_configs.records import ScoredDoc
from ml_backend.proposers.request import Request, by_score

NEAREST = 5
"""Queries taken in each space."""
SURE = 4.0
"""Standard deviations above the mean of the other queries from which one is taken to mean nearly the same."""


def propose(request: Request, reach: int) -> dict[str, list[ScoredDoc]]:
    """One ranking, named `siblings`: what answers queries that mean nearly the same."""
    return {"siblings": answers(request, reach, SURE)}


def answers(request: Request, reach: int, least: float = -inf) -> list[ScoredDoc]:
    """The known positives of the nearest queries, by how near the nearest query is that has them; ties by doc_id.

    The score is that query's similarity in standard deviations above the mean of all other queries, of several spaces
    the highest; `least` is the lowest that counts. The query's own positives are left out.
    """
    best: dict[str, float] = {}
    for name, vector in request.vectors.items():
        asked = request.collection.asked.get(name)
        for score, known in asked.nearest(request.query, vector, NEAREST) if asked else ():
            for doc_id in known.positives if score >= least else ():
                if doc_id in request.collection.items and doc_id not in request.positives:
                    best[doc_id] = max(score, best.get(doc_id, score))
    return by_score(best)[:reach]
