"""Whether a ranking is better than another: nDCG@10 of each query, and an interval of the mean difference."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CUT = 10
LEAST = 10
"""Queries below which nothing is believed."""
_DRAWS = 4000


class Compared(NamedTuple):
    """Mean nDCG@10 of both rankings over some queries; low and high: the 95 % interval of the mean difference."""

    queries: int
    before: float
    after: float
    low: float
    high: float

    @property
    def better(self) -> bool:
        """Whether the second ranking is better beyond chance."""
        return self.queries >= LEAST and self.low > 0


def ndcg(scores: Floats, gains: Floats) -> float:
    """nDCG@10 of one query's items ranked by score, ties in the order given; gains below 0 count as 0.

    NaN where no item gains anything: no ranking of them is better than another.
    """
    gains = gains.clip(min=0.0)
    weights = 1 / np.log2(np.arange(2, CUT + 2))
    ideal = np.sort(gains)[::-1][:CUT]
    best = float(ideal @ weights[: len(ideal)])
    found = gains[np.argsort(-scores, kind="stable")][:CUT]
    return float(found @ weights[: len(found)]) / best if best > 0 else float("nan")


def compare(before: Sequence[float], after: Sequence[float], seed: int = 0) -> Compared:
    """Two rankings by what they reach for each query, paired; queries that are NaN are left out.

    The interval is a bootstrap's: queries are drawn anew, 4,000 times.
    """
    given: Floats = np.array([before, after], dtype=np.float64)
    pairs: Floats = given[:, ~np.isnan(given).any(axis=0)]
    if not pairs.size:
        return Compared(0, 0.0, 0.0, 0.0, 0.0)
    differences, count = pairs[1] - pairs[0], pairs.shape[1]
    drawn = np.random.default_rng(seed).integers(count, size=(_DRAWS, count))
    low, high = np.percentile(differences[drawn].mean(axis=1), [2.5, 97.5])
    return Compared(count, *(round(float(x), 6) for x in (*pairs.mean(axis=1), low, high)))
