"""What the judgments do not hold: how much was missed, what each proposer is worth, whose judge a run is."""

from sync.completeness.audit import Missed, missed
from sync.completeness.circularity import Circular, circular
from sync.completeness.proposers import Proposer, proposers
from sync.completeness.why import Why, why
from sync.completeness.yields import Yield, yields

__all__ = [
    "Circular",
    "Missed",
    "Proposer",
    "Why",
    "Yield",
    "circular",
    "missed",
    "proposers",
    "why",
    "yields",
]
