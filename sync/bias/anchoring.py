"""Anchoring: what changes where annotators see the model's order and grades; the blind share is the comparison."""

from collections.abc import Collection, Sequence
from typing import TypedDict

import numpy as np

from label_configs.records import Qrel, ScoredDoc
from sync.evaluation import ndcg

_SHUFFLES = 2000


class Anchoring(TypedDict):
    """nDCG@10 of the pre-ranking by judgments of assisted and of blind queries, and how much more the first is.

    Which queries stay blind is decided by a hash: they are as hard as the others, and a difference is what assistance
    does to the grades. p: the chance of so large a difference by accident, by shuffling the queries. None where
    there are not two of each.
    """

    assisted_queries: int
    blind_queries: int
    assisted: float | None
    blind: float | None
    difference: float | None
    p: float | None


def anchoring(qrels: Sequence[Qrel], run: Sequence[ScoredDoc], assisted: Collection[str]) -> Anchoring:
    """Compare the queries that were assisted with the others."""
    values = _by_query(qrels, run)
    helped = np.array([query_id in assisted for query_id in values], dtype=bool)
    found = np.array(list(values.values()))
    sides = int(helped.sum()), int((~helped).sum())
    if min(sides) < 2:
        return Anchoring(
            assisted_queries=sides[0], blind_queries=sides[1], assisted=None, blind=None, difference=None, p=None
        )
    here, there = float(found[helped].mean()), float(found[~helped].mean())
    return Anchoring(
        assisted_queries=sides[0],
        blind_queries=sides[1],
        assisted=round(here, 4),
        blind=round(there, 4),
        difference=round(here - there, 4),
        p=round(_chance(found, helped), 4),
    )


def _by_query(qrels: Sequence[Qrel], run: Sequence[ScoredDoc]) -> dict[str, float]:
    judged: dict[str, list[Qrel]] = {}
    ranked: dict[str, list[ScoredDoc]] = {}
    for qrel in qrels:
        judged.setdefault(qrel.query_id, []).append(qrel)
    for hit in run:
        ranked.setdefault(hit.query_id, []).append(hit)
    values = {query_id: ndcg(of, ranked.get(query_id, [])) for query_id, of in sorted(judged.items())}
    return {query_id: value for query_id, value in values.items() if value is not None}


def _chance(values: np.ndarray, helped: np.ndarray) -> float:  # type: ignore[type-arg]
    """The share of shuffles with a difference as large, the observed one counted too."""
    random, wanted = np.random.default_rng(0), abs(values[helped].mean() - values[~helped].mean())
    hits = 0
    for _ in range(_SHUFFLES):
        mixed = random.permutation(helped)
        hits += abs(values[mixed].mean() - values[~mixed].mean()) >= wanted - 1e-12
    return (hits + 1) / (_SHUFFLES + 1)
