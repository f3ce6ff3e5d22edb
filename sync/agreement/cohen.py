"""Weighted kappa of every two annotators (Cohen 1968): two grades apart counts four times as much as one."""

from typing import NamedTuple

import numpy as np

from sync.votes import Floats, Ints, Votes


class Kappa(NamedTuple):
    """Two annotators, their kappa, and on how many pairs both voted."""

    one: str
    other: str
    value: float
    pairs: int


def kappas(votes: Votes, n_grades: int) -> list[Kappa]:
    """The quadratic kappa of all annotators who share pairs: 1 is agreement, 0 what chance would give."""
    one, other, first, second = _together(votes)
    width = max(1, len(votes.annotators))
    keys, who = np.unique(one * width + other, return_inverse=True)
    cells = np.bincount((who * n_grades + first) * n_grades + second, minlength=len(keys) * n_grades**2)
    tables = cells.reshape(-1, n_grades, n_grades).astype(float)
    names = [(votes.annotators[key // width], votes.annotators[key % width]) for key in keys.tolist()]
    shared = tables.sum(axis=(1, 2)).astype(int).tolist()
    rows = zip(names, quadratic(tables).tolist(), shared, strict=True)
    return [Kappa(*pair, value, n) for pair, value, n in rows]


def kappa(found: list[Kappa]) -> float | None:
    """The mean of all two annotators, each counted by the pairs that they share; None where none share any."""
    return float(np.average([k.value for k in found], weights=[k.pairs for k in found])) if found else None


def quadratic(tables: Floats) -> Floats:
    """Kappas of tables of confusions, shape (tables, grades, grades). 1 where there is nothing to disagree about."""
    steps = np.arange(tables.shape[1])
    weights = (steps[:, None] - steps[None, :]) ** 2
    rows, columns, total = tables.sum(axis=2), tables.sum(axis=1), tables.sum(axis=(1, 2))
    expected = (weights * rows[:, :, None] * columns[:, None, :]).sum(axis=(1, 2)) / np.maximum(total, 1)
    observed = (weights * tables).sum(axis=(1, 2))
    return np.where(expected > 0, 1.0 - observed / np.where(expected > 0, expected, 1), 1.0)


def _together(votes: Votes) -> tuple[Ints, Ints, Ints, Ints]:
    """Every two votes on one pair: the annotators, the lower first, and their grades. Votes are sorted by both."""
    most = int(np.bincount(votes.pair).max(initial=0))
    near = [np.flatnonzero(votes.pair[lag:] == votes.pair[:-lag]) for lag in range(1, most)]
    first = np.concatenate([np.zeros(0, np.int64), *near])
    second = np.concatenate([np.zeros(0, np.int64), *(at + lag for lag, at in enumerate(near, 1))])
    return votes.annotator[first], votes.annotator[second], votes.grade[first], votes.grade[second]
