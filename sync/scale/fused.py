"""One scale for a query: grades, preferences and rankings of its items, each of which says what the others cannot.

Grades say where an item stands among all; preferences and rankings, which of two that are graded alike is the better.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from label_configs.rules import Rules
from sync.consensus.ordinal_dawid_skene import normal
from sync.orders import Pairs
from sync.scale.answers import Answers, gather
from sync.scale.connected import apart
from sync.scale.evidence import Evidence, fit
from sync.votes import Floats, Given, Ints

_CELLS = 20_000_000
"""Cells of the queries' curvatures that are held at a time."""
_ROUNDS = 10


@dataclass(frozen=True)
class Scale:
    """Each item's place, in grades from 0 for the lowest, and how uncertain it is: a normal distribution's deviation.

    soft: chance of each grade, shape (items, grades). answers: grades, comparisons and rankings that an item is in.
    apart: a sentence for each query whose items only the prior puts on one scale.
    """

    items: Pairs
    place: Floats
    deviation: Floats
    soft: Floats
    answers: Ints
    apart: list[str]


def fuse(given: Given, rules: Rules, models: Collection[str] = ()) -> Scale:
    """The most likely places, given all that people answered. Pure and deterministic."""
    return fused(gather(given, rules, models))


def fused(answers: Answers) -> Scale:
    """The scale that answers come to."""
    n = len(answers.items)
    place, _, evidence = settle(answers)
    deviation = deviations(answers.items, evidence, place)
    cuts = np.arange(answers.n_grades - 1) + 0.5
    below = normal((cuts[None, :] - place[:, None]) / deviation[:, None])
    counts = [
        np.bincount(of, minlength=n) for of in (answers.graded[0], answers.compared[:2].ravel(), answers.ranked[2])
    ]
    return Scale(
        items=answers.items,
        place=place,
        deviation=deviation,
        soft=np.diff(below, axis=1, prepend=0.0, append=1.0),
        answers=np.sum(counts, axis=0),
        apart=_apart(answers),
    )


def settle(answers: Answers, tie_log: float | None = None) -> tuple[Floats, float, Evidence]:
    """The places, the log odds of ties (found in turn, unless they are given), and what the places were fitted to."""
    compared, evidence = answers.parts()
    place: Floats = np.full(len(answers.items), answers.mean)
    if tie_log is not None:
        compared.tie_log = tie_log
        return fit(evidence, place), tie_log, evidence
    for _ in range(_ROUNDS if answers.compared[2].any() else 1):
        compared.fit_ties(place)
        before, place = place, fit(evidence, place)
        if float(np.abs(place - before).max(initial=0.0)) < 1e-6:
            break
    return place, compared.tie_log, evidence


def deviations(items: Pairs, evidence: Evidence, place: Floats) -> Floats:
    """Of each place, from the inverse of its query's curvature (Laplace).

    Queries have nothing to do with each other: one product of the whole gives the same column of each query's matrix.
    """
    starts, sizes = queries(items)
    found, product = np.zeros(len(items)), evidence.curvature(place)
    for size in np.unique(sizes).tolist():
        alike = starts[sizes == size]
        for chosen in np.array_split(alike, max(1, -(-len(alike) * size**2 // _CELLS))):
            rows = chosen[:, None] + np.arange(size)
            matrices = np.empty((len(chosen), size, size))
            for column in range(size):
                axis = np.zeros(len(items))
                axis[chosen + column] = 1.0
                matrices[:, :, column] = product(axis)[rows]
            variance = np.diagonal(np.linalg.inv(matrices), axis1=1, axis2=2)
            found[rows] = np.sqrt(variance)
    return found


def queries(items: Pairs) -> tuple[Ints, Ints]:
    """Where each query's items begin, and how many there are."""
    new = [n for n, (query_id, _) in enumerate(items) if not n or items[n - 1][0] != query_id]
    starts = np.array(new, np.int64)
    return starts, np.diff(np.append(starts, len(items)))


def _apart(answers: Answers) -> list[str]:
    """Sentences on the queries that no grade holds together, of which preferences and rankings do not either."""
    graded = {answers.items[item][0] for item in answers.graded[0].tolist()}
    better, other, tie, _ = answers.compared
    ranking, rank, item, _ = answers.ranked
    next_to = (ranking[1:] == ranking[:-1]) & (rank[1:] > rank[:-1])
    above, below = np.append(better, item[:-1][next_to]), np.append(other, item[1:][next_to])
    left = np.array([answers.items[one][0] not in graded for one in above.tolist()], bool)
    ties = np.append(tie, np.zeros(int(next_to.sum()), np.int64))
    return apart(answers.items, above[left], below[left], ties[left])
