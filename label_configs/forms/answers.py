"""Reading annotations: the walk over the regions that all forms share, and what all of them ask about the query.

A form gives a Picture of its screen, which takes one region after the other. Whatever it cannot take is a problem that
names project, task, annotation and control; the rest goes on.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from label_configs.forms import envelope
from label_configs.forms.envelope import Annotation, Decoded, Filled
from label_configs.records import Judgment
from label_configs.rules import Rules

_NAMELESS = "(none)"
BETTER = "better_match"
"""The flag of a query for which the annotator knows a better match; its note says which."""

Region = Mapping[str, Any]
Speak = Callable[..., Judgment]


class Picture(Protocol):
    """What an annotator sees of one form once an answer is drawn into it."""

    def take(self, control: str, region: Region) -> None:
        """Draw one region. Raises ValueError with what is wrong with it."""

    def judgments(self, said: Speak) -> list[Judgment]:
        """What the picture says. said: makes a judgment, given what is particular to it."""


class QuerySide:
    """What annotators may say of the query in every form: flags, and a better match in words."""

    controls = frozenset({"flags", "better"})

    def __init__(self, rules: Rules) -> None:
        self._known = {flag: flag for flag in rules.flags}
        self._said: list[tuple[str, str]] = []

    def take(self, control: str, region: Region) -> None:
        """See Picture."""
        if control == "better":
            self._said.append((BETTER, text(region)))
        else:
            self._said += [(flag, "") for flag in chosen(region, self._known)]

    def judgments(self, said: Speak) -> list[Judgment]:
        """See Picture."""
        return [said(kind="flag", value=flag, doc_id="", position=-1, note=note) for flag, note in self._said]


def decode(task: Filled, annotation: Annotation, rules: Rules, annotator: str, picture: Picture) -> Decoded:
    """The judgments of one annotation. A skipped task is one flag, whatever else is left in it."""
    said = envelope.speaker(task, annotation, annotator)
    if annotation.get("was_cancelled"):
        return Decoded([said(kind="flag", value="skipped", doc_id="", position=-1)], [])
    regions, problems = _regions(task, annotation)
    query = QuerySide(rules)
    for region in regions:
        control = str(region.get("from_name"))
        try:
            (query if control in query.controls else picture).take(control, region)
        except ValueError as error:
            problems.append(f"{task.place(annotation, region.get('from_name') or _NAMELESS)}: {error}")
    untouched = bool(regions) and all(region.get("origin") == "prediction" for region in regions)

    def speak(**more: Any) -> Judgment:
        return said(**{"untouched": untouched, **more})

    return Decoded(picture.judgments(speak) + query.judgments(speak), problems)


def origin(region: Region) -> str:
    """Whether a person or a prediction gave this answer, as Label Studio says it."""
    return str(region.get("origin") or "manual")


def chosen(region: Region, known: Mapping[str, str]) -> list[str]:
    """The answers of a Choices or Taxonomy region. known: stored name to the answer that it means."""
    value = region.get("value")
    kind = "taxonomy" if region.get("type") == "taxonomy" else "choices"
    found = value.get(kind) if isinstance(value, dict) else None
    if not isinstance(found, list) or not found:
        raise ValueError(f"expected choices, found {found!r}")
    names = [str(one[-1] if isinstance(one, list) and one else one) for one in found]
    if strange := [name for name in names if name not in known]:
        raise ValueError(f"{strange[0]!r} is not one of the answers {', '.join(known)}")
    return list(dict.fromkeys(known[name] for name in names))


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
        raise ValueError(f"expected text, found {found!r}")
    return "\n".join(lines)


def unknown(form: str) -> ValueError:
    """The problem of a region whose control the form does not have."""
    return ValueError(f"the {form} form has no such control")


def _regions(task: Filled, annotation: Annotation) -> tuple[list[dict[str, Any]], list[str]]:
    """The regions of an annotation, and a problem for each thing among them that is none."""
    result: Any = annotation.get("result") or []
    listed = result if isinstance(result, list) else [result]
    place = task.place(annotation, _NAMELESS)
    odd = [f"{place}: expected a region, found {one!r}" for one in listed if not isinstance(one, dict)]
    return [one for one in listed if isinstance(one, dict)], odd
