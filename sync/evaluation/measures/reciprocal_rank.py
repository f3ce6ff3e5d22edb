"""MRR@k: how soon the first relevant item comes."""

from sync.evaluation.ranked import Ranked
from sync.votes import Floats


def reciprocal_rank(ranked: Ranked, k: int) -> Floats:
    """1 / rank of the first relevant item, from 1; 0 where there is none among the first k."""
    first = ranked.relevant & (ranked.so_far(ranked.relevant) == 1) & (ranked.rank < k)
    found = ranked.total(first / (ranked.rank + 1.0))
    return ranked.per_relevant(found * ranked.n_relevant)
