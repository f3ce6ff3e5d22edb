"""Preferences as evidence: Bradley-Terry with Davidson's ties (1970).

P(i better than j) = e^(d/2) / (e^(d/2) + e^(-d/2) + v), P(tie) = v / the same; d = steepness * (place_i - place_j).
Without ties v is 0, and this is Bradley and Terry's model (1952).
"""

import numpy as np

from sync.scale.evidence import Product
from sync.votes import Floats, Ints


class Compared:
    """Comparisons: of each the better item, the other one, whether it was a tie, and its weight. n: of the items."""

    def __init__(
        self, n: int, better: Ints, other: Ints, tie: Ints, weight: Floats | None = None, steepness: float = 1.0
    ) -> None:
        weight = np.ones(len(better)) if weight is None else weight
        low, high = np.minimum(better, other), np.maximum(better, other)
        edges, edge = np.unique(low * max(1, n) + high, return_inverse=True)
        self._n, self._steepness = n, steepness
        self._low, self._high = np.divmod(edges, max(1, n))
        said = np.where(tie == 1, 0.0, np.where(better == low, 0.5, -0.5))
        self._times = np.bincount(edge, weight, minlength=len(edges))
        self._won = np.bincount(edge, weight * said, minlength=len(edges))
        self._ties = float((weight * tie).sum())
        self.tie_log = float("-inf")

    def fit_ties(self, places: Floats) -> None:
        """Set v to what explains the number of ties best, given the places: their number is the expected one."""
        if not self._ties or self._ties >= self._times.sum():
            self.tie_log = float("-inf") if not self._ties else 5.0
            return
        low, high = -20.0, 20.0
        for _ in range(60):
            self.tie_log = (low + high) / 2
            expected = float((self._times * self._chances(places)[1]).sum())
            low, high = (self.tie_log, high) if expected < self._ties else (low, self.tie_log)

    def loss(self, places: Floats) -> float:
        """See Evidence."""
        d = self._apart(places)
        ties = self._ties * self.tie_log if self._ties else 0.0
        return float((self._times * _log_sum(d, self.tie_log)).sum() - (self._won * d).sum() - ties)

    def slope(self, places: Floats) -> Floats:
        """See Evidence."""
        tilt, _ = self._chances(places)
        return self._spread(self._times * tilt / 2 - self._won)

    def curvature(self, places: Floats) -> Product:
        """See Evidence."""
        tilt, tied = self._chances(places)
        bend = self._times * (1.0 - tied - tilt**2) / 4
        return lambda vector: self._spread(bend * self._apart(vector))

    def _apart(self, places: Floats) -> Floats:
        return np.asarray(self._steepness * (places[self._low] - places[self._high]))

    def _spread(self, edges: Floats) -> Floats:
        up = np.bincount(self._low, edges, minlength=self._n)
        return np.asarray(self._steepness * (up - np.bincount(self._high, edges, minlength=self._n)))

    def _chances(self, places: Floats) -> tuple[Floats, Floats]:
        """Of each two items the chance that the lower one wins less that it loses, and the chance of a tie."""
        d = self._apart(places)
        total = _log_sum(d, self.tie_log)
        tilt = np.exp(d / 2 - total) - np.exp(-d / 2 - total)
        return np.asarray(tilt), np.asarray(np.exp(self.tie_log - total))


def chances(d: Floats, tie_log: float) -> tuple[Floats, Floats]:
    """That the first of two items is preferred, and that they tie, where it lies d above the other."""
    total = _log_sum(d, tie_log)
    return np.asarray(np.exp(d / 2 - total)), np.asarray(np.exp(tie_log - total))


def _log_sum(d: Floats, tie_log: float) -> Floats:
    return np.asarray(np.logaddexp(np.logaddexp(d / 2, -d / 2), tie_log))
