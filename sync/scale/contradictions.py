"""Answers that do not fit the others about the same items: whom to ask again, and about what."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from label_configs.rules import Rules
from sync.scale.answers import Answers, Form, gather
from sync.scale.compared import chances
from sync.scale.fused import deviations, queries, settle
from sync.scale.graded import Graded
from sync.votes import Floats, Given, Ints

_SCREEN = 4.0
"""An answer moves the scale towards itself: those less likely than so many times the limit are looked at closely."""

_SPARE = 4
"""So many times more than are wanted are looked at."""


@dataclass(frozen=True)
class Contradiction:
    """An answer that is unlikely, given all others about its query.

    other_doc_id: the item that was put below doc_id, or beside it in a tie; empty for a grade. against: annotators who
    said the contrary. chance: that such an annotator gives this answer, or one as far off.
    """

    query_id: str
    doc_id: str
    other_doc_id: str
    form: Form
    annotator: str
    against: tuple[str, ...]
    chance: float


class _Said(NamedTuple):
    """An answer by its form and its number there, its items (-1: none), and its chance."""

    form: Form
    n: int
    item: int
    other: int
    chance: float


def contradictions(
    given: Given, rules: Rules, models: Collection[str] = (), *, below: float = 0.05, most: int | None = None
) -> list[Contradiction]:
    """The answers less likely than `below`, the least likely first; each against a scale that it has no part in.

    most: so many are enough; then only the queries are looked at closely that seem to hold them.
    """
    answers = gather(given, rules, models)
    if not answers.items:
        return []
    place, tie_log, _ = settle(answers)
    sure = np.zeros(len(place))
    unlikely = sorted(_unlikely(answers, place, sure, tie_log, _SCREEN * below), key=lambda one: one.chance)
    suspects = [one.item for one in unlikely[: _SPARE * most if most else None]]
    starts, sizes = queries(answers.items)
    found = []
    for query in np.unique(np.searchsorted(starts, suspects, side="right") - 1).tolist():
        start, end = int(starts[query]), int(starts[query] + sizes[query])
        here = answers.of(start, end)
        for one in _unlikely(here, place[start:end], sure[start:end], tie_log, _SCREEN * below):
            held = _held(here, one, tie_log)
            if held.chance < below:
                found.append(_told(here, held))
    found.sort(key=lambda one: (one.chance, one.query_id, one.doc_id, one.other_doc_id, one.annotator))
    return found[:most]


def _held(answers: Answers, one: _Said, tie_log: float) -> _Said:
    """The same answer, with its chance on the scale of all others."""
    rest = answers.without(one.form, one.n)
    place, _, evidence = settle(rest, tie_log)
    again = _unlikely(answers, place, deviations(rest.items, evidence, place), tie_log, np.inf)
    return next(said for said in again if (said.form, said.n) == (one.form, one.n))


def _unlikely(answers: Answers, place: Floats, deviation: Floats, tie_log: float, below: float) -> Iterator[_Said]:
    grade_chances = _grades(answers, place, deviation)
    for n in np.flatnonzero(grade_chances < below).tolist():
        yield _Said("grade", n, int(answers.graded[0][n]), -1, float(grade_chances[n]))
    better, other, tie, _ = answers.compared
    first, tied = chances(_apart(answers, place, deviation, better, other), tie_log)
    most = np.exp(tie_log) / (2 + np.exp(tie_log))
    said = np.where(tie == 1, tied / max(most, 1e-300), first)
    for n in np.flatnonzero(said < below).tolist():
        yield _Said("preference", n, int(better[n]), int(other[n]), float(said[n]))
    for n in np.unique(answers.ranked[0]).tolist():
        worst = _worst(answers, n, place, deviation)
        if worst and worst.chance < below:
            yield worst


def _grades(answers: Answers, place: Floats, deviation: Floats) -> Floats:
    """Of each grade the chance of one as far to its side: of a slip, or of a person who looked."""
    item, grade, who = answers.graded
    people, size = answers.people, answers.n_grades
    spread = np.hypot(people.spread[who], deviation[item])
    ones = np.ones(len(item))
    logs = [
        Graded(len(place), size, item, np.full(len(item), g), people.bias[who], spread, ones).logs(place)
        for g in range(size)
    ]
    each = np.exp(logs) * people.weight[who] + (1 - people.weight[who]) / size
    rows = np.arange(len(item))
    up_to = np.cumsum(each, axis=0)[grade, rows]
    return np.asarray(np.minimum(up_to, 1 - up_to + each[grade, rows]))


def _apart(answers: Answers, place: Floats, deviation: Floats, one: Ints, other: Ints) -> Floats:
    """Log odds that one is preferred to the other, drawn towards 0 by what is not known of their places."""
    unknown = answers.steepness**2 * (deviation[one] ** 2 + deviation[other] ** 2)
    return np.asarray(answers.steepness * (place[one] - place[other]) / np.sqrt(1 + np.pi * unknown / 8))


def _worst(answers: Answers, ranking: int, place: Floats, deviation: Floats) -> _Said | None:
    """The two items of a ranking whose order is the least likely; its chance times the number of such twos."""
    of = np.flatnonzero(answers.ranked[0] == ranking)
    rank, item = answers.ranked[1][of], answers.ranked[2][of]
    above, below = np.nonzero(rank[:, None] < rank[None, :])
    if not len(above):
        return None
    odds = _apart(answers, place, deviation, item[above], item[below])
    worst = int(odds.argmin())
    chance = min(1.0, len(odds) / (1.0 + float(np.exp(-odds[worst]))))
    return _Said("ranking", ranking, int(item[above[worst]]), int(item[below[worst]]), chance)


def _told(answers: Answers, one: _Said) -> Contradiction:
    columns, row = {
        "grade": (answers.graded[2], one.n),
        "preference": (answers.compared[3], one.n),
        "ranking": (answers.ranked[3], int(np.searchsorted(answers.ranked[0], one.n))),
    }[one.form]
    query_id, doc_id = answers.items[one.item]
    names, who = answers.people.names, int(columns[row])
    against = _graded_otherwise(answers, one) if one.form == "grade" else _ordered_otherwise(answers, one)
    return Contradiction(
        query_id=query_id,
        doc_id=doc_id,
        other_doc_id=answers.items[one.other][1] if one.other >= 0 else "",
        form=one.form,
        annotator=names[who],
        against=tuple(names[n] for n in sorted(against - {who})),
        chance=round(one.chance, 4),
    )


def _graded_otherwise(answers: Answers, one: _Said) -> set[int]:
    item, grade, who = answers.graded
    return set(who[(item == one.item) & (grade != grade[one.n])].tolist())


def _ordered_otherwise(answers: Answers, one: _Said) -> set[int]:
    """Who put the other item above, in a comparison, a ranking or by their grades; for a tie, who told them apart."""
    tie = one.form == "preference" and answers.compared[2][one.n] == 1
    ways = [(one.other, one.item), (one.item, one.other)] if tie else [(one.other, one.item)]
    found: set[int] = set()
    for high, low in ways:
        better, other, tied, who = answers.compared
        found |= set(who[(better == high) & (other == low) & (tied == 0)].tolist())
        found |= _ahead(answers.ranked[0], answers.ranked[2], -answers.ranked[1], answers.ranked[3], high, low)
        found |= _ahead(answers.graded[2], answers.graded[0], answers.graded[1], answers.graded[2], high, low)
    return found


def _ahead(group: Ints, item: Ints, worth: Ints, who: Ints, high: int, low: int) -> set[int]:
    """The annotators of the groups in which one item is worth more than the other."""
    of = {one: {int(group[n]): n for n in np.flatnonzero(item == one).tolist()} for one in (high, low)}
    shared = of[high].keys() & of[low].keys()
    return {int(who[of[high][g]]) for g in shared if worth[of[high][g]] > worth[of[low][g]]}
