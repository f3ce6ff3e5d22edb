"""nDCG@k: how much of the best order's gain a run's first k have (Järvelin and Kekäläinen 2002)."""

import numpy as np

from sync.evaluation.ranked import Ranked, share
from sync.votes import Floats, Ints


def ndcg(ranked: Ranked, k: int) -> Floats:
    """DCG = sum of grade / log2(rank + 1), rank from 1, over that of the best order of all judged items.

    The gains are the grades themselves, as in trec_eval; unjudged items gain nothing.
    """
    first = np.concatenate([[0], np.cumsum(ranked.n_judged)])[:-1]
    best_rank = np.arange(len(ranked.of)) - first[ranked.of]
    best = np.bincount(ranked.of, _gains(ranked.ideal, best_rank, k), minlength=len(ranked.queries))
    top = ranked.top(k)
    return share(top.total(_gains(top.grade, top.rank, k)), best)


def _gains(grade: Ints, rank: Ints, k: int) -> Floats:
    discount = np.log2(np.arange(k) + 2)[np.minimum(rank, k - 1)]
    return np.where(rank < k, np.maximum(grade, 0) / discount, 0.0)
