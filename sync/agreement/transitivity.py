"""Do preferences fit together? If a is better than b and b better than c, a should be better than c.

Strict preferences of people mostly are transitive, ties are not (arXiv 2104.08926): only strict ones are counted.
"""

from collections import defaultdict
from typing import NamedTuple

import numpy as np

from sync.orders import Preferences


class Transitivity(NamedTuple):
    """Of the triples all three pairs of which somebody told apart, those that fit; share: None without triples."""

    fitting: int
    triples: int

    @property
    def share(self) -> float | None:
        """Part of the triples that fit. Chance alone gives 0.75."""
        return self.fitting / self.triples if self.triples else None


def transitivity(preferences: Preferences) -> dict[str, Transitivity]:
    """By annotator, over their triples of items of a query."""
    wins: dict[tuple[int, str], list[tuple[int, int]]] = defaultdict(list)
    strict = np.flatnonzero(preferences.tie == 0)
    for n in strict.tolist():
        better = int(preferences.better[n])
        key = int(preferences.annotator[n]), preferences.items[better][0]
        wins[key].append((better, int(preferences.other[n])))
    found = dict.fromkeys(preferences.annotators, Transitivity(0, 0))
    for (who, _), pairs in wins.items():
        name, fresh = preferences.annotators[who], _count(pairs)
        found[name] = Transitivity(found[name].fitting + fresh.fitting, found[name].triples + fresh.triples)
    return found


def overall(found: dict[str, Transitivity]) -> Transitivity:
    """All annotators together."""
    return Transitivity(sum(one.fitting for one in found.values()), sum(one.triples for one in found.values()))


def _count(pairs: list[tuple[int, int]]) -> Transitivity:
    """A triple is a triangle of the graph of comparisons; one that does not fit goes round."""
    items, codes = np.unique(np.array(pairs), return_inverse=True)
    wins = np.zeros((len(items), len(items)))
    better, other = codes.reshape(-1, 2).T
    wins[better, other] = 1.0
    told = wins + wins.T
    triples = round(np.trace(told @ told @ told) / 6)
    return Transitivity(triples - round(np.trace(wins @ wins @ wins) / 3), triples)
