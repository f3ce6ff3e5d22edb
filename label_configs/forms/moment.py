"""The moment form: where in a recording or a film the query is answered. Its template is moment.xml.

A range on the waveform is given in seconds; one on the video's timeline in frames from 1, at the rate that the form
itself tells the player.
"""

from collections.abc import Mapping
from typing import Any

from label_configs.cards import Card
from label_configs.errors import Mendable, quoted
from label_configs.forms import answers, envelope, template
from label_configs.forms.answers import Region, Speak
from label_configs.forms.envelope import Annotation, Decoded, Filled, Task
from label_configs.records import Judgment, Modality, Mode, Pool, Query, Shown, Suggested
from label_configs.rules import Rules

MODE: Mode = "blind"
MATCH = "match"
NONE = "none"
"""The query is answered nowhere in it."""
_LABEL = "Nowhere in it"
FRAME_RATE = 25.0
"""Frames per second of the video's timeline."""


def xml(rules: Rules, query: Modality, candidates: Shown) -> str:
    """The labeling config; see Form.xml."""
    if candidates not in {"audio", "video"}:
        raise Mendable(
            f"The moment form does not show {candidates} candidates.",
            why="A moment is a range of time.",
            mend="Use --candidates audio or --candidates video, or another form.",
        )
    return template.render(
        "moment.xml",
        rules,
        query,
        candidates,
        match=MATCH,
        nothing=NONE,
        nothing_label=_LABEL,
        frame_rate=f"{FRAME_RATE:g}",
    )


def tasks(
    pool: Pool, query: Query, shown: str, cards: Mapping[str, Card], rules: Rules, *, per_screen: int = 1
) -> list[Task]:
    """One task a candidate, whatever fits on a screen; see Form.tasks."""

    def show(position: int, doc_id: str) -> dict[str, Any]:
        return {"uri": cards[doc_id].uri}

    return envelope.tasks("moment", pool, query, shown, rules, envelope.parts(pool, 1), show)


def suggestion(suggested: Suggested) -> list[dict[str, object]]:
    """Nothing: a score says that a candidate answers, not where; see Form.suggestion."""
    return []


def judgments(task: Filled, annotation: Annotation, rules: Rules, annotator: str) -> Decoded:
    """One judgment per range, in their order in time, or one that there is none; see Form.judgments."""
    return answers.decode(task, annotation, rules, annotator, _Moments(task))


class _Moments:
    def __init__(self, task: Filled) -> None:
        self._task = task
        self._ranges: list[tuple[float, float, str]] = []
        self._none = False

    def take(self, control: str, region: Region) -> None:
        if not self._task.docs:
            raise ValueError("the task has no candidate")
        if control == "nothing":
            answers.one(region, {NONE: NONE, _LABEL: NONE})
            self._none = True
        elif control == "moments":
            source = answers.origin(region)
            self._ranges += [(start, end, source) for start, end in _ranges(region)]
        else:
            raise answers.unknown("moment")

    def judgments(self, said: Speak) -> list[Judgment]:
        if not self._ranges:
            return [self._judgment(said, value=NONE)] if self._none else []
        contradicted = (NONE,) if self._none else ()
        return [
            self._judgment(said, value=MATCH, start=start, end=end, origin=source, flags=contradicted)
            for start, end, source in sorted(self._ranges)
        ]

    def _judgment(self, said: Speak, **more: Any) -> Judgment:
        return said(kind="moment", doc_id=self._task.docs[0], position=0, **more)


def _ranges(region: Region) -> list[tuple[float, float]]:
    """Start and end in seconds of what one region marks."""
    value = region.get("value")
    if not isinstance(value, dict):
        raise ValueError(f"expected a range, found {quoted(value)}")
    labels = value.get("timelinelabels" if "ranges" in value else "labels") or [MATCH]
    if labels != [MATCH]:
        raise ValueError(f"expected the label {MATCH!r}, found {quoted(labels)}")
    if "ranges" not in value:
        return [_seconds(value, 0.0, 1.0)]
    if not isinstance(value["ranges"], list) or not value["ranges"]:
        raise ValueError(f"expected ranges, found {quoted(value['ranges'])}")
    return [_seconds(one, 1.0, FRAME_RATE) for one in value["ranges"]]


def _seconds(found: object, first: float, rate: float) -> tuple[float, float]:
    """A range counted from `first` at `rate` a second, as seconds; raises ValueError for what is none."""
    ends = [found.get("start"), found.get("end")] if isinstance(found, dict) else []
    numbers = [number for end in ends if (number := envelope.seconds(end)) is not None]
    if len(numbers) != 2 or not first <= numbers[0] <= numbers[1]:
        raise ValueError(f"expected start and end of a range, found {quoted(found)}")
    return round((numbers[0] - first) / rate, 3), round((numbers[1] - first) / rate, 3)
