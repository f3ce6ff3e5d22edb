"""What people said of a pair beside its grade: reasons, how text and medium go together, and notes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from label_configs.records import Judgment
from label_configs.rules import Rules


@dataclass
class Said:
    """Of one pair. voters: annotators whose last grade it is from. reasons, readings: how many named each; a reading
    that is not named is the first of the rules' dissonance, `literal`.
    """

    voters: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    readings: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    @property
    def dissonant(self) -> bool:
        """Whether at least half of them say that text and medium do not simply go together."""
        return 2 * self.readings.total() >= self.voters > 0


def said(judgments: Sequence[Judgment], rules: Rules) -> dict[tuple[str, str], Said]:
    """By pair, from each annotator's last grade of it."""
    last: dict[tuple[str, str, str], Judgment] = {}
    for j in judgments:
        if j.kind == "grade":
            key = j.query_id, j.doc_id, j.annotator
            if key not in last or _time(last[key]) < _time(j):
                last[key] = j
    found: dict[tuple[str, str], Said] = {}
    at_odds = set(rules.dissonance[1:])
    for (query_id, doc_id, _), j in sorted(last.items()):
        about = found.setdefault((query_id, doc_id), Said())
        about.voters += 1
        about.reasons.update(j.reasons)
        about.readings.update(at_odds.intersection(j.flags[:1]))
        about.notes += [j.note] if j.note else []
    return found


def _time(j: Judgment) -> tuple[str, int]:
    return j.updated_at, j.annotation_id
