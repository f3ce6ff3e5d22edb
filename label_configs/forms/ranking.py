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


def suggestion(suggested: Suggested) -> list[dict[str, object]]:
    """All cards, the best first; see Form.suggestion."""
    return [ranked.suggestion("ranking", {"ranking": list(map(envelope.opaque, suggested.order))})]


def judgments(task: Filled, annotation: Annotation, rules: Rules, annotator: str) -> Decoded:
    """One judgment per ranked card; see Form.judgments."""
    return answers.decode(task, annotation, rules, annotator, _Ranking(task))


def reading(rules: Rules) -> plain.Read:
    """One order, each card once, confirmed or not; see `plain.Said`."""
    import numpy as np

    def read(answers: plain.Answers) -> plain.Said:
        orders = [_order(one.result) for one in answers.annotations]
        places = plain.numbers(plain.PLACES[card] for order, _, _ in orders for card in order)
        counts = plain.numbers(len(order) for order, _, _ in orders)
        of = np.repeat(np.arange(len(orders)), counts)
        _, usual = plain.by_screen(counts, places, answers.sizes)
        falls = np.flatnonzero((places[1:] < places[:-1]) & (of[1:] == of[:-1]))
        shown = np.ones(len(orders), bool)
        shown[of[falls]] = False
        told = [
            _framed(origin, bool(as_shown), checked)
            for (_, origin, checked), as_shown in zip(orders, shown, strict=True)
        ]
        counts = np.where(usual, counts, 0)
        places, ranks = places[usual[of]], plain.within(counts) + 1
        each = {"value": list(map(str, ranks.tolist())), "position": places, "rank": ranks}
        same = {"kind": plain.always("ranking", len(orders)), **{name: [one[name] for one in told] for name in told[0]}}
        return plain.Said(counts, each, same)

    return read


def _order(regions: Sequence[plain.Region]) -> tuple[Sequence[str], Origin, bool]:
    """The cards in order, who gave it, whether it was confirmed; no cards where it is no plain answer."""
    named = {region.from_name: region for region in regions}
    nothing: tuple[Sequence[str], Origin, bool] = (), "manual", False
    if len(named) < len(regions) or not named.keys() <= {"ranking", "checked"} or "ranking" not in named:
        return nothing
    checked, lists = named.get("checked"), named["ranking"].value.ranker
    if checked and (not checked.value.choices or len(checked.value.choices) > 1):
        return nothing
    if checked and checked.value.choices and checked.value.choices[0] not in _CONFIRMED:
        return nothing
    if not lists or lists.keys() != {"ranking"}:
        return nothing
    return lists["ranking"], named["ranking"].source, bool(checked)


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
        same = _framed(self._origin, order == sorted(order), self._checked)
        return said.block(_told(order, self._task.docs), kind="ranking", **same) if order else []


def _told(order: Sequence[int], docs: Sequence[str]) -> dict[str, Sequence[Any]]:
    """What an order of positions says, the best first."""
    ranks = range(1, len(order) + 1)
    return {
        "value": [str(rank) for rank in ranks],
        "doc_id": [docs[position] for position in order],
        "position": order,
        "rank": ranks,
    }


def _framed(origin: Origin, as_shown: bool, checked: bool) -> dict[str, Any]:
    """What an order is, by who gave it, whether it is that of the screen, and whether it was confirmed."""
    untouched = origin == "prediction" or (origin == "manual" and as_shown)
    return {"flags": () if checked else (UNCHECKED,), "origin": origin, "untouched": untouched}
