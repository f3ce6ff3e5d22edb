"""Ordinal Dawid-Skene: a few numbers an annotator instead of a matrix, so that few votes are enough.

Each pair has a hidden true grade. Annotator a perceives a true grade t as t + bias_a with a normal error of spread_a,
and answers the nearest grade (an ordered probit); a share slip_a of the answers has nothing to do with the pair, and is
any grade alike, as with who clicks through. Expectation maximisation finds the true grades and the annotators together
(Dawid and Skene 1979).
"""

from itertools import product
from math import erf, sqrt

import numpy as np

from sync.consensus.base import ROUNDS, TOLERANCE, Estimate, Sums, alike, counts, normalised
from sync.votes import Floats, Ints, Votes

_BIASES: Floats = np.asarray(np.linspace(-1.5, 1.5, 31), np.float64)
_SPREADS: Floats = np.asarray(np.geomspace(0.2, 4.0, 16), np.float64)
_SLIPS: Floats = np.array([0.001, 0.05, 0.2, 0.5, 0.8, 0.99])
_PSEUDO = 2.0  # pairs of each grade that are taken for granted, so that in a small project a lone vote is believed
_GRID = (len(_BIASES), len(_SPREADS), len(_SLIPS))


def ordinal_dawid_skene(votes: Votes, n_grades: int) -> Estimate:
    """Posterior of the true grades, and each annotator's bias and spread from a grid of models."""
    models, doubt = _models(n_grades), _doubt()
    votes, of, times = alike(votes, n_grades)
    sums, shared = Sums(votes, n_grades), Sums(_shared(votes), n_grades)
    posterior = normalised(np.log(counts(votes, n_grades) + 0.1))
    chosen: Ints = np.zeros(len(votes.annotators), dtype=np.int64)
    for _ in range(ROUNDS):
        weighed = posterior * times
        prior = (weighed.sum(axis=0) + _PSEUDO) / (weighed.sum() + _PSEUDO * n_grades)
        said = shared.by_annotator(weighed).reshape(len(votes.annotators), -1)
        chosen = _centred((said @ models.reshape(len(models), -1).T + doubt).argmax(axis=1))
        fresh = normalised(np.log(prior) + sums.by_pair(models[chosen]))
        moved, posterior = float(np.abs(fresh - posterior).max()), fresh
        if moved < TOLERANCE:
            break
    bias, spread, slip = np.unravel_index(chosen, _GRID)
    return Estimate(posterior[of], _BIASES[bias], _SPREADS[spread], _SLIPS[slip])


def _shared(votes: Votes) -> Votes:
    """The votes on pairs that have several: a lone one tells nothing of who gave it."""
    return votes.of(np.bincount(votes.pair, minlength=len(votes.pairs)) > 1)


def _centred(chosen: Ints) -> Ints:
    """The same models with the mean bias moved to zero: shifting all biases and all grades alike explains as much."""
    bias, spread, slip = np.unravel_index(chosen, _GRID)
    shift = round(float(bias.mean())) - len(_BIASES) // 2
    return np.asarray(np.ravel_multi_index((np.clip(bias - shift, 0, len(_BIASES) - 1), spread, slip), _GRID))


def _models(n_grades: int) -> Floats:
    """Log probability of each answer to each true grade, shape (models, true grade, answer); biases vary slowest."""
    true, cuts = np.arange(n_grades)[:, None], np.arange(n_grades - 1)[None, :] + 0.5
    tables = []
    for bias, spread in product(_BIASES, _SPREADS):
        below = normal((cuts - true - bias) / spread)
        chances = np.diff(below, axis=1, prepend=0.0, append=1.0)
        tables += [(1 - slip) * chances + slip / n_grades for slip in _SLIPS]
    return np.asarray(np.log(np.array(tables)))


def normal(z: Floats) -> Floats:
    """The normal distribution function."""
    flat = [0.5 * (1.0 + erf(value)) for value in (z / sqrt(2.0)).ravel().tolist()]
    return np.array(flat).reshape(z.shape)


def _doubt() -> Floats:
    """Log prior over the models, shape (models,): bias near 0, spread near 0.6, few slips, worth a handful of votes."""
    bias, log_spread, slip = np.meshgrid(_BIASES, np.log(_SPREADS), _SLIPS, indexing="ij")
    prior = -0.5 * (bias / 0.5) ** 2 - 0.5 * ((log_spread - np.log(0.6)) / 0.6) ** 2 - 8.0 * slip
    return np.asarray(prior.ravel())
