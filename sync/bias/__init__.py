"""What moves answers beside relevance: place on the screen, assistance, side, what was judged before; and the time."""

from sync.bias.anchoring import Anchoring, anchoring
from sync.bias.pace import Pace, pace
from sync.bias.position import Position, corrected, position, readers
from sync.bias.priming import Priming, priming
from sync.bias.seen import Seen, seen
from sync.bias.sides import Sides, sides

__all__ = [
    "Anchoring",
    "Pace",
    "Position",
    "Priming",
    "Seen",
    "Sides",
    "anchoring",
    "corrected",
    "pace",
    "position",
    "priming",
    "readers",
    "seen",
    "sides",
]
