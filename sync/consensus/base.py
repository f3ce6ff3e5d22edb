"""What aggregators share: an estimate as columns, and sums of votes by pair and by annotator."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sync.votes import Floats, Ints, Votes

ROUNDS = 100
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Estimate:
    """What the votes come to. posterior: probability of each grade, shape (pairs, grades), pairs as in the votes.

    bias, spread and slip: of each annotator, the first two in grades, slip the share of answers that have nothing to do
    with what was shown; none where the aggregator does not weigh annotators.
    """

    posterior: Floats
    bias: Floats | None = None
    spread: Floats | None = None
    slip: Floats | None = None


class Aggregator(Protocol):
    """From votes to one estimate."""

    def __call__(self, votes: Votes, n_grades: int) -> Estimate:
        """The estimate of every pair that has a vote."""


def shares(votes: Votes, n_grades: int) -> Floats:
    """The share of each grade among the votes of a pair, shape (pairs, grades)."""
    given = counts(votes, n_grades).astype(np.float64)
    return np.asarray(given / np.maximum(given.sum(axis=1, keepdims=True), 1))


def counts(votes: Votes, n_grades: int) -> Ints:
    """How many votes each grade of a pair has, shape (pairs, grades)."""
    cells = np.bincount(votes.pair * n_grades + votes.grade, minlength=len(votes.pairs) * n_grades)
    return cells.reshape(-1, n_grades)


class Sums:
    """The two sums of expectation maximisation, over votes that are sorted by pair.

    Both run over the distinct pairs of annotator and grade, so that their tables stay in the processor's cache.
    """

    def __init__(self, votes: Votes, n_grades: int) -> None:
        self._shape, self._n_grades = (len(votes.pairs), n_grades), n_grades
        self._annotators = len(votes.annotators)
        self._pair, self._said = votes.pair, votes.annotator * n_grades + votes.grade

    def by_pair(self, logs: Floats) -> Floats:
        """Sum of the votes' log probabilities, shape (pairs, true grade). logs: (annotators, true grade, answer)."""
        table = np.ascontiguousarray(logs.transpose(1, 0, 2).reshape(self._n_grades, -1))
        columns = [np.bincount(self._pair, of[self._said], minlength=self._shape[0]) for of in table]
        return np.stack(columns, axis=1)

    def by_annotator(self, posterior: Floats) -> Floats:
        """How often each annotator said what of which grade, shape (annotators, true grade, answer)."""
        size = self._annotators * self._n_grades
        columns = [np.bincount(self._said, of[self._pair], minlength=size) for of in np.ascontiguousarray(posterior.T)]
        tables = np.stack(columns).reshape(self._n_grades, self._annotators, self._n_grades)
        return np.asarray(tables.transpose(1, 0, 2), np.float64)


def normalised(logs: Floats) -> Floats:
    """Probabilities from logs, row by row."""
    fresh = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(fresh / fresh.sum(axis=1, keepdims=True))
