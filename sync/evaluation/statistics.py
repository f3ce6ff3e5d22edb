"""Intervals over queries, and whether two runs differ: both by drawing again, with a seed."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from sync.votes import Floats

DRAWS = 2000
_BLOCK = 2_000_000
"""Numbers drawn at a time."""
_FEW = 12
"""Queries from which on signs are drawn, instead of trying all."""


class Interval(NamedTuple):
    """A mean over queries, and where it lies with a chance of 95 % (percentile bootstrap over queries)."""

    value: float
    low: float
    high: float
    queries: int


class Difference(NamedTuple):
    """How much better one run is than another on the queries of both, with its interval.

    p: chance of a mean difference as large, either way, if it were a matter of luck which run is which in each query.
    """

    value: float
    low: float
    high: float
    p: float
    queries: int


def interval(values: Floats, seed: int = 0) -> Interval | None:
    """The mean of the values that are not NaN; None where there is none."""
    known = values[~np.isnan(values)]
    if not len(known):
        return None
    random = np.random.default_rng(seed)
    means = [known[random.integers(0, len(known), (n, len(known)))].mean(axis=1) for n in _blocks(len(known))]
    low, high = np.quantile(np.concatenate(means), (0.025, 0.975))
    return Interval(float(known.mean()), float(low), float(high), len(known))


def difference(one: Floats, other: Floats, seed: int = 0) -> Difference | None:
    """one - other, query by query; None where no query has both."""
    between = interval(one - other, seed)
    if between is None:
        return None
    known = (one - other)[~np.isnan(one - other)]
    return Difference(*between[:3], _by_luck(known, seed), len(known))


def _by_luck(differences: Floats, seed: int) -> float:
    """Paired randomisation test (Fisher; Smucker et al. 2007), two-sided: exact where there are few queries."""
    exact = len(differences) < _FEW
    reached, tried = (0, 0) if exact else (1, 1)
    for signs in _signs(len(differences), seed):
        means = np.abs(signs @ differences)
        reached += int((means >= abs(differences.sum()) - 1e-12).sum())
        tried += len(signs)
    return reached / tried


def _signs(n: int, seed: int) -> Iterator[Floats]:
    """All ways to flip n signs where they are few, else so many draws of them."""
    if n < _FEW:
        yield np.asarray(1.0 - 2.0 * (np.arange(2**n)[:, None] >> np.arange(n) & 1), np.float64)
        return
    random = np.random.default_rng(seed)
    for size in _blocks(n, 5 * DRAWS):
        yield np.asarray(1.0 - 2.0 * random.integers(0, 2, (size, n), dtype=np.int8), np.float64)


def _blocks(n: int, draws: int = DRAWS) -> Iterator[int]:
    """How many draws of n numbers at a time."""
    size = max(1, _BLOCK // max(1, n))
    yield from (min(size, draws - done) for done in range(0, draws, size))
