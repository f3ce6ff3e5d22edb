"""judged@k: how many of a run's first k anybody has looked at. All other measures are worth no more than this."""

import numpy as np

from sync.evaluation.ranked import UNJUDGED, Ranked, share
from sync.votes import Floats


def judged(ranked: Ranked, k: int) -> Floats:
    """Share of the first k items that were judged; NaN for a query without a ranking."""
    top = ranked.top(k)
    return share(top.total(top.grade != UNJUDGED), top.total(np.ones(len(top.rank))))
