"""Reading annotations: the walk over the regions that all forms share, and what all of them ask about the query.

A form gives a Picture of its screen, which takes one region after the other. Whatever it cannot take is a problem that
names project, task, annotation and control; the rest goes on.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, get_args

from label_configs.errors import quoted
from label_configs.forms import envelope
from label_configs.forms.envelope import Annotation, Decoded, Filled
from label_configs.records import Block, Judgment, Origin
from label_configs.rules import Rules

_NAMELESS = "(none)"
_ORIGINS: tuple[Origin, ...] = get_args(Origin)
BETTER = "better_match"
"""The flag of a query for which the annotator knows a better match; its note says which."""
SUGGESTED = "suggested"
"""In a region's `meta`: the value that a prediction gave it."""

Region = Mapping[str, Any]


class Speaker:
    """Makes the judgments of one annotation: where they come from is filled in, what was said is left to give."""

    def __init__(self, frame: Mapping[str, Any]) -> None:
        self._frame = frame

    def __call__(self, **said: Any) -> Judgment:
        """One judgment, given what is particular to it."""
        return Judgment(**{**self._frame, **said})

    def block(self, each: Mapping[str, Sequence[Any]], **same: Any) -> Sequence[Judgment]:
        """Many at a time: by field, a value for each, and what they have in common."""
        return Block({**self._frame, **same}, each)


Speak = Speaker


class Picture(Protocol):
    """What an annotator sees of one form once an answer is drawn into it."""

    def take(self, control: str, region: Region) -> None:
        """Draw one region. Raises ValueError with what is wrong with it."""

    def judgments(self, said: Speak) -> Sequence[Judgment]:
        """What the picture says. said: makes a judgment, given what is particular to it."""


class QuerySide:
    """What annotators may say of the query in every form: flags, and a better match in words."""

    controls = frozenset({"flags", "better"})

    def __init__(self, rules: Rules) -> None:
        self._known = {flag: flag for flag in rules.flags}
        self._said: dict[str, list[tuple[str, str]]] = {}

    def take(self, control: str, region: Region) -> None:
        """See Picture."""
        better = control == "better"
        found = [(BETTER, text(region))] if better else [(flag, "") for flag in chosen(region, self._known)]
        if control in self._said:
            raise twice(self._said[control], found)
        self._said[control] = found

    def judgments(self, said: Speak) -> list[Judgment]:
        """See Picture."""
        told = [one for found in self._said.values() for one in found]
        return [said(kind="flag", value=flag, doc_id="", position=-1, note=note) for flag, note in told]


def decode(task: Filled, annotation: Annotation, rules: Rules, annotator: str, picture: Picture) -> Decoded:
    """The judgments of one annotation. A skipped task is one flag, whatever else is left in it."""
    try:
        frame = envelope.frame(task, annotation, annotator)
    except ValueError as error:
        return Decoded([], [f"{task.place(annotation)}: {error}"])
    problems = [f"{task.place(annotation)}: {sentence}" for sentence in _odd_frame(annotation)]
    if annotation.get("was_cancelled"):
        return Decoded([Judgment(**frame, kind="flag", value="skipped", doc_id="", position=-1)], problems)
    regions, odd = _regions(task, annotation)
    problems += odd
    query = QuerySide(rules)
    for region in regions:
        control = str(region.get("from_name"))
        try:
            (query if control in query.controls else picture).take(control, region)
        except ValueError as error:
            problems.append(f"{task.place(annotation, region.get('from_name') or _NAMELESS)}: {error}")
    untouched = bool(regions) and all(region.get("origin") == "prediction" and not edited(region) for region in regions)
    said = Speaker({**frame, "untouched": untouched})
    told, asked = picture.judgments(said), query.judgments(said)
    return Decoded([*told, *asked] if asked else told, problems)


def region(control: str, kind: str, answer: object, to: str = "query") -> dict[str, object]:
    """The region by which a control gives an answer, as Label Studio writes it."""
    return {"id": control, "from_name": control, "to_name": to, "type": kind, "value": {kind: answer}}


def edited(region: Region) -> bool:
    """Whether a suggestion was changed. Label Studio leaves the origin of a Ranker at `prediction` all the same."""
    meta = region.get("meta")
    return isinstance(meta, dict) and SUGGESTED in meta and meta[SUGGESTED] != region.get("value")


def origin(region: Region) -> Origin:
    """Whether a person or a prediction gave this answer."""
    said = region.get("origin") or "manual"
    for known in _ORIGINS:
        if said == known:
            return "prediction-changed" if said == "prediction" and edited(region) else known
    raise ValueError(f"{quoted(said)} is no origin of an answer")


def chosen(region: Region, known: Mapping[str, str]) -> list[str]:
    """The answers of a Choices or Taxonomy region. known: stored name to the answer that it means."""
    value = region.get("value")
    kind = "taxonomy" if region.get("type") == "taxonomy" else "choices"
    found = value.get(kind) if isinstance(value, dict) else None
    if not isinstance(found, list) or not found:
        raise ValueError(f"expected choices, found {quoted(found)}")
    names = [one[-1] if isinstance(one, list) and one else one for one in found]
    if strange := [one for one in names if not isinstance(one, str | int) or str(one) not in known]:
        raise ValueError(f"{quoted(strange[0])} is not one of the answers {', '.join(known)}")
    return list(dict.fromkeys(known[str(one)] for one in names))


def one(region: Region, known: Mapping[str, str]) -> str:
    """The answer of a Choices region that takes one."""
    answers = chosen(region, known)
    if len(answers) != 1:
        raise ValueError(f"expected one choice, found {answers!r}")
    return answers[0]


def text(region: Region) -> str:
    """What was written into a TextArea; several entries are lines."""
    value = region.get("value")
    found = value.get("text") if isinstance(value, dict) else None
    lines = [found] if isinstance(found, str) else found
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines) or not "".join(lines).strip():
        raise ValueError(f"expected text, found {quoted(found)}")
    return envelope.stored("\n".join(lines))


def twice(kept: object, found: object) -> ValueError:
    """The problem of a second region for one control."""
    return ValueError(f"it is answered twice; {quoted(kept)} is kept, {quoted(found)} is not")


def unknown(form: str) -> ValueError:
    """The problem of a region whose control the form does not have."""
    return ValueError(f"the {form} form has no such control")


def _regions(task: Filled, annotation: Annotation) -> tuple[list[dict[str, Any]], list[str]]:
    """The regions of an annotation, and a problem for each thing among them that is none."""
    result: Any = annotation.get("result") or []
    listed = result if isinstance(result, list) else [result]
    regions = [one for one in listed if isinstance(one, dict)]
    if len(regions) == len(listed):
        return regions, []
    place = task.place(annotation, _NAMELESS)
    return regions, [f"{place}: expected a region, found {quoted(one)}" for one in listed if not isinstance(one, dict)]


def _odd_frame(annotation: Annotation) -> list[str]:
    """What is wrong with an annotation around its regions, and can be left out."""
    lead_time: object = annotation.get("lead_time")
    if lead_time is None or envelope.seconds(lead_time) is not None:
        return []
    return [f"expected lead_time in seconds, found {quoted(lead_time)}"]
