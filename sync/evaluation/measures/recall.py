"""recall@k: share of the relevant items that are among the first k."""

from sync.evaluation.ranked import Ranked
from sync.votes import Floats


def recall(ranked: Ranked, k: int) -> Floats:
    """Relevant items among the first k, of all relevant ones that are known."""
    top = ranked.top(k)
    return top.per_relevant(top.total(top.relevant))
