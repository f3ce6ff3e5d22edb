"""The pairwise form: which of two candidates answers the query better, or both alike, or neither.

One Choices holds both cards and the two other answers, so that each has a key; what Label Studio's own Pairwise tag
gives is read as well. Its template is pairwise.xml.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from label_configs.cards import Card
from label_configs.errors import quoted
from label_configs.forms import answers, envelope, plain, template
from label_configs.forms.answers import Region, Speak
from label_configs.forms.envelope import Annotation, Decoded, Filled, Task
from label_configs.records import Candidate, Judgment, Modality, Mode, Origin, Pool, Query, Shown, Suggested
from label_configs.rules import Rules

MODE: Mode = "blind"
BETTER = "better"
"""The candidate `doc_id` answers the query better than `other_doc_id`."""
TIE = "tie"
NEITHER = "neither"
_LABELS = {TIE: "Both alike", NEITHER: "Neither"}
_SIDES = ("left", "right")
_KEYS = ("1", "2")


def xml(rules: Rules, query: Modality, candidates: Shown) -> str:
    """The labeling config; see Form.xml."""
    return template.render("pairwise.xml", rules, query, candidates, tie=TIE, neither=NEITHER, labels=_LABELS)


def tasks(
    pool: Pool, query: Query, shown: str, cards: Mapping[str, Card], rules: Rules, *, per_screen: int = 2
) -> list[Task]:
    """One task a pair. Each candidate meets its two neighbours in display order, once on each side; see Form.tasks."""

    def show(position: int, doc_id: str) -> dict[str, Any]:
        return {"value": envelope.opaque(position), "html": cards[doc_id].html, "hotkey": _KEYS[position]}

    return envelope.tasks("pairwise", pool, query, shown, rules, _pairs(pool.candidates), show)


def suggestion(suggested: Suggested) -> list[dict[str, object]]:
    """The better match; see Form.suggestion."""
    if len(suggested.order) != len(_SIDES):
        return []
    return [answers.region("pick", "choices", [envelope.opaque(suggested.order[0])])]


def judgments(task: Filled, annotation: Annotation, rules: Rules, annotator: str) -> Decoded:
    """One preference, or none; see Form.judgments."""
    return answers.decode(task, annotation, rules, annotator, _Preference(task))


def reading(rules: Rules) -> plain.Read:
    """One region with one choice between two candidates; see `plain.Said`."""
    import numpy as np

    ids = [envelope.opaque(n) for n in range(len(_SIDES))]
    answers_ = [*ids, *_LABELS]
    codes = {stored: answers_.index(answer) for stored, answer in _known(ids).items()}

    def read(answers: plain.Answers) -> plain.Said:
        picked = plain.numbers(codes.get(_choice(one.result), -1) for one in answers.annotations)
        usual = (picked >= 0) & (answers.sizes == len(_SIDES))
        picked = picked[usual]
        first = (picked == 1).astype(np.int64)
        each = {
            "value": plain.Coded(np.maximum(picked - 1, 0), (BETTER, *_LABELS)),
            "position": first,
            "side": plain.Coded(first, _SIDES),
        }
        same = {
            "kind": plain.always("preference", len(usual)),
            "origin": plain.sources(one.result[0] for one in answers.annotations),
        }
        return plain.Said(usual.astype(np.int64), each, same, others=1 - first)

    return read


def _choice(regions: Sequence[plain.Region]) -> str:
    """What was picked; nothing where it is no plain answer."""
    choices = regions[0].value.choices
    plainly = len(regions) == 1 and regions[0].from_name == "pick" and choices and len(choices) == 1
    return choices[0] if plainly and choices else ""


def _known(ids: Sequence[str]) -> dict[str, str]:
    """Stored choice to what it means: an opaque id, TIE or NEITHER."""
    known = {answer: answer for answer in (*ids, *_LABELS)}
    return known | {label: answer for answer, label in _LABELS.items()}


def _told(picked: str, ids: Sequence[str], docs: Sequence[str]) -> dict[str, Any]:
    """What a choice says of the two candidates."""
    first = ids.index(picked) if picked in ids else 0
    return {
        "kind": "preference",
        "value": picked if picked in {TIE, NEITHER} else BETTER,
        "doc_id": docs[first],
        "other_doc_id": docs[1 - first],
        "position": first,
        "side": _SIDES[first],
    }


class _Preference:
    def __init__(self, task: Filled) -> None:
        self._task = task
        self._picked: str | None = None
        self._origin: Origin = "manual"

    def take(self, control: str, region: Region) -> None:
        if control != "pick" and region.get("type") != "pairwise":
            raise answers.unknown("pairwise")
        if len(self._task.ids) != len(_SIDES):
            raise ValueError(f"a preference is between two candidates, the task has {len(self._task.ids)}")
        picked = self._pick(region)
        if self._picked is not None:
            raise answers.twice(self._picked, picked)
        self._origin = answers.origin(region)
        self._picked = picked

    def judgments(self, said: Speak) -> list[Judgment]:
        if self._picked is None:
            return []
        return [said(**_told(self._picked, self._task.ids, self._task.docs), origin=self._origin)]

    def _pick(self, region: Region) -> str:
        """The opaque id of the better candidate, TIE or NEITHER."""
        if region.get("type") != "pairwise":
            return answers.one(region, _known(self._task.ids))
        value = region.get("value")
        side = value.get("selected") if isinstance(value, dict) else None
        if side not in _SIDES:
            raise ValueError(f"expected left or right, found {quoted(side)}")
        return self._task.ids[_SIDES.index(side)]


def _pairs(candidates: Sequence[Candidate]) -> list[tuple[Candidate, Candidate]]:
    """Neighbours in a ring, so that every candidate can be compared with every other through a chain."""
    if len(candidates) < len(_SIDES):
        return []
    ring = list(zip(candidates, (*candidates[1:], candidates[0]), strict=True))
    return ring[:1] if len(candidates) == len(_SIDES) else ring
