"""Label Studio's editor as far as an answer depends on it: it reads a config and a task, takes edits, gives a result.

What it does was measured on Label Studio 1.23.2: the shape of each result; that the key of a chosen answer un-chooses
it; that what is un-chosen or hidden is not submitted; that a Ranker which nobody touched is submitted as it stands, and
keeps the origin of its prediction when its cards are moved.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from xml.etree import ElementTree

from hypothesis import strategies as st

from label_configs.forms.envelope import Task

KINDS = ("Choices", "Taxonomy", "TextArea", "Ranker", "Labels", "TimelineLabels")
UNPLACED = "_"
WRITTEN = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(str.strip)
Region = dict[str, Any]


class Edit(NamedTuple):
    """One thing that an annotator does to a control."""

    control: str
    what: Any


@dataclass
class Control:
    """A tag that takes an answer.

    options: stored name to what its button says. when: the tag and the buttons that show it. region: what its result
    holds beside the answer. lists: of a Ranker, its items by bucket.
    """

    name: str
    to: str
    kind: str
    options: Mapping[str, str]
    many: bool
    when: tuple[str, frozenset[str]] | None
    lists: dict[str, list[str]] = field(default_factory=dict)
    answer: list[Any] = field(default_factory=list)
    region: Region = field(default_factory=dict)


class Editor:
    """One task on the screen."""

    def __init__(self, xml: str, task: Task) -> None:
        data = task["data"]
        tags = list(_tags(ElementTree.fromstring(xml), data))  # noqa: S314 - made here
        self.controls = {c.name: c for c in (_control(tag, data) for tag in tags if tag.tag in KINDS)}

    def edits(self) -> st.SearchStrategy[Edit]:
        """Anything that an annotator can do next."""
        return st.sampled_from(sorted(self.controls)).flatmap(self._edits_of)

    def do(self, edit: Edit) -> None:
        """Do it."""
        control, what = self.controls[edit.control], edit.what
        if control.kind == "ranker":
            _carry(control, *what)
        elif control.kind in {"choices", "taxonomy"}:
            kept = [one for one in control.answer if one != what] if control.many else []
            control.answer = kept if what in control.answer else [*kept, what]
        elif control.kind == "textarea":
            control.answer = [what] if what else []
        else:
            control.answer = [*control.answer, what] if what else control.answer[:-1]
        self._changed(control)

    def prefill(self, regions: Sequence[Mapping[str, Any]]) -> None:
        """Begin with a prediction."""
        for region in deepcopy(regions):
            control = self.controls[region["from_name"]]
            found = region["value"][control.kind]
            control.answer = [found] if control.kind == "ranker" else found
            control.region = {"id": region["id"], "origin": "prediction"}
            control.region |= {"meta": region["meta"]} if "meta" in region else {}

    def result(self, *, draft: bool = False) -> list[Region]:
        """What is submitted, or saved as a draft."""
        found = [region for control in self.controls.values() if self._shown(control) for region in _regions(control)]
        untouched = [c for c in self.controls.values() if c.kind == "ranker" and not c.answer and not draft]
        return found + [_region(c, {"ranker": c.lists}) for c in untouched]

    def picture(self) -> dict[str, Any]:
        """What an annotator sees of the answer: the control's name to what is given there."""
        seen = {c.name: _seen(c) for c in self.controls.values() if self._shown(c)}
        return {name: answer for name, answer in seen.items() if answer}

    def _edits_of(self, name: str) -> st.SearchStrategy[Edit]:
        control = self.controls[name]
        return _whats(control).map(lambda what: Edit(name, what))

    def _changed(self, control: Control) -> None:
        if not control.answer:
            control.region = {}
        elif control.region.get("origin") == "prediction" and control.kind != "ranker":
            control.region["origin"] = "prediction-changed"

    def _shown(self, control: Control) -> bool:
        if control.when is None:
            return True
        tag, buttons = control.when
        asked = self.controls[tag]
        return any(asked.options[one] in buttons for one in asked.answer)


