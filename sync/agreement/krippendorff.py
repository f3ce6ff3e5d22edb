"""Krippendorff's alpha: agreement beyond chance of any number of annotators, with gaps (Krippendorff 2011)."""

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import numpy as np

from sync.consensus.base import counts
from sync.votes import Floats, Ints, Votes

Level = Literal["ordinal", "interval", "nominal"]
_DRAWS = 1000


class Alpha(NamedTuple):
    """An alpha, where it lies with a chance of 95 % (bootstrap over pairs), and on how many pairs with two votes."""

    value: float
    low: float
    high: float
    pairs: int


def alpha(votes: Votes, n_grades: int, level: Level = "ordinal") -> float | None:
    """1 is agreement, 0 what chance would give; None where no pair has two votes.

    alpha = 1 - observed / expected disagreement over the coincidence matrix. The difference of two grades is, squared,
    at the ordinal level the number of votes that lie between them, at the interval level the number of steps.
    """
    patterns, times = _patterns(votes, n_grades)
    return float(_alphas(times[None].astype(float), patterns, level)[0]) if len(times) else None


def alpha_interval(votes: Votes, n_grades: int, level: Level = "ordinal", seed: int = 0) -> Alpha | None:
    """The same with its interval.

    Pairs with the same votes are alike, so that a draw of a million pairs is one of how often each pattern comes.
    """
    patterns, times = _patterns(votes, n_grades)
    if not len(times):
        return None
    total = int(times.sum())
    drawn = np.random.default_rng(seed).multinomial(total, times / total, _DRAWS)
    low, high = np.quantile(_alphas(drawn.astype(float), patterns, level), (0.025, 0.975))
    return Alpha(float(_alphas(times[None].astype(float), patterns, level)[0]), float(low), float(high), total)


def _patterns(votes: Votes, n_grades: int) -> tuple[Floats, Ints]:
    """The different ways in which pairs with two votes or more were voted on, shape (patterns, grades); how often."""
    given = counts(votes, n_grades)
    given = given[given.sum(axis=1) > 1]
    base = int(given.max(initial=0)) + 1
    if base**n_grades < 2**62:
        codes, times = np.unique(given @ base ** np.arange(n_grades), return_counts=True)
        return (codes[:, None] // base ** np.arange(n_grades) % base).astype(float), times
    patterns, times = np.unique(given, axis=0, return_counts=True)
    return patterns.astype(float), times


def _alphas(times: Floats, patterns: Floats, level: Level) -> Floats:
    """An alpha for each row of how often the patterns come, shape (rows, patterns)."""
    size = patterns.shape[1]
    others = patterns[:, None, :] - np.eye(size)
    alike = patterns[:, :, None] * others / (patterns.sum(axis=1) - 1)[:, None, None]
    together = (times @ alike.reshape(len(patterns), -1)).reshape(-1, size, size)
    totals = together.sum(axis=2)
    distance = _DISTANCES[level](totals)
    expected = (totals[:, :, None] * totals[:, None, :] * distance).sum(axis=(1, 2))
    observed = (together * distance).sum(axis=(1, 2)) * (totals.sum(axis=1) - 1)
    return np.where(expected > 0, 1.0 - observed / np.where(expected > 0, expected, 1), 1.0)


def _ordinal(totals: Floats) -> Floats:
    """Number of votes between two grades, half of the votes at either end counted, squared."""
    middles = np.cumsum(totals, axis=1) - totals / 2
    return np.asarray((middles[:, :, None] - middles[:, None, :]) ** 2)


def _interval(totals: Floats) -> Floats:
    steps = np.arange(totals.shape[1], dtype=float)
    return np.asarray((steps[:, None] - steps[None, :])[None] ** 2)


def _nominal(totals: Floats) -> Floats:
    return np.asarray(1.0 - np.eye(totals.shape[1]))[None]


_DISTANCES: Mapping[Level, Callable[[Floats], Floats]] = {
    "ordinal": _ordinal,
    "interval": _interval,
    "nominal": _nominal,
}
