"""The graded form: one query, a grid of candidate cards, one grade per card. Its template is graded.xml.

The answer of candidate n is the region of the control `rel_n`: the position in the task is the only key, so the
order of `candidates` in the stored task decides, and the envelope maps it to doc_ids.
"""

import re
from collections.abc import Mapping
from typing import Any

from label_configs.cards import Card
from label_configs.forms import answers, envelope, keys, plain, template
from label_configs.forms.answers import Region, Speak
from label_configs.forms.envelope import Annotation, Decoded, Filled, Task
from label_configs.records import Judgment, Kind, Modality, Mode, Pool, Query, Shown, Suggested
from label_configs.rules import CANT_JUDGE, CANT_JUDGE_LABEL, CANT_JUDGE_NAME, Rules

MODE: Mode = "blind"
_CONTROL = re.compile(r"(?P<asked>rel|reasons|dissonance)_(?P<position>0|[1-9]\d{0,3})", re.ASCII)

_CARDS = {f"rel_{n}": n for n in plain.PLACES.values()}
"""The control of each card's grade, and its position."""


def xml(rules: Rules, query: Modality, candidates: Shown) -> str:
    """The labeling config. It accepts bare queries; see Form.xml."""
    legend = [(g.label, keys.span(row, 8)) for row, g in enumerate(rules.grades)]
    return template.render("graded.xml", rules, query, candidates, legend=legend)


def tasks(
    pool: Pool, query: Query, shown: str, cards: Mapping[str, Card], rules: Rules, *, per_screen: int = 8
) -> list[Task]:
    """One task a screen; see Form.tasks."""

    def show(position: int, doc_id: str) -> dict[str, Any]:
        return {"html": cards[doc_id].html, "grades": _options(position, rules)}

    return envelope.tasks("graded", pool, query, shown, rules, envelope.parts(pool, per_screen), show)


def suggestion(suggested: Suggested) -> list[dict[str, object]]:
    """A grade for every card; see Form.suggestion."""
    return [answer(position, str(grade)) for position, grade in enumerate(suggested.grades)]


def answer(position: int, value: str) -> dict[str, object]:
    """The region that gives the candidate at a position a grade, or CANT_JUDGE."""
    return answers.region(f"rel_{position}", "choices", [value])


def judgments(task: Filled, annotation: Annotation, rules: Rules, annotator: str) -> Decoded:
    """One judgment per answered card: a grade, or the flag that it cannot be judged; see Form.judgments."""
    return answers.decode(task, annotation, rules, annotator, Grades("graded", _CONTROL, task, rules))


def reading(rules: Rules) -> plain.Read:
    """Grades alone, one a card, as choices; see `plain.Said`."""
    import numpy as np

    known = _grades(rules)
    values = list(dict.fromkeys(known.values()))
    codes = {stored: values.index(value) for stored, value in known.items()}
    kinds: list[Kind] = [_kind(value) for value in values]

    def read(answers: plain.Answers) -> plain.Said:
        regions = [region for one in answers.annotations for region in one.result]
        counts = plain.numbers(len(one.result) for one in answers.annotations)
        of = np.repeat(np.arange(len(counts)), counts)
        places = plain.numbers(_CARDS.get(region.from_name, len(_CARDS)) for region in regions)
        code = plain.numbers(codes.get(_choice(region), -1) for region in regions)
        order, usual = plain.by_screen(counts, places, answers.sizes)
        usual[of[code < 0]] = False
        order = order[usual[of[order]]]
        origins = plain.sources(regions)
        each = {
            "kind": plain.Coded(code[order], kinds),
            "value": plain.Coded(code[order], values),
            "position": places[order],
            "origin": [origins[n] for n in order],
        }
        return plain.Said(np.bincount(of[order], minlength=len(answers.sizes)), each, {})

    return read


def _choice(region: plain.Region) -> str:
    """The one answer; nothing where it is no plain one."""
    choices = region.value.choices
    return choices[0] if choices and len(choices) == 1 else ""


def _kind(value: str) -> Kind:
    return "flag" if value in {CANT_JUDGE, "ungraded"} else "grade"


class Grades:
    """A picture of graded cards, each with its reasons, its dissonance and its note where they were given."""

    def __init__(self, form: str, control: re.Pattern[str], task: Filled, rules: Rules) -> None:
        self._form, self._control, self._task = form, control, task
        self._known: dict[str, dict[str, str]] = {
            "rel": _grades(rules),
            "reasons": {code: code for code in rules.reasons.codes},
            "dissonance": {reading: reading for reading in rules.dissonance},
        }
        self._marks: dict[int, dict[str, tuple[list[str], str]]] = {}

    def take(self, control: str, region: Region) -> None:
        """See Picture."""
        match = self._control.fullmatch(control)
        if not match:
            raise answers.unknown(self._form)
        asked, position = match["asked"], int(match.groupdict().get("position") or 0)
        if position >= len(self._task.docs):
            raise ValueError(f"the task has {len(self._task.docs)} candidates")
        found, source = self._read(asked, region), answers.origin(region)
        mark = self._marks.setdefault(position, {})
        if asked in mark:
            raise answers.twice(mark[asked][0], found)
        mark[asked] = found, source

    def judgments(self, said: Speak) -> list[Judgment]:
        """See Picture."""
        return [self._judgment(position, mark, said) for position, mark in sorted(self._marks.items())]

    def _read(self, asked: str, region: Region) -> list[str]:
        if asked == "note":
            return [answers.text(region)]
        if asked == "reasons":
            return answers.chosen(region, self._known[asked])
        return [answers.one(region, self._known[asked])]

    def _judgment(self, position: int, mark: Mapping[str, tuple[list[str], str]], said: Speak) -> Judgment:
        """A grade or a flag; what was said of a candidate without either is the flag `ungraded`."""
        (value,), source = mark.get("rel", (["ungraded"], "manual"))
        return said(
            kind=_kind(value),
            value=value,
            doc_id=self._task.docs[position],
            position=position,
            reasons=tuple(mark.get("reasons", ([], ""))[0]),
            flags=tuple(mark.get("dissonance", ([], ""))[0]),
            note="".join(mark.get("note", ([], ""))[0]),
            origin=source,
        )


def _options(position: int, rules: Rules) -> list[dict[str, str]]:
    """The answers to one card: its column of the keyboard, the best grade in the highest row."""
    grades = [
        {"value": g.label, "alias": str(g.value), "hotkey": keys.grade(row, position)}
        for row, g in enumerate(rules.grades)
    ]
    return [*grades, {"value": CANT_JUDGE_LABEL, "alias": CANT_JUDGE, "hotkey": keys.doubt(position)}]


def _grades(rules: Rules) -> dict[str, str]:
    """Stored name to answer: a choice is stored by its alias, or by its label in configs without aliases."""
    known = {str(g.value): str(g.value) for g in rules.grades}
    known |= {g.label: str(g.value) for g in rules.grades}
    return known | dict.fromkeys((CANT_JUDGE, CANT_JUDGE_LABEL, CANT_JUDGE_NAME), CANT_JUDGE)