def _tags(tag: ElementTree.Element, data: Mapping[str, Any]) -> Iterator[ElementTree.Element]:
    """A config's tags; what stands in a Repeater once for each item."""
    yield tag
    for child in tag:
        if child.tag != "Repeater":
            yield from _tags(child, data)
            continue
        for n in range(len(_resolved(child.attrib["on"], data))):
            for inner in child.iter():
                given = {key: value.replace(child.attrib["indexFlag"], str(n), 1) for key, value in inner.items()}
                copy = ElementTree.Element(inner.tag, given)
                copy.extend(list(inner))
                yield copy


def _control(tag: ElementTree.Element, data: Mapping[str, Any]) -> Control:
    given = {key.lower(): value for key, value in tag.items()}
    dynamic = _resolved(given["value"], data) if "value" in given else []
    fixed = [dict(child.attrib) for child in tag]
    options = {str(o.get("alias", o.get("value", o.get("name")))): str(o.get("value", "")) for o in fixed + dynamic}
    when = (given["whentagname"], frozenset(given["whenchoicevalue"].split(","))) if "whentagname" in given else None
    many = given.get("choice") == "multiple" or (tag.tag == "Taxonomy" and given.get("maxusages") != "1")
    lists: dict[str, list[str]] = {}
    if tag.tag == "Ranker":
        first = UNPLACED if options else given["name"]
        lists = {first: [str(item["id"]) for item in data["candidates"]], **{bucket: [] for bucket in options}}
    return Control(given["name"], given["toname"], tag.tag.lower(), options, many, when, lists)


def _resolved(path: str, data: Mapping[str, Any]) -> Any:
    """What `$candidates[0].grades` names in a task."""
    found: Any = data
    for part in re.findall(r"\w+", path):
        found = found[int(part) if part.isdecimal() else part]
    return found


def _whats(control: Control) -> st.SearchStrategy[Any]:
    if control.kind == "ranker":
        items = [item for listed in control.lists.values() for item in listed]
        return st.tuples(st.sampled_from(items), st.sampled_from(sorted(control.lists)), st.integers(0, len(items)))
    if control.kind in {"choices", "taxonomy"}:
        return st.sampled_from(sorted(control.options))
    if control.kind == "textarea":
        return st.none() | WRITTEN
    ends = st.lists(st.integers(1, 60_000), min_size=2, max_size=2).map(sorted)
    return st.none() | ends


def _carry(control: Control, item: str, bucket: str, place: int) -> None:
    given = control.answer[0] if control.answer else control.lists
    lists = {name: [one for one in given.get(name, []) if one != item] for name in control.lists}
    lists[bucket].insert(place, item)
    control.answer = [lists]


def _regions(control: Control) -> list[Region]:
    if not control.answer:
        return []
    if control.kind == "labels":
        labelled = {"channel": 0, "labels": ["match"]}
        return [_region(control, {"start": a / 1000, "end": b / 1000, **labelled}) for a, b in control.answer]
    if control.kind == "timelinelabels":
        ranges = [{"start": a, "end": b} for a, b in control.answer]
        return [_region(control, {"ranges": [one], "timelinelabels": ["match"]}) for one in ranges]
    if control.kind == "ranker":
        return [_region(control, {"ranker": control.answer[0]})]
    if control.kind == "taxonomy":
        return [_region(control, {"taxonomy": [[one] for one in control.answer]})]
    return [_region(control, {"text" if control.kind == "textarea" else control.kind: list(control.answer)})]


def _region(control: Control, value: Mapping[str, Any]) -> Region:
    of = {"from_name": control.name, "to_name": control.to, "type": control.kind}
    return {"id": f"{control.name}#1", "origin": "manual", **control.region, **of, "value": value}


def _seen(control: Control) -> Any:
    if control.kind in {"choices", "taxonomy"}:
        return set(control.answer)
    if control.kind == "textarea":
        return "".join(control.answer)
    if control.kind == "ranker":
        lists = control.answer[0] if control.answer else control.lists
        return {name: items for name, items in lists.items() if items and name != UNPLACED}
    rate, first = (1000, 0) if control.kind == "labels" else (25, 1)
    return sorted(((a - first) / rate, (b - first) / rate) for a, b in control.answer)
