"""Left or right: sides of a pair are drawn, so either should win half of the decided comparisons."""

from collections.abc import Sequence
from typing import TypedDict

from label_configs.records import Judgment
from sync.completeness.bounds import Interval, binomial_cdf, interval


class Sides(TypedDict):
    """Decided comparisons, how many the left one won, the share with exact bounds, and the chance by accident."""

    decided: int
    left: int
    share: Interval | None
    p: float | None


def sides(judgments: Sequence[Judgment]) -> Sides:
    """How often the left one won; ties and neither do not count."""
    won = [j.side for j in judgments if j.kind == "preference" and j.value == "better"]
    left, decided = won.count("left"), len(won)
    p = min(1.0, 2 * binomial_cdf(min(left, decided - left), decided, 0.5)) if decided else None
    return Sides(decided=decided, left=left, share=interval(left, decided), p=None if p is None else round(p, 6))
