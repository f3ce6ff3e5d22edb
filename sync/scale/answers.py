"""All that people answered about the items of some queries, in whatever form, as evidence of one scale.

A person sees an item with one and the same noise, whatever the form: grades by their own spread, two items against each
other with a difference of spread * sqrt(2), which makes the odds of comparisons and rankings e^(1.28 / spread) a grade.
"""

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from label_configs.rules import Rules
from sync.consensus import estimate
from sync.consensus.base import Estimate
from sync.orders import Pairs, preferences, rankings
from sync.scale.compared import Compared
from sync.scale.evidence import Evidence, Prior, Together
from sync.scale.graded import Graded
from sync.scale.ranked import Ranked
from sync.votes import Floats, Given, Ints, grades

_SPREAD = 0.6
"""Of people's grades where there are none to learn it from."""
Form = Literal["grade", "preference", "ranking"]


@dataclass(frozen=True)
class People:
    """What was learned of each annotator from grades, the usual where there are none; typical: the usual spread."""

    names: tuple[str, ...]
    bias: Floats
    spread: Floats
    weight: Floats
    typical: float


@dataclass(frozen=True)
class Answers:
    """Columns by form, over the same items; a row of `ranked` is item, ranking and rank, sorted by the latter two."""

    items: Pairs
    n_grades: int
    people: People
    graded: Ints
    """item, grade, annotator"""
    compared: Ints
    """better, other, tie, annotator"""
    ranked: Ints
    """ranking, rank, item, annotator"""
    mean: float
    deviation: float

    @property
    def steepness(self) -> float:
        """Log odds of a comparison for each grade of difference."""
        return float(np.pi / (np.sqrt(6.0) * self.people.typical))

    def parts(self) -> tuple[Compared, Evidence]:
        """The comparisons, whose ties are fitted beside the places, and all evidence together."""
        n, who = len(self.items), self.people
        item, grade, by = self.graded
        graded = Graded(n, self.n_grades, item, grade, who.bias[by], who.spread[by], who.weight[by])
        better, other, tie, by = self.compared
        compared = Compared(n, better, other, tie, who.weight[by], self.steepness)
        ranking, rank, item, by = self.ranked
        weight = np.ones(int(ranking.max(initial=-1)) + 1)
        weight[ranking] = who.weight[by]
        ordered = Ranked(n, ranking, item, rank, weight, self.steepness)
        return compared, Together([graded, compared, ordered, Prior(self.mean, self.deviation)])

    def of(self, start: int, end: int) -> "Answers":
        """Those about the items from start to end."""
        graded, compared, ranked = (
            columns[:, (columns[row] >= start) & (columns[row] < end)].copy()
            for columns, row in ((self.graded, 0), (self.compared, 0), (self.ranked, 2))
        )
        graded[0] -= start
        compared[:2] -= start
        ranked[2] -= start
        return replace(self, items=self.items[start:end], graded=graded, compared=compared, ranked=ranked)

    def without(self, form: Form, n: int) -> "Answers":
        """Those but one: row n of `graded` or `compared`, or the whole ranking n."""
        if form == "grade":
            return replace(self, graded=np.delete(self.graded, n, axis=1))
        if form == "preference":
            return replace(self, compared=np.delete(self.compared, n, axis=1))
        return replace(self, ranked=self.ranked[:, self.ranked[0] != n])


def gather(given: Given, rules: Rules, models: Collection[str] = ()) -> Answers:
    """All answers of people. What is known of annotators comes from their grades, by ordinal Dawid-Skene."""
    votes = grades(given, rules, models)
    compared, ranked = preferences(given, models), rankings(given, models, ("ranking", "choice"))
    items = tuple(sorted({*votes.pairs, *compared.items, *ranked.items}))
    names = tuple(sorted({*votes.annotators, *compared.annotators, *ranked.annotators}))
    item, who = _coder(items), _coder(names)
    in_pairs, in_rankings = item(compared.items), item(ranked.items)
    found = estimate(votes, len(rules.values))
    usual = votes.grade if len(votes.grade) else np.arange(len(rules.values))
    voter, chooser, ranker = (who(one.annotators)[one.annotator] for one in (votes, compared, ranked))
    return Answers(
        items=items,
        n_grades=len(rules.values),
        people=_people(names, who(votes.annotators), found),
        graded=np.array([item(votes.pairs)[votes.pair], votes.grade, voter]),
        compared=np.array([in_pairs[compared.better], in_pairs[compared.other], compared.tie, chooser]),
        ranked=np.array([ranked.ranking, ranked.rank, in_rankings[ranked.item], ranker[ranked.ranking]]),
        mean=float(usual.mean()),
        deviation=max(0.5, float(usual.std())),
    )


def _coder(names: Sequence[Hashable]) -> Callable[[Sequence[Hashable]], Ints]:
    """A function from some of the names to their places."""
    places = {name: n for n, name in enumerate(names)}
    return lambda some: np.array([places[one] for one in some], np.int64)


def _people(names: tuple[str, ...], known: Ints, found: Estimate) -> People:
    """What grades told of the known annotators; of the others that they are like most."""
    n = len(names)
    if found.bias is None or found.spread is None or found.slip is None:
        return People(names, np.zeros(n), np.full(n, _SPREAD), np.ones(n), _SPREAD)
    careful = found.slip < 0.5
    typical = float(np.median(found.spread[careful])) if careful.any() else _SPREAD
    bias, spread, weight = np.zeros(n), np.full(n, typical), np.ones(n)
    bias[known], spread[known], weight[known] = found.bias, found.spread, 1.0 - found.slip
    return People(names, bias, spread, weight, typical)
