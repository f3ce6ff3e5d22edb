"""What aggregators share: an estimate as columns, pairs that are alike, and sums of votes by pair and by annotator."""

from dataclasses import dataclass
from itertools import count
from typing import NamedTuple, Protocol

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


class Alike(NamedTuple):
    """Pairs of which the same annotators said the same, and so the votes come to the same; often they are most.

    votes: those on the first pair of each kind. of: for each pair its kind. times: how many pairs each kind has, shape
    (kinds, 1).
    """

    votes: Votes
    of: Ints
    times: Floats


def alike(votes: Votes, n_grades: int) -> Alike:
    """The kinds of pairs, in the order of their first ones."""
    found, first, of, times = np.unique(
        _kinds(votes, n_grades), return_index=True, return_inverse=True, return_counts=True
    )
    order = np.argsort(first)
    place = np.empty(len(found), np.int64)
    place[order] = np.arange(len(found))
    kept = np.zeros(len(votes.pairs), bool)
    kept[first] = True
    chosen = kept[votes.pair]
    pairs = tuple(votes.pairs[n] for n in first[order])
    which = place[of]
    of_each = Votes(pairs, votes.annotators, which[votes.pair[chosen]], votes.annotator[chosen], votes.grade[chosen])
    return Alike(of_each, which, times[order, None].astype(np.float64))


def _kinds(votes: Votes, n_grades: int) -> Ints:
    """A number for each pair, the same where the votes are: told apart by the first vote, then the second, and on."""
    said = votes.annotator * n_grades + votes.grade
    sizes = np.bincount(votes.pair, minlength=len(votes.pairs))
    starts, kinds = np.cumsum(sizes) - sizes, np.zeros(len(sizes), np.int64)
    left, used = np.flatnonzero(sizes), 1
    for vote in count():
        left = left[sizes[left] > vote]
        if not len(left):
            return kinds
        key = kinds[left] * (len(votes.annotators) * n_grades) + said[starts[left] + vote]
        found, which = np.unique(key, return_inverse=True)
        kinds[left], used = used + which, used + len(found)
    return kinds


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
