"""judged@k: how many of a run's first k anybody has looked at. All other measures are worth no more than this."""

from sync.evaluation.ranked import UNJUDGED, Ranked, share
from sync.votes import Floats


def judged(ranked: Ranked, k: int) -> Floats:
    """Share of the first k items that were judged; NaN for a query without a ranking."""
    top = ranked.rank < k
    return share(ranked.total(top & (ranked.grade != UNJUDGED)), ranked.total(top))
