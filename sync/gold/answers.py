"""Which of the judgments are answers to gold, and whether they are right.

Gold is what a pool shows as a control. Of an annotator's answers to one pair the first counts: later ones are memory.
Whoever voted on a pair before it became gold by consensus is not measured by it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from itertools import chain
from typing import NamedTuple

from label_configs.records import Candidate, Judgment, Pool
from label_configs.rules import Rules
from store.gold import FROM_FILE, PLANTED, Gold

Pair = tuple[str, str]
"""query_id and doc_id."""
Maker = tuple[str, str, str]
"""An annotator, and the query_id and doc_id that they graded."""


class Answer(NamedTuple):
    """One grade that was given to gold. expected: the grades that it may have: several for a known positive."""

    annotator: str
    query_id: str
    doc_id: str
    grade: int
    expected: frozenset[int]
    right: bool


def answers(
    judgments: Sequence[Judgment],
    pools: Collection[Pool],
    gold: Mapping[Pair, Gold],
    rules: Rules,
    makers: Set[Maker] = frozenset(),
) -> list[Answer]:
    """The answers to gold among the judgments, in the order in which they were given.

    makers: whoever else made the gold, in other projects.
    """
    shown = _Shown(pools)
    graded = [j for j in judgments if j.kind == "grade"]
    made = makers | makers_of(graded, pools)
    found: dict[tuple[str, Pair], Answer] = {}
    for j in sorted(graded, key=lambda j: (j.updated_at, j.annotation_id)):
        pair, control = (j.query_id, j.doc_id), shown.as_control(j)
        if control is None or (j.annotator, pair) in found:
            continue
        known = gold.get(pair)
        expected = expected_of(control, known, rules)
        if expected and not (_agreed(known) and (j.annotator, *pair) in made):
            right = is_right(int(j.value), expected, rules)
            found[j.annotator, pair] = Answer(j.annotator, *pair, int(j.value), expected, right)
    return list(found.values())


def makers_of(judgments: Iterable[Judgment], pools: Collection[Pool]) -> set[Maker]:
    """Who gave a grade to what was shown as no control."""
    shown = _Shown(pools)
    return {(j.annotator, j.query_id, j.doc_id) for j in judgments if j.kind == "grade" and not shown.as_control(j)}


def is_right(grade: int, expected: frozenset[int], rules: Rules) -> bool:
    """Whether a grade is as right as a careful annotator's is.

    One of several that are expected; or at most one grade from the one that is, and not positive where that is negative
    or the other way round: careful people differ by one grade.
    """
    if grade in expected or len(expected) > 1:
        return grade in expected
    (wanted,), places = expected, rules.values
    opposite = {grade in rules.positive, wanted in rules.positive} == {True, False} and bool(
        {grade, wanted} & rules.negative
    )
    return abs(places.index(grade) - places.index(wanted)) <= 1 and not opposite


class _Shown:
    """As what a judged pair was shown: by the pool of its task, or at first where that is not known."""

    def __init__(self, pools: Collection[Pool]) -> None:
        self._pools = {pool.pool_id: {c.doc_id: c for c in pool.candidates} for pool in pools}
        latest_first = sorted(pools, key=lambda pool: -pool.round)
        self._first = dict(chain.from_iterable(map(_pairs, latest_first)))

    def as_control(self, j: Judgment) -> Candidate | None:
        there = self._pools.get(j.pool_id)
        found = there.get(j.doc_id) if there is not None else self._first.get((j.query_id, j.doc_id))
        return found if found and found.role == "control" else None


def _pairs(pool: Pool) -> Iterator[tuple[Pair, Candidate]]:
    return (((pool.query_id, c.doc_id), c) for c in pool.candidates)


def expected_of(control: Candidate, known: Gold | None, rules: Rules) -> frozenset[int]:
    """What gold.tsv says; else the lowest grade of what was planted, and any positive one of a known positive.

    Empty for what the file does not name any more: nobody is measured by it.
    """
    if known is not None:
        return frozenset({known.grade})
    if control.source.startswith(FROM_FILE):
        return frozenset()
    return frozenset({rules.values[0]}) if control.source == PLANTED else rules.positive


def _agreed(known: Gold | None) -> bool:
    return known is not None and known.origin == "consensus"
