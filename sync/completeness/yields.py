"""What hard negatives turned out to be, by who mined them."""

from collections.abc import Iterable, Mapping
from typing import TypedDict

from label_configs.records import Candidate
from sync.completeness.audit import Pair
from sync.completeness.bounds import Interval, interval


class Yield(TypedDict):
    """Of one source of hard negatives: judged, found positive, confirmed negative, and the share found positive."""

    judged: int
    positive: int
    negative: int
    found_positive: Interval | None


def yields(
    candidates: Mapping[Pair, Candidate], graded: Mapping[Pair, int], positive: frozenset[int], negative: frozenset[int]
) -> dict[str, Yield]:
    """By source of mined negatives, and under `all` over them together; nothing where none is judged."""
    grades: dict[str, list[int]] = {}
    for pair, grade in graded.items():
        shown = candidates.get(pair)
        if shown and shown.role == "hard_negative":
            grades.setdefault(shown.source, []).append(grade)
    if grades:
        grades = {"all": [grade for of in grades.values() for grade in of]} | dict(sorted(grades.items()))
    return {source: _yield(of, positive, negative) for source, of in grades.items()}


def _yield(grades: Iterable[int], positive: frozenset[int], negative: frozenset[int]) -> Yield:
    of = list(grades)
    good, bad = sum(g in positive for g in of), sum(g in negative for g in of)
    return Yield(judged=len(of), positive=good, negative=bad, found_positive=interval(good, len(of)))
