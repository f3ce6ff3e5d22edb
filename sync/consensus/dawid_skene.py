"""Dawid-Skene (1979): every annotator has a table of confusions, found together with the true grades.

Grades are mere names here. The tables take many votes of each annotator; where there are few, the ordinal form with its
few numbers an annotator is nearer to the truth.
"""

import numpy as np

from sync.consensus.base import ROUNDS, TOLERANCE, Estimate, Sums, alike, normalised, shares
from sync.votes import Votes

_TINY = 1e-10


def dawid_skene(votes: Votes, n_grades: int) -> Estimate:
    """Expectation maximisation from the shares of the votes: no prior, no smoothing."""
    votes, of, times = alike(votes, n_grades)
    sums, posterior = Sums(votes, n_grades), shares(votes, n_grades)
    for _ in range(ROUNDS):
        weighed = posterior * times
        said = sums.by_annotator(weighed)
        tables = said / np.maximum(said.sum(axis=2, keepdims=True), _TINY)
        prior = weighed.sum(axis=0) / times.sum()
        logs = np.log(np.maximum(prior, _TINY)) + sums.by_pair(np.log(np.maximum(tables, _TINY)))
        fresh = normalised(logs)
        moved, posterior = float(np.abs(fresh - posterior).max()), fresh
        if moved < TOLERANCE:
            break
    return Estimate(posterior[of])
