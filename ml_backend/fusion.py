"""Fusion of rankings by rank, never by raw score."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from label_configs.records import ScoredDoc

_K = 60


class Fused(NamedTuple):
    """A document with its fused score and the source that ranked it best."""

    doc_id: str
    score: float
    source: str


def reciprocal_rank(rankings: Mapping[str, Sequence[ScoredDoc]]) -> list[Fused]:
    """Reciprocal rank fusion (Cormack et al., SIGIR 2009): the sum of 1 / (60 + rank), rank from 1; ties by doc_id."""
    scores: dict[str, float] = {}
    best: dict[str, tuple[int, str]] = {}
    for source, ranking in rankings.items():
        for rank, hit in enumerate(ranking, 1):
            scores[hit.doc_id] = scores.get(hit.doc_id, 0.0) + 1 / (_K + rank)
            best[hit.doc_id] = min(best.get(hit.doc_id, (rank, source)), (rank, source))
    order = sorted(scores, key=lambda doc_id: (-scores[doc_id], doc_id))
    return [Fused(doc_id, scores[doc_id], best[doc_id][1]) for doc_id in order]
