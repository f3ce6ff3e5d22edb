"""recall@k: share of the relevant items that are among the first k."""

from sync.evaluation.ranked import Ranked
from sync.votes import Floats


def recall(ranked: Ranked, k: int) -> Floats:
    """Relevant items among the first k, of all relevant ones that are known."""
    return ranked.per_relevant(ranked.total(ranked.relevant & (ranked.rank < k)))
