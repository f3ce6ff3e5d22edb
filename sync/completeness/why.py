"""What the reasons say: which of them go with scores that are too high, and so what the models do not see."""

from collections.abc import Mapping
from math import erfc, sqrt
from typing import NamedTuple, TypedDict

import numpy as np

from label_configs.records import Candidate
from sync.completeness.audit import Pair
from sync.said import Said

NEAR = 10
"""Ranks of the pre-ranking up to which something that is not positive is a near miss."""


class Why(TypedDict):
    """One reason code. near: near misses that have it; elsewhere: pairs ranked lower that do, of those with reasons.

    lift: how much more often near misses have it. p: the chance that of pairs of the same grade those with the code
    score so much higher by accident (permutations within grades, one-sided), corrected for the number of codes (Holm).
    """

    code: str
    near: int
    near_of: int
    elsewhere: int
    elsewhere_of: int
    lift: float | None
    p: float


class Reasoned(NamedTuple):
    """A pair that people gave reasons for. close: mined as a hard negative, or ranked among the first ten."""

    codes: set[str]
    grade: int
    score: float
    close: bool


def why(
    said: Mapping[Pair, Said],
    graded: Mapping[Pair, int],
    candidates: Mapping[Pair, Candidate],
    positive: frozenset[int],
) -> list[Why]:
    """The reason codes, first what is surest to be a weakness of the models.

    Where a model does not see what is wrong with an item, it scores it as high as better ones. So pairs of one grade
    are compared: do those with this reason have higher scores than those with others? A pair has the codes that were
    named at least half as often as its commonest. Near misses are close and not positive.
    """
    rows = [
        Reasoned(_codes(about), graded[pair], shown.score, shown.role == "hard_negative" or 0 < shown.rank <= NEAR)
        for pair, about in said.items()
        if about.reasons and pair in graded and (shown := candidates.get(pair))
    ]
    codes = sorted(set().union(*(row.codes for row in rows)))
    surest = sorted((-_excess(code, rows), code) for code in codes)
    near = [row.codes for row in rows if row.close and row.grade not in positive]
    far = [row.codes for row in rows if not row.close]
    reached, found = 0.0, []
    for n, (excess, code) in enumerate(surest):
        reached = max(reached, min(1.0, 0.5 * erfc(-excess / sqrt(2)) * (len(surest) - n)))
        found.append(_counted(code, near, far, round(reached, 6)))
    return found


def _codes(about: Said) -> set[str]:
    most = max(about.reasons.values())
    return {code for code, count in about.reasons.items() if 2 * count >= most}


def _excess(code: str, rows: list[Reasoned]) -> float:
    """How far the scores of pairs with a code lie above those of pairs of the same grade, in standard errors.

    Mean and variance are those of the sum over all ways to give the code to as many pairs of each grade. 0 where no
    grade has pairs with the code and without.
    """
    above, variance = 0.0, 0.0
    for grade in sorted({row.grade for row in rows}):
        of = [row for row in rows if row.grade == grade]
        scores, has = np.array([row.score for row in of]), np.array([code in row.codes for row in of])
        n, some, apart = len(of), int(has.sum()), scores - scores.mean()
        if 0 < some < n:
            above += float(apart[has].sum())
            variance += some * (n - some) / (n * (n - 1)) * float((apart**2).sum())
    return above / sqrt(variance) if variance else 0.0


def _counted(code: str, near: list[set[str]], far: list[set[str]], p: float) -> Why:
    here, there = sum(code in of for of in near), sum(code in of for of in far)
    lift = (here / len(near)) / (there / len(far)) if near and there else None
    return Why(
        code=code,
        near=here,
        near_of=len(near),
        elsewhere=there,
        elsewhere_of=len(far),
        lift=None if lift is None else round(lift, 2),
        p=p,
    )
