"""What judgments say beyond their pairs: what was missed, which queries are ambiguous, what proposers are worth."""

from sync.completeness.ambiguity import Ambiguity, ambiguity
from sync.completeness.audit import Missed, missed
from sync.completeness.circularity import Circular, circular
from sync.completeness.proposers import Proposer, proposers
from sync.completeness.why import Why, why
from sync.completeness.yields import Yield, yields

__all__ = [
    "Ambiguity",
    "Circular",
    "Missed",
    "Proposer",
    "Why",
    "Yield",
    "ambiguity",
    "circular",
    "missed",
    "proposers",
    "why",
    "yields",
]
