"""mAP@R: average precision over the first R, as many as there are relevant items (Musgrave et al. 2020).

ECCV Caption found it to agree with people better than recall@k does, because it looks at all positives.
"""

from sync.evaluation.ranked import Ranked
from sync.votes import Floats


def average_precision(ranked: Ranked) -> Floats:
    """1 / R times the sum, over relevant items among the first R, of the precision at their rank."""
    counted = ranked.relevant & (ranked.rank < ranked.n_relevant[ranked.query])
    precision = ranked.so_far(ranked.relevant) / (ranked.rank + 1.0)
    return ranked.per_relevant(ranked.total(counted * precision))
