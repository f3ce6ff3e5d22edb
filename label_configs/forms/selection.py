"""The selection form: the best of N, several that are equally good, or none. Its template is selection.xml."""

from collections.abc import Mapping, Sequence
from typing import Any

from label_configs.cards import Card
from label_configs.forms import answers, envelope, keys, template
from label_configs.forms.answers import Region, Speak
from label_configs.forms.envelope import Annotation, Decoded, Filled, Task
from label_configs.records import Judgment, Modality, Mode, Pool, Query, Shown, Suggested
from label_configs.rules import Rules

MODE: Mode = "blind"
BEST = "best"
"""The candidate, with the others that got this value, is the best of its screen."""
REST = "rest"
"""The candidate stood on the screen, and another was better."""
NONE = "none"
"""No candidate of the screen answers the query."""


def xml(rules: Rules, query: Modality, candidates: Shown) -> str:
    """The labeling config; see Form.xml."""
    return template.render("selection.xml", rules, query, candidates, nothing=NONE)


def tasks(
    pool: Pool, query: Query, shown: str, cards: Mapping[str, Card], rules: Rules, *, per_screen: int = 8
) -> list[Task]:
    """One task a screen; see Form.tasks."""

    def show(position: int, doc_id: str) -> dict[str, Any]:
        return {"value": envelope.opaque(position), "html": cards[doc_id].html, "hotkey": keys.grade(0, position)}

    return envelope.tasks("selection", pool, query, shown, rules, envelope.parts(pool, per_screen), show)


def suggestion(suggested: Sequence[Suggested]) -> list[dict[str, object]]:
    """The candidate with the highest score, the first of equals; see Form.suggestion."""
    if not suggested:
        return []
    best = max(range(len(suggested)), key=lambda n: (suggested[n].score, -n))
    value = {"choices": [envelope.opaque(best)]}
    return [{"id": "best", "from_name": "best", "to_name": "query", "type": "choices", "value": value}]


def judgments(task: Filled, annotation: Annotation, rules: Rules, annotator: str) -> Decoded:
    """One judgment per candidate of an answered screen; see Form.judgments."""
    return answers.decode(task, annotation, rules, annotator, _Selection(task))


class _Selection:
    def __init__(self, task: Filled) -> None:
        self._task = task
        self._best: list[str] = []
        self._origin = "manual"

    def take(self, control: str, region: Region) -> None:
        if control != "best":
            raise answers.unknown("selection")
        best = answers.chosen(region, {known: known for known in (*self._task.ids, NONE)})
        if NONE in best and len(best) > 1:
            raise ValueError(f"none of them and {best!r} together say nothing")
        if self._best:
            raise ValueError(f"it is answered twice; {self._best!r} is kept, {best!r} is not")
        self._best, self._origin = best, answers.origin(region)

    def judgments(self, said: Speak) -> list[Judgment]:
        if not self._best:
            return []
        other = NONE if NONE in self._best else REST
        return [
            said(
                kind="choice",
                value=BEST if candidate in self._best else other,
                doc_id=doc_id,
                position=position,
                origin=self._origin,
            )
            for position, (candidate, doc_id) in enumerate(zip(self._task.ids, self._task.docs, strict=True))
        ]
