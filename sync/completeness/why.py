"""What the reasons say: which of them are over-represented among near misses, and so what the models do not see."""

from collections.abc import Mapping
from typing import TypedDict

from label_configs.records import Candidate
from sync.completeness.audit import Pair
from sync.completeness.bounds import hypergeometric_cdf
from sync.said import Said

NEAR = 10
"""Ranks of the pre-ranking from which something that is not positive is a near miss."""


class Why(TypedDict):
    """One reason code. near: near misses that have it; elsewhere: other pairs with reasons that do.

    lift: how much more often near misses have it. p: the chance of so many or more by accident (Fisher's exact test,
    one-sided), corrected for the number of codes (Holm 1979).
    """

    code: str
    near: int
    near_of: int
    elsewhere: int
    elsewhere_of: int
    lift: float | None
    p: float


def why(
    said: Mapping[Pair, Said],
    graded: Mapping[Pair, int],
    candidates: Mapping[Pair, Candidate],
    positive: frozenset[int],
) -> list[Why]:
    """The reason codes, first what is surest to be a weakness of the models.

    A near miss is a pair that is not positive although it was mined as a hard negative or ranked among the first ten.
    A pair has the codes that were named at least half as often as its commonest.
    """
    near: list[set[str]] = []
    elsewhere: list[set[str]] = []
    for pair, about in said.items():
        if about.reasons and pair in graded:
            missed = graded[pair] not in positive and _close(candidates.get(pair))
            (near if missed else elsewhere).append(_codes(about))
    codes = sorted(set().union(*near, *elsewhere))
    found = sorted((_tested(code, near, elsewhere) for code in codes), key=lambda one: (one["p"], one["code"]))
    return _holm(found)


def _close(shown: Candidate | None) -> bool:
    return shown is not None and (shown.role == "hard_negative" or 0 < shown.rank <= NEAR)


def _codes(about: Said) -> set[str]:
    most = max(about.reasons.values())
    return {code for code, count in about.reasons.items() if 2 * count >= most}


def _tested(code: str, near: list[set[str]], elsewhere: list[set[str]]) -> Why:
    here, there = sum(code in of for of in near), sum(code in of for of in elsewhere)
    usual = there / len(elsewhere) if elsewhere else 0.0
    return Why(
        code=code,
        near=here,
        near_of=len(near),
        elsewhere=there,
        elsewhere_of=len(elsewhere),
        lift=round(here / len(near) / usual, 2) if near and usual else None,
        p=hypergeometric_cdf(there, len(near) + len(elsewhere), here + there, len(elsewhere)),
    )


def _holm(found: list[Why]) -> list[Why]:
    """The same with corrected chances; in the order they are in, smallest first."""
    reached, corrected = 0.0, []
    for n, one in enumerate(found):
        reached = max(reached, min(1.0, one["p"] * (len(found) - n)))
        corrected.append(Why(**{**one, "p": round(reached, 6)}))
    return corrected
