"""Rankings as evidence: Plackett-Luce. Of what is left, an item comes next with a chance of e^place over their sum.

Items of one rank were chosen from the same rest, as in Breslow's method for ties (1974); the last rank of a ranking is
what was left, so that "the best of these" is a ranking too.
"""

import numpy as np

from sync.scale.evidence import Product
from sync.votes import Floats, Ints


class Ranked:
    """Ranked items, sorted by ranking and rank; weight: of each ranking. n: of the items."""

    def __init__(
        self, n: int, ranking: Ints, item: Ints, rank: Ints, weight: Floats | None = None, steepness: float = 1.0
    ) -> None:
        self._n, self._item, self._steepness = n, item, steepness
        new = np.append(True, ranking[1:] != ranking[:-1]) if len(ranking) else np.zeros(0, bool)
        rises = new | np.append(True, rank[1:] != rank[:-1]) if len(rank) else new
        self._first = np.flatnonzero(new)
        self._of = np.cumsum(new) - 1
        self._stage = np.cumsum(rises) - 1
        self._start = np.flatnonzero(rises)
        last = np.append(new[self._start][1:], True) if len(self._start) else np.zeros(0, bool)
        sizes = np.diff(np.append(self._start, len(item))).astype(float)
        self._times = np.where(last, 0.0, sizes)
        if weight is not None:
            self._times = self._times * weight[ranking[self._start]]
        chosen = np.where(last, 0.0, self._times / np.maximum(sizes, 1))[self._stage]
        self._chosen = np.bincount(item, chosen, minlength=n)

    def loss(self, places: Floats) -> float:
        """See Evidence."""
        if not len(self._item):
            return 0.0
        x, top = self._scaled(places)
        logs = np.log(self._rest(np.exp(x))) + top[self._start]
        return float((self._times * logs).sum() - self._steepness * (self._chosen * places).sum())

    def slope(self, places: Floats) -> Floats:
        """See Evidence."""
        if not len(self._item):
            return np.zeros(self._n)
        x, _ = self._scaled(places)
        strength = np.exp(x)
        expected = strength * self._until(self._times / self._rest(strength))
        missing = np.bincount(self._item, expected, minlength=self._n) - self._chosen
        return np.asarray(self._steepness * missing)

    def curvature(self, places: Floats) -> Product:
        """See Evidence."""
        if not len(self._item):
            return np.zeros_like
        x, _ = self._scaled(places)
        strength = np.exp(x)
        rest = self._rest(strength)
        own = self._until(self._times / rest)

        def product(vector: Floats) -> Floats:
            there = vector[self._item]
            mean = self._rest(strength * there) / rest
            moved = strength * (own * there - self._until(self._times * mean / rest))
            return np.asarray(self._steepness**2 * np.bincount(self._item, moved, minlength=self._n))

        return product

    def _scaled(self, places: Floats) -> tuple[Floats, Floats]:
        """Each item's place below the highest of its ranking, and that highest place."""
        x = self._steepness * places[self._item]
        top = np.maximum.reduceat(x, self._first)[self._of]
        return x - top, top

    def _rest(self, values: Floats) -> Floats:
        """Of each stage the sum over its own and all later items of its ranking."""
        ends = np.append(self._first[1:], len(values)) - 1
        down = np.cumsum(values[::-1])[::-1]
        after = down[ends] - values[ends]
        return np.asarray(down[self._start] - after[self._of[self._start]])

    def _until(self, stages: Floats) -> Floats:
        """Of each item the sum over its own and all earlier stages of its ranking."""
        running = np.cumsum(stages)
        first = self._stage[self._first]
        before = running[first] - stages[first]
        return np.asarray(running[self._stage] - before[self._of])
