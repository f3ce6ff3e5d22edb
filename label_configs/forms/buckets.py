"""The graded form without a Repeater: cards are sorted into one bucket a grade. Its template is buckets.xml.

Every tag in it is documented for the community edition. A card that was not placed is unjudged, which is not grade 0.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from label_configs.cards import Card
from label_configs.errors import quoted
from label_configs.forms import answers, envelope, plain, ranked, template
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


def reading(rules: Rules) -> plain.Read:
    """One region, each card once, in buckets that there are; see `plain.Read`."""
    known = _known(rules)

    def read(screen: plain.Screen, regions: Sequence[plain.Region]) -> plain.Said | None:
        region = regions[0]
        lists = region.value.ranker
        if len(regions) > 1 or region.from_name != "buckets" or not lists or not lists.keys() <= known:
            return None
        try:
            found = _told(lists, screen.places, screen.docs)
        except KeyError:
            return None
        return found and (found[0], {**found[1], "origin": region.source})

    return read


def _known(rules: Rules) -> frozenset[str]:
    return frozenset({*(str(g.value) for g in rules.grades), CANT_JUDGE, ranked.UNPLACED})


class _Buckets:
    def __init__(self, task: Filled, rules: Rules) -> None:
        self._task = task
        self._known = _known(rules)
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
        docs = self._task.docs
        found = _told(self._placed or {}, range(len(docs)), docs)
        if found is None:
            return []
        each, same = found
        return said.block(each, **same, origin=self._origin)


def _told(lists: Mapping[str, Sequence[Any]], places: Any, docs: Sequence[str]) -> plain.Said | None:
    """What the buckets say of each card, in the order of the screen; None where none was placed, or one stands twice.

    places: the position of what stands in the lists.
    """
    values, ranks = [ranked.UNPLACED] * len(docs), [0] * len(docs)
    for bucket, cards in lists.items():
        for rank, card in enumerate(cards, 1):
            place = places[card]
            values[place] = bucket
            ranks[place] = rank
    if sum(map(len, lists.values())) > len(docs) - ranks.count(0):
        return None
    positions: Sequence[int] = range(len(docs))
    if ranked.UNPLACED in values:
        positions = [n for n, value in enumerate(values) if value != ranked.UNPLACED]
        values, ranks = [values[n] for n in positions], [ranks[n] for n in positions]
        docs = [docs[n] for n in positions]
    if not values:
        return None
    each: dict[str, Sequence[Any]] = {"value": values, "doc_id": docs, "position": positions, "rank": ranks}
    if CANT_JUDGE not in values:
        return each, {"kind": "grade"}
    return {**each, "kind": ["flag" if value == CANT_JUDGE else "grade" for value in values]}, {}
