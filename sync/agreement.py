"""How far annotators agree: Krippendorff's alpha."""

import numpy as np
from numpy.typing import NDArray

from sync.votes import Votes


def alpha(votes: Votes, n_grades: int) -> float | None:
    """Krippendorff's alpha with the ordinal metric (Krippendorff 2011); None where no pair has two votes.

    1 is agreement, 0 what chance would give. alpha = 1 - observed / expected disagreement over the coincidence
    matrix, where the difference of two grades is the number of votes that lie between them, squared.
    """
    counts = np.zeros((len(votes.pairs), n_grades))
    np.add.at(counts, (votes.pair, votes.grade), 1.0)
    counts = counts[counts.sum(axis=1) > 1]
    if not len(counts):
        return None
    weights = 1.0 / (counts.sum(axis=1) - 1.0)
    together = (counts * weights[:, None]).T @ counts - np.diag((counts * weights[:, None]).sum(axis=0))
    totals = together.sum(axis=1)
    distance = _ordinal(totals)
    expected = float((np.outer(totals, totals) * distance).sum()) / (totals.sum() - 1.0)
    observed = float((together * distance).sum())
    return 1.0 if expected == 0 else float(1.0 - observed / expected)


def _ordinal(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared number of votes between two grades, half of the votes at either end counted."""
    middles = np.cumsum(totals) - totals / 2
    return np.asarray((middles[:, None] - middles[None, :]) ** 2)
