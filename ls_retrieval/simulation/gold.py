"""Spammers by their answers to gold."""

from collections.abc import Sequence

from sync.completeness.bounds import upper

ENOUGH = 0.7
ANSWERS = 20


def flagged(right: int, answers: int = ANSWERS) -> bool:
    """Whether an annotator is below 70 % for certain: by the exact upper bound at 95 %."""
    return upper(right, answers) < ENOUGH


def auc(bad: Sequence[int], good: Sequence[int]) -> float:
    """The chance that a spammer has fewer right than somebody else; a tie counts half."""
    if not bad or not good:
        return float("nan")
    wins = sum((b < g) + 0.5 * (b == g) for b in bad for g in good)
    return wins / (len(bad) * len(good))
