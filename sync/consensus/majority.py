"""Majority: the grade that most votes name, each vote of equal weight."""

from sync.consensus.base import Estimate, shares
from sync.votes import Votes


def majority(votes: Votes, n_grades: int) -> Estimate:
    """The share of each grade among the votes; of grades with as many votes the lowest is taken."""
    return Estimate(shares(votes, n_grades))
