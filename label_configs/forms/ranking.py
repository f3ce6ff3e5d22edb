"""The ranking form: all candidates of a screen in order, the best first. Its template is ranking.xml.

Label Studio saves a list that nobody touched as if somebody had answered: the annotator confirms the order with a
required choice, and an order that stayed as it was shown is flagged.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from label_configs.cards import Card
from label_configs.errors import quoted
from label_configs.forms import answers, envelope, plain, ranked, template
from label_configs.forms.answers import Region, Speak
from label_configs.forms.envelope import Annotation, Decoded, Filled, Task
from label_configs.records import Judgment, Modality, Mode, Origin, Pool, Query, Shown, Suggested
from label_configs.rules import Rules

MODE: Mode = "assist"
CHECKED = "order_checked"
_LABEL = "Order checked"
_CONFIRMED = {CHECKED: CHECKED, _LABEL: CHECKED}
UNCHECKED = "unchecked"
"""The flag of a ranking whose order nobody confirmed: it came past the form."""


def xml(rules: Rules, query: Modality, candidates: Shown) -> str:
    """The labeling config; see Form.xml."""
    return template.render("ranking.xml", rules, query, candidates, checked=CHECKED, checked_label=_LABEL)


def tasks(
    pool: Pool, query: Query, shown: str, cards: Mapping[str, Card], rules: Rules, *, per_screen: int = 8
) -> list[Task]:
    """One task a screen; see Form.tasks."""

    def show(position: int, doc_id: str) -> dict[str, Any]:
        return {"html": cards[doc_id].html}

    return envelope.tasks("ranking", pool, query, shown, rules, envelope.parts(pool, per_screen), show)


def suggestion(suggested: Sequence[Suggested]) -> list[dict[str, object]]:
    """All cards, the best first; see Form.suggestion."""
    order = sorted(range(len(suggested)), key=lambda n: (-suggested[n].score, n))
    return [ranked.suggestion("ranking", {"ranking": [envelope.opaque(n) for n in order]})]


def judgments(task: Filled, annotation: Annotation, rules: Rules, annotator: str) -> Decoded:
    """One judgment per ranked card; see Form.judgments."""
    return answers.decode(task, annotation, rules, annotator, _Ranking(task))


def reading(rules: Rules) -> plain.Read:
    """One order, each card once, confirmed or not; see `plain.Read`."""

    def read(screen: plain.Screen, regions: Sequence[plain.Region]) -> plain.Said | None:
        named = {region.from_name: region.value for region in regions}
        if len(named) < len(regions) or not named.keys() <= {"ranking", "checked"} or "ranking" not in named:
            return None
        lists = named["ranking"].ranker
        confirmed = named["checked"].choices if "checked" in named else []
        if not lists or lists.keys() != {"ranking"} or not isinstance(confirmed, list):
            return None
        order = [screen.places.get(one, -1) for one in lists["ranking"]]
        if not order or -1 in order or len(set(order)) < len(order):
            return None
        if "checked" in named and (len(confirmed) != 1 or confirmed[0] not in _CONFIRMED):
            return None
        (region,) = (one for one in regions if one.from_name == "ranking")
        return _told(order, screen.docs, region.source, "checked" in named)

    return read


class _Ranking:
    def __init__(self, task: Filled) -> None:
        self._task = task
        self._order: list[int] | None = None
        self._checked = False
        self._origin: Origin = "manual"

    def take(self, control: str, region: Region) -> None:
        if control == "checked":
            answers.one(region, _CONFIRMED)
            self._checked = True
        elif control != "ranking":
            raise answers.unknown("ranking")
        elif self._order is not None:
            raise answers.twice(self._order, region.get("value"))
        else:
            lists = ranked.lists(region, self._task)
            if set(lists) not in ({"ranking"}, {ranked.BARE}):
                raise ValueError(f"expected the list 'ranking', found {quoted(sorted(lists))}")
            self._origin = answers.origin(region)
            (self._order,) = lists.values()

    def judgments(self, said: Speak) -> Sequence[Judgment]:
        order = self._order or []
        each, same = _told(order, self._task.docs, self._origin, self._checked)
        return said.block(each, **same) if order else []


def _told(order: Sequence[int], docs: Sequence[str], origin: Origin, checked: bool) -> plain.Said:
    """What an order of positions says, the best first."""
    ranks = range(1, len(order) + 1)
    each: dict[str, Sequence[Any]] = {
        "value": [str(rank) for rank in ranks],
        "doc_id": [docs[position] for position in order],
        "position": order,
        "rank": ranks,
    }
    as_shown = origin == "prediction" or (origin == "manual" and list(order) == sorted(order))
    flags = () if checked else (UNCHECKED,)
    return each, {"kind": "ranking", "flags": flags, "origin": origin, "untouched": as_shown}
