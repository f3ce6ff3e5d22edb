"""From judgments back to what the annotator saw: the inverse of every form."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from label_configs.forms import answers, moment, pairwise, ranking, selection
from label_configs.records import Judgment

Picture = dict[str, Any]
"""A control's name to what is given there, as Editor.picture shows it."""


def _query(said: Sequence[Judgment]) -> Picture:
    flags = {j.value for j in said if not j.doc_id and j.value != answers.BETTER}
    notes = [j.note for j in said if j.value == answers.BETTER]
    return {"flags": flags, "better": "".join(notes)}


def _grades(said: Sequence[Judgment], suffix: str = "_{}") -> Picture:
    seen: Picture = {}
    for j in said:
        asked = {"rel": {j.value} - {"ungraded"}, "reasons": set(j.reasons), "dissonance": set(j.flags), "note": j.note}
        seen |= {name + suffix.format(j.position): answer for name, answer in asked.items()}
    return seen


def _review(said: Sequence[Judgment]) -> Picture:
    return _grades(said, "")


def _buckets(said: Sequence[Judgment]) -> Picture:
    lists: dict[str, list[str]] = {}
    for j in sorted(said, key=lambda j: j.rank or 0):
        lists.setdefault(j.value, []).append(f"c{j.position}")
    return {"buckets": lists}


def _ranking(said: Sequence[Judgment]) -> Picture:
    if not said:
        return {}
    order = [f"c{j.position}" for j in sorted(said, key=lambda j: j.rank or 0)]
    checked = not any(ranking.UNCHECKED in j.flags for j in said)
    return {"ranking": {"ranking": order}, "checked": {ranking.CHECKED} if checked else set()}


def _pairwise(said: Sequence[Judgment]) -> Picture:
    return {"pick": {f"c{j.position}" if j.value == pairwise.BETTER else j.value for j in said}}


def _selection(said: Sequence[Judgment]) -> Picture:
    best = {f"c{j.position}" for j in said if j.value == selection.BEST}
    return {"best": best | {j.value for j in said if j.value == selection.NONE}}


def _moment(said: Sequence[Judgment]) -> Picture:
    none = any(moment.NONE in (j.value, *j.flags) for j in said)
    ranges = [(j.start, j.end) for j in said if j.value == moment.MATCH]
    return {"moments": ranges, "nothing": {moment.NONE} if none else set()}


AGAIN: Mapping[str, Callable[[Sequence[Judgment]], Picture]] = {
    "graded": _grades,
    "buckets": _buckets,
    "ranking": _ranking,
    "pairwise": _pairwise,
    "selection": _selection,
    "moment": _moment,
    "review": _review,
}


def again(name: str, said: Sequence[Judgment]) -> Picture:
    """What the annotator saw, from the judgments alone."""
    seen = _query(said) | AGAIN[name]([j for j in said if j.doc_id])
    return {control: answer for control, answer in seen.items() if answer}
