"""Median: the grade in the middle of the votes, which one wild vote of three cannot move."""

import numpy as np

from sync.consensus.base import Estimate, counts
from sync.votes import Votes


def median(votes: Votes, n_grades: int) -> Estimate:
    """The middle vote; of an even number the two middle ones have half of the probability each."""
    given = counts(votes, n_grades)
    below, total = given.cumsum(axis=1), given.sum(axis=1, keepdims=True)
    middles = ((total - 1) // 2, total // 2)
    chosen = [(below > middle) & (below - given <= middle) for middle in middles]
    return Estimate(np.asarray((chosen[0].astype(float) + chosen[1].astype(float)) / 2))
