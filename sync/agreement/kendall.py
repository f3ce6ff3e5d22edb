"""Rankings of one screen by several annotators: Kendall's tau-b of two, and W of all (Kendall 1948)."""

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np

from sync.orders import Rankings
from sync.votes import Floats


class Concordance(NamedTuple):
    """Means over the tasks that several annotators ranked: tau_b of every two of them, w of all; how many tasks."""

    tau_b: float
    w: float
    tasks: int


def concordance(rankings: Rankings) -> Concordance | None:
    """How alike people rank the same screen: 1 is the same order, 0 none. None where nobody ranked what another did."""
    found = [(_mean_tau(ranks), w(ranks)) for ranks in _screens(rankings)]
    if not found:
        return None
    taus, ws = np.mean(found, axis=0).tolist()
    return Concordance(taus, ws, len(found))


def tau_b(one: Floats, other: Floats) -> float:
    """(concordant - discordant pairs) / root of (pairs untied in one × those untied in the other); 0 where all tie."""
    upper = np.triu_indices(len(one), 1)
    first, second = (np.sign(of[:, None] - of[None, :])[upper] for of in (one, other))
    untied = np.sqrt(float(np.abs(first).sum()) * float(np.abs(second).sum()))
    return float((first * second).sum() / untied) if untied else 0.0


def w(ranks: Floats) -> float:
    """Kendall's coefficient of concordance of ranks, shape (annotators, items), corrected for ties."""
    middle = np.array([[(row < r).sum() + ((row == r).sum() + 1) / 2 for r in row] for row in ranks])
    m, n = middle.shape
    sums = middle.sum(axis=0)
    ties = sum(float((count**3 - count).sum()) for count in (np.unique(r, return_counts=True)[1] for r in middle))
    most = m**2 * (n**3 - n) - m * ties
    return float(12 * ((sums - sums.mean()) ** 2).sum() / most) if most else 0.0


def _mean_tau(ranks: Floats) -> float:
    return float(np.mean([tau_b(one, other) for one, other in combinations(ranks, 2)]))


def _screens(rankings: Rankings) -> Iterator[Floats]:
    """Of each task that several ranked the ranks of the items that all of them ranked, shape (annotators, items)."""
    starts = np.searchsorted(rankings.ranking, np.arange(len(rankings.task) + 1))
    order = np.argsort(rankings.task, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(rankings.task[order])) + 1):
        told = [
            dict(zip(rankings.item[of].tolist(), rankings.rank[of].tolist(), strict=True))
            for of in (slice(*starts[n : n + 2]) for n in group.tolist())
        ]
        shared = sorted(set(told[0]).intersection(*told[1:])) if len(told) > 1 else []
        if len(shared) > 1:
            yield np.array([[one[item] for item in shared] for one in told], float)
