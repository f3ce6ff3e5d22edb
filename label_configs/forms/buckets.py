"""The graded form without a Repeater: cards are sorted into one bucket a grade. Its template is buckets.xml.

Every tag in it is documented for the community edition. A card that was not placed is unjudged, which is not grade 0.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from label_configs.cards import Card
from label_configs.errors import quoted
from label_configs.forms import answers, envelope, ranked, template
from label_configs.forms.answers import Region, Speak
from label_configs.forms.envelope import Annotation, Decoded, Filled, Task
from label_configs.records import Judgment, Modality, Mode, Origin, Pool, Query, Shown, Suggested
from label_configs.rules import CANT_JUDGE, Rules

MODE: Mode = "blind"


def xml(rules: Rules, query: Modality, candidates: Shown) -> str:
    """The labeling config; see Form.xml."""
    return template.render("buckets.xml", rules, query, candidates)


def tasks(
    pool: Pool, query: Query, shown: str, cards: Mapping[str, Card], rules: Rules, *, per_screen: int = 8
) -> list[Task]:
    """One task a screen; see Form.tasks."""

    def show(position: int, doc_id: str) -> dict[str, Any]:
        return {"html": cards[doc_id].html}

    return envelope.tasks("buckets", pool, query, shown, rules, envelope.parts(pool, per_screen), show)


def suggestion(suggested: Sequence[Suggested]) -> list[dict[str, object]]:
    """Every card in the bucket of its grade, the best first; see Form.suggestion.

    Label Studio drops cards that a prediction leaves out, so all of them stand in it.
    """
    order = sorted(range(len(suggested)), key=lambda n: (-suggested[n].score, n))
    lists: dict[str, list[str]] = {ranked.UNPLACED: []}
    for n in order:
        lists.setdefault(str(suggested[n].grade), []).append(envelope.opaque(n))
    return [ranked.suggestion("buckets", lists)]


def judgments(task: Filled, annotation: Annotation, rules: Rules, annotator: str) -> Decoded:
    """One judgment per placed card; its rank is the place in its bucket, from 1; see Form.judgments."""
    return answers.decode(task, annotation, rules, annotator, _Buckets(task, rules))


class _Buckets:
    def __init__(self, task: Filled, rules: Rules) -> None:
        self._task = task
        self._known = {str(g.value) for g in rules.grades} | {CANT_JUDGE, ranked.UNPLACED}
        self._placed: dict[str, list[int]] | None = None
        self._origin: Origin = "manual"

    def take(self, control: str, region: Region) -> None:
        if control != "buckets":
            raise answers.unknown("buckets")
        if self._placed is not None:
            raise answers.twice(self._placed, region.get("value"))
        lists = ranked.lists(region, self._task)
        if strange := sorted(set(lists) - self._known):
            raise ValueError(f"{quoted(strange[0])} is not one of the buckets {', '.join(sorted(self._known))}")
        self._origin = answers.origin(region)
        self._placed = lists

    def judgments(self, said: Speak) -> Sequence[Judgment]:
        placed = [
            (position, bucket, rank)
            for bucket, positions in (self._placed or {}).items()
            if bucket != ranked.UNPLACED
            for rank, position in enumerate(positions, 1)
        ]
        if not placed:
            return []
        positions, buckets, ranks = zip(*sorted(placed), strict=True)
        each = {
            "kind": ["flag" if bucket == CANT_JUDGE else "grade" for bucket in buckets],
            "value": buckets,
            "doc_id": [self._task.docs[position] for position in positions],
            "position": positions,
            "rank": ranks,
        }
        return said.block(each, origin=self._origin)
