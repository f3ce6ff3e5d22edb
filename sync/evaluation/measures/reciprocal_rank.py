"""MRR@k: how soon the first relevant item comes."""

from sync.evaluation.ranked import Ranked
from sync.votes import Floats


def reciprocal_rank(ranked: Ranked, k: int) -> Floats:
    """1 / rank of the first relevant item, from 1; 0 where there is none among the first k."""
    top = ranked.top(k)
    first = top.relevant & (top.so_far(top.relevant) == 1)
    return top.per_relevant(top.total(first / (top.rank + 1.0)) * top.n_relevant)
