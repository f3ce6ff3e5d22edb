"""The selection form: the best of N, several that are equally good, or none. Its template is selection.xml."""

from collections.abc import Mapping
from typing import Any

from label_configs.cards import Card
from label_configs.errors import quoted
from label_configs.forms import answers, envelope, keys, template
from label_configs.forms.answers import Region, Speak
from label_configs.forms.envelope import Annotation, Decoded, Filled, Task
from label_configs.records import Judgment, Modality, Mode, Origin, Pool, Query, Shown, Suggested
from label_configs.rules import Rules

MODE: Mode = "blind"
BEST = "best"
"""The candidate, with the others that got this value, is the best of its screen."""
REST = "rest"
"""The candidate stood on the screen, and another was better."""
NONE = "none"
"""No candidate of the screen answers the query."""
NONE_LABEL = "None of these"


def xml(rules: Rules, query: Modality, candidates: Shown) -> str:
    """The labeling config; see Form.xml."""
    return template.render("selection.xml", rules, query, candidates, nothing=NONE, nothing_label=NONE_LABEL)


def tasks(
    pool: Pool, query: Query, shown: str, cards: Mapping[str, Card], rules: Rules, *, per_screen: int = 8
) -> list[Task]:
    """One task a screen; see Form.tasks."""

    def show(position: int, doc_id: str) -> dict[str, Any]:
        return {"value": envelope.opaque(position), "html": cards[doc_id].html, "hotkey": keys.grade(0, position)}

    return envelope.tasks("selection", pool, query, shown, rules, envelope.parts(pool, per_screen), show)


def suggestion(suggested: Suggested) -> list[dict[str, object]]:
    """The best match; see Form.suggestion."""
    return [answers.region("best", "choices", [envelope.opaque(best)]) for best in suggested.order[:1]]


def judgments(task: Filled, annotation: Annotation, rules: Rules, annotator: str) -> Decoded:
    """One judgment per candidate of an answered screen; see Form.judgments."""
    return answers.decode(task, annotation, rules, annotator, _Selection(task))


class _Selection:
    def __init__(self, task: Filled) -> None:
        self._task = task
        self._best: list[str] = []
        self._origin: Origin = "manual"

    def take(self, control: str, region: Region) -> None:
        if control != "best":
            raise answers.unknown("selection")
        known = {candidate: candidate for candidate in self._task.ids}
        best = answers.chosen(region, {**known, NONE: NONE, NONE_LABEL: NONE})
        if NONE in best and len(best) > 1:
            raise ValueError(f"{quoted(best)} contradict each other")
        if self._best:
            raise answers.twice(self._best, best)
        self._origin = answers.origin(region)
        self._best = best

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
