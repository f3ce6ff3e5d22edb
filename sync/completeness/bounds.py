"""Exact bounds on shares and counts from few observations: no normal approximation, which fails just there."""

from collections.abc import Callable
from math import comb, exp, lgamma, log, log1p
from typing import NamedTuple

LEVEL = 0.95


class Interval(NamedTuple):
    """A share with its bounds."""

    share: float
    low: float
    high: float


def binomial_cdf(x: int, n: int, p: float) -> float:
    """The chance of at most x of n, each with chance p."""
    if x >= n or p <= 0:
        return 1.0
    if x < 0 or p >= 1:
        return 0.0
    whole = lgamma(n + 1)
    terms = (whole - lgamma(k + 1) - lgamma(n - k + 1) + k * log(p) + (n - k) * log1p(-p) for k in range(x + 1))
    return min(1.0, sum(map(exp, terms)))


def upper(x: int, n: int, level: float = LEVEL) -> float:
    """Clopper and Pearson's upper bound (1934) on a share of which x of n were seen: one-sided, 1 for n = 0.

    The largest share under which seeing so few still has a chance of 1 - level.
    """
    if x >= n:
        return 1.0
    return _crossing(lambda p: binomial_cdf(x, n, p) >= 1 - level)


def lower(x: int, n: int, level: float = LEVEL) -> float:
    """The lower bound that goes with `upper`; 0 for n = 0."""
    return 1.0 - upper(n - x, n, level)


def interval(x: int, n: int, level: float = LEVEL) -> Interval | None:
    """A share with two-sided exact bounds; None for n = 0."""
    side = (1 + level) / 2
    return Interval(round(x / n, 4), round(lower(x, n, side), 4), round(upper(x, n, side), 4)) if n else None


def hypergeometric_cdf(x: int, size: int, marked: int, n: int) -> float:
    """The chance of at most x marked ones among n that are drawn from `size`, of which `marked` are marked."""
    least = max(0, n - (size - marked))
    ways = sum(comb(marked, k) * comb(size - marked, n - k) for k in range(least, min(x, n, marked) + 1))
    return ways / comb(size, n)


def most_marked(x: int, size: int, n: int, level: float = LEVEL) -> int:
    """The exact upper bound on how many of `size` are marked, where n were drawn and x of them are.

    The largest number under which seeing so few has a chance above 1 - level; found by halving, as the chance falls.
    """
    low, high = x, size - (n - x)
    while low < high:
        middle = (low + high + 1) // 2
        if hypergeometric_cdf(x, size, middle, n) > 1 - level:
            low = middle
        else:
            high = middle - 1
    return low


def _crossing(holds: Callable[[float], bool]) -> float:
    """Where something that holds at 0 and not at 1 ceases to hold."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return high
