"""From a score to the chances of the grades: a cumulative link model (McCullagh 1980, "Regression models for ordinal
data").

P(grade index > k) = 1 / (1 + exp(−slope · (score − cuts[k]))) with rising cuts. The log-likelihood is concave, so that
Newton's method finds its only maximum. The fit begins with what holds before anybody judged, worth a handful of
answers: grades that nobody gave stay reachable, and few answers move little.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FIRST_CUT, SLOPE = 2.0, 2.0
"""Before anybody judged: an item 2 standard deviations above the corpus gets the second lowest grade, and each further
deviation one grade more."""
_PRIOR_ANSWERS = 10.0
_FLATTEST = 0.1
_LOWEST, _HIGHEST = -10.0, 30.0
_STEPS = 100


@dataclass(frozen=True)
class Calibration:
    """cuts: the scores from which each grade but the lowest is as likely reached as not, rising."""

    slope: float
    cuts: tuple[float, ...]

    def reached(self, scores: Sequence[float] | Floats) -> Floats:
        """The chance that the grade is above the k-th lowest, shape (scores, grades − 1)."""
        return _logistic(self.slope * (np.asarray(scores, dtype=np.float64)[:, None] - np.array(self.cuts)))

    def chances(self, scores: Sequence[float] | Floats) -> Floats:
        """The chance of each grade, from the lowest, shape (scores, grades)."""
        reached = self.reached(scores)
        ends = np.ones((len(reached), 1)), np.zeros((len(reached), 1))
        edges = np.concatenate([ends[0], reached, ends[1]], axis=1)
        return np.asarray(edges[:, :-1] - edges[:, 1:])

    def grades(self, scores: Sequence[float] | Floats) -> NDArray[np.int64]:
        """The median grade as an index from the lowest: it never falls when the score rises, and leaves none out."""
        return np.asarray((np.asarray(scores, dtype=np.float64)[:, None] >= np.array(self.cuts)).sum(axis=1))

    def expected(self, scores: Sequence[float] | Floats, values: Sequence[int]) -> Floats:
        """The mean of the grades' values by their chances; it rises with the score. values: from the lowest."""
        gaps = [high - low for low, high in pairwise(values)]
        return np.asarray(values[0] + self.reached(scores) @ np.array(gaps, dtype=np.float64))

    def doubt(self, scores: Sequence[float] | Floats) -> Floats:
        """The entropy of the chances, from 0 (sure) to 1 (every grade as likely as the next)."""
        chances = self.chances(scores)
        logs = np.log(np.where(chances > 0, chances, 1.0))
        return np.asarray(-(chances * logs).sum(axis=1) / np.log(chances.shape[1]))

    def loss(self, scores: Floats, grades: NDArray[np.int64]) -> float:
        """Mean negative logarithm of the chance that the right grade got; grades as indices."""
        given = self.chances(scores)[np.arange(len(grades)), grades]
        return float(-np.log(np.maximum(given, 1e-9)).mean())


def before(n_grades: int) -> Calibration:
    """The calibration that nobody has taught."""
    return Calibration(SLOPE, tuple(FIRST_CUT + n for n in range(n_grades - 1)))


def fit(scores: Floats, grades: NDArray[np.int64], n_grades: int) -> Calibration:
    """The calibration that explains the grades best. The same rows in any order give the same, to rounding.

    Where scores say nothing of the grades, the slope stays just above 0: the grade still never falls with the score.
    """
    prior = before(n_grades)
    grid = np.arange(4 * n_grades + 17, dtype=np.float64) / 4 + FIRST_CUT - 3
    rows = np.concatenate([scores.clip(_LOWEST, _HIGHEST), grid])
    weights = np.concatenate([np.eye(n_grades)[grades], prior.chances(grid) * (_PRIOR_ANSWERS / len(grid))])
    start = np.array([prior.slope, *(prior.slope * cut for cut in prior.cuts)])
    found = _climb(rows, weights, start, np.ones(n_grades, dtype=bool))
    if found[0] < _FLATTEST:
        start[1:] *= _FLATTEST / start[0]
        start[0] = _FLATTEST
        found = _climb(rows, weights, start, np.arange(n_grades) > 0)
    slope, cuts = round(float(found[0]), 6), np.round(found[1:] / found[0], 6)
    return Calibration(slope, tuple(cuts.tolist()))


def _climb(rows: Floats, weights: Floats, start: Floats, free: NDArray[np.bool_]) -> Floats:
    """Newton's method with halved steps; parameters are the slope, then slope · cut for each cut. free: which move."""
    at, best = start, _likelihood(rows, weights, start)
    for _ in range(_STEPS):
        gradient, curvature = _derivatives(rows, weights, at)
        step = np.zeros_like(at)
        step[free] = np.linalg.solve(curvature[np.ix_(free, free)] - 1e-9 * np.eye(int(free.sum())), -gradient[free])
        size = 1.0
        while size > 1e-8 and not (fresh := _likelihood(rows, weights, at + size * step)) > best:
            size /= 2
        if size <= 1e-8:
            break
        gained, at, best = fresh - best, at + size * step, fresh
        if gained < 1e-10 * abs(best):
            break
    return at


def _likelihood(rows: Floats, weights: Floats, at: Floats) -> float:
    """The log-likelihood; minus infinity where the cuts do not rise."""
    if (np.diff(at[1:]) <= 1e-6).any():
        return -np.inf
    return float((weights * np.log(_chances(rows, at)[0])).sum())


def _chances(rows: Floats, at: Floats) -> tuple[Floats, Floats]:
    """The chance of each grade, and that of being below each cut."""
    below = _logistic(at[1:] - at[0] * rows[:, None])
    return np.diff(below, axis=1, prepend=0.0, append=1.0).clip(min=1e-12), below


def _derivatives(rows: Floats, weights: Floats, at: Floats) -> tuple[Floats, Floats]:
    """Gradient and Hessian of the log-likelihood: by the links first, then by the parameters that they are made of."""
    chances, below = _chances(rows, at)
    density = below * (1 - below)
    pull, hold = weights / chances, weights / chances**2
    slopes = density * (pull[:, :-1] - pull[:, 1:])
    n_cuts = len(at) - 1
    bends = np.zeros((len(rows), n_cuts, n_cuts))
    diagonal = np.arange(n_cuts)
    bends[:, diagonal, diagonal] = slopes * (1 - 2 * below) - density**2 * (hold[:, :-1] + hold[:, 1:])
    beside = density[:, :-1] * density[:, 1:] * hold[:, 1:-1]
    bends[:, diagonal[:-1], diagonal[1:]] = bends[:, diagonal[1:], diagonal[:-1]] = beside
    gradient = np.concatenate([[-(rows @ slopes.sum(axis=1))], slopes.sum(axis=0)])
    curvature = np.empty((n_cuts + 1, n_cuts + 1))
    curvature[1:, 1:] = bends.sum(axis=0)
    curvature[0, 1:] = curvature[1:, 0] = -(rows @ bends.sum(axis=2))
    curvature[0, 0] = rows**2 @ bends.sum(axis=(1, 2))
    return gradient, curvature


def _logistic(x: Floats) -> Floats:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))
