"""Whether somebody looks at what they judge: the odds of two models of an annotator, from answers to gold.

Careful: the true grade t is perceived as t + bias with a normal error of some spread, and the nearest grade is
answered; bias and spread are unknown, with the priors below, and 2 % of the answers are slips. Careless: answers have
nothing to do with the pair; how often each grade is given is unknown too, with Jeffreys' prior.

The odds are a Bayes factor, so at most one careful annotator in k reaches k to 1 against them, whatever k is and
however many answers there are (Markov's inequality: under the careful model the factor's mean is 1). A known positive
may have any of the positive grades, each with the same chance.
"""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from math import erf, lgamma, log

import numpy as np
from numpy.typing import NDArray

from label_configs.rules import Rules
from sync.gold.answers import Answer

Floats = NDArray[np.float64]
_BIASES = np.linspace(-1.2, 1.2, 25)
_BIAS = 0.4
"""Standard deviation of the prior of biases, in grades."""
_SPREADS = np.linspace(0.15, 1.2, 15)
_SPREAD, _OF_SPREAD = 0.55, 0.25
"""Mean and standard deviation of the prior of spreads, in grades."""
_SLIP = 0.02


def careless(given: Sequence[Answer], rules: Rules) -> float:
    """The log10 of how many times likelier one annotator's answers are where they do not look; 0 without answers."""
    if not given:
        return 0.0
    places = {value: n for n, value in enumerate(rules.values)}
    logs = np.log(_prior())
    for (expected, grade), count in Counter((a.expected, a.grade) for a in given).items():
        chances = _models(len(places))[:, [places[value] for value in sorted(expected)], places[grade]]
        logs += count * np.log(chances.mean(axis=1))
    top = float(logs.max())
    careful = top + log(float(np.exp(logs - top).sum()))
    return (_indifferent(Counter(a.grade for a in given), len(places)) - careful) / log(10)


def _indifferent(counts: Counter[int], n_grades: int) -> float:
    """Log chance of a sequence with these counts: multinomial, its chances from Dirichlet(1/2, …, 1/2)."""
    answers = sum(counts.values())
    found = lgamma(n_grades / 2) - lgamma(answers + n_grades / 2)
    return found + sum(lgamma(count + 0.5) - lgamma(0.5) for count in counts.values())


@cache
def _models(n_grades: int) -> Floats:
    """Chance of each answer to each true grade, shape (models, true grade, answer); biases vary slowest."""
    true, cuts = np.arange(n_grades)[:, None], np.arange(n_grades - 1)[None, :] + 0.5
    bias, spread = (grid.ravel()[:, None, None] for grid in np.meshgrid(_BIASES, _SPREADS, indexing="ij"))
    below = 0.5 * (1.0 + np.vectorize(erf)((cuts - true - bias) / spread / np.sqrt(2.0)))
    chances = np.diff(below, axis=2, prepend=0.0, append=1.0)
    return np.asarray((1 - _SLIP) * chances + _SLIP / n_grades)


@cache
def _prior() -> Floats:
    bias, spread = np.meshgrid(_BIASES, _SPREADS, indexing="ij")
    weights = np.exp(-0.5 * (bias / _BIAS) ** 2 - 0.5 * ((spread - _SPREAD) / _OF_SPREAD) ** 2).ravel()
    return np.asarray(weights / weights.sum())
