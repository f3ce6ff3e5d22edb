"""Grades as evidence: an ordered logit, its cuts midway between grades, with each annotator's bias and spread.

P(grade <= k) = 1 / (1 + e^-((k + 1/2 - place - bias) / s)), s = spread * sqrt(3) / pi, which has that spread.
"""

import numpy as np

from sync.scale.evidence import Product
from sync.votes import Floats, Ints

_UNIT = float(np.sqrt(3.0) / np.pi)


class Graded:
    """Grades, as indexes from 0: of each its item, the grade, its annotator's bias and spread, its weight."""

    def __init__(
        self, n: int, n_grades: int, item: Ints, grade: Ints, bias: Floats, spread: Floats, weight: Floats
    ) -> None:
        self._n, self._item, self._scale, self._weight = n, item, spread * _UNIT, weight
        self._upper = np.where(grade == n_grades - 1, np.inf, grade + 0.5 - bias)
        self._lower = np.where(grade == 0, -np.inf, grade - 0.5 - bias)

    def loss(self, places: Floats) -> float:
        """See Evidence."""
        return float(-(self._weight * self.logs(places)).sum())

    def logs(self, places: Floats) -> Floats:
        """Log probability of each grade: of s(u) - s(l) = s(u) s(-l) (1 - e^(l-u)), s the logistic function."""
        upper, lower = self._ends(places)
        between = np.log1p(-np.exp(-(self._upper - self._lower) / self._scale))
        return np.asarray(-np.logaddexp(0.0, -upper) - np.logaddexp(0.0, lower) + between)

    def slope(self, places: Floats) -> Floats:
        """See Evidence."""
        upper, lower = map(_logistic, self._ends(places))
        return self._sum((1.0 - upper - lower) / self._scale)

    def curvature(self, places: Floats) -> Product:
        """See Evidence. It is diagonal."""
        upper, lower = map(_logistic, self._ends(places))
        bend = self._sum((upper * (1 - upper) + lower * (1 - lower)) / self._scale**2)
        return lambda vector: bend * vector

    def _ends(self, places: Floats) -> tuple[Floats, Floats]:
        there = places[self._item]
        return (self._upper - there) / self._scale, (self._lower - there) / self._scale

    def _sum(self, values: Floats) -> Floats:
        return np.bincount(self._item, self._weight * values, minlength=self._n).astype(np.float64)


def _logistic(x: Floats) -> Floats:
    return np.asarray(0.5 * (1.0 + np.tanh(x / 2)))
