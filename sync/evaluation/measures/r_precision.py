"""R-precision: precision among the first R, as many as there are relevant items."""

from sync.evaluation.ranked import Ranked
from sync.votes import Floats


def r_precision(ranked: Ranked) -> Floats:
    """Relevant items among the first R, divided by R."""
    return ranked.per_relevant(ranked.total(ranked.relevant & (ranked.rank < ranked.n_relevant[ranked.query])))
