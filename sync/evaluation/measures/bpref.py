"""bpref: are relevant items above irrelevant ones, of those that were judged? (Buckley and Voorhees 2004)"""

import numpy as np

from sync.evaluation.ranked import Ranked
from sync.votes import Floats


def bpref(ranked: Ranked) -> Floats:
    """1 / R times the sum, over retrieved relevant items, of 1 - min(n, R) / min(N, R), as in trec_eval.

    n: judged irrelevant items above it. R and N: all relevant and all irrelevant items that were judged.
    """
    most = np.minimum(ranked.n_relevant, ranked.n_judged - ranked.n_relevant)[ranked.query]
    above = np.minimum(ranked.so_far(ranked.irrelevant), ranked.n_relevant[ranked.query])
    return ranked.per_relevant(ranked.total(ranked.relevant * (1.0 - above / np.maximum(most, 1))))
