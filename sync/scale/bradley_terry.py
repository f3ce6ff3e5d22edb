"""Scores from preferences, and from rankings, alone."""

import numpy as np

from sync.orders import Preferences, Rankings
from sync.scale.compared import Compared
from sync.scale.evidence import Prior, Together, fit
from sync.scale.ranked import Ranked
from sync.votes import Floats

_DEVIATION = 10.0
"""Of the prior, in units of the log odds: it only holds what never lost from running away."""


def bradley_terry(preferences: Preferences, deviation: float = _DEVIATION) -> Floats:
    """A score for each item, their mean 0: e^(difference) are the odds that one is preferred.

    Ties by Davidson's model, all queries in one sparse system. `connected.apart` says what may not be compared.
    """
    n = len(preferences.items)
    compared = Compared(n, preferences.better, preferences.other, preferences.tie)
    together = Together([compared, Prior(0.0, deviation)])
    scores: Floats = np.zeros(n)
    for _ in range(_rounds(preferences)):
        compared.fit_ties(scores)
        scores = fit(together, scores)
    return scores


def plackett_luce(rankings: Rankings, deviation: float = _DEVIATION) -> Floats:
    """A score for each item, their mean 0: e^score is proportional to the chance of coming next."""
    n = len(rankings.items)
    ranked = Ranked(n, rankings.ranking, rankings.item, rankings.rank)
    return fit(Together([ranked, Prior(0.0, deviation)]), np.zeros(n))


def _rounds(preferences: Preferences) -> int:
    """Scores and the frequency of ties are found in turn; without ties once is enough."""
    return 20 if preferences.tie.any() else 1
