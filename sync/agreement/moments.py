"""Moments that several annotators marked in one recording: how much of the time they have in common."""

from collections import defaultdict
from collections.abc import Collection
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pyarrow.compute as pc

from label_configs.forms.moment import MATCH
from sync.votes import Given, people

Range = tuple[float, float]


class Overlap(NamedTuple):
    """Over every two annotators of a recording: mean temporal IoU, share of at least one half, and how many twos."""

    iou: float
    half: float
    comparisons: int


def overlap(given: Given, models: Collection[str] = ()) -> Overlap | None:
    """How alike people mark moments; None where nobody marked what another did. That there is none is a mark too."""
    found = [iou(one, other) for marks in _marks(given, models) for one, other in combinations(marks, 2)]
    if not found:
        return None
    return Overlap(float(np.mean(found)), float(np.mean(np.array(found) >= 0.5)), len(found))


def iou(one: Collection[Range], other: Collection[Range]) -> float:
    """Time in both over time in either, each taken as the union of its ranges; 1 where both have none."""
    first, second, either = _length(one), _length(other), _length([*one, *other])
    if not one and not other:
        return 1.0
    return (first + second - either) / either if either else 0.0


def _length(ranges: Collection[Range]) -> float:
    """Seconds that at least one of the ranges covers."""
    total, until = 0.0, float("-inf")
    for start, end in sorted(ranges):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


def _marks(given: Given, models: Collection[str]) -> list[list[list[Range]]]:
    """Of each recording and query each annotator's ranges, of their last annotation."""
    table = people(given, models)
    table = table.filter(pc.equal(table["kind"], "moment"))
    names = ("query_id", "doc_id", "annotator", "updated_at", "annotation_id", "value", "start", "end")
    said: dict[tuple[str, str], dict[str, dict[tuple[str, int], list[Range]]]] = defaultdict(dict)
    for query_id, doc_id, who, time, annotation, value, start, end in zip(
        *(table[name].to_pylist() for name in names), strict=True
    ):
        ranges = said[query_id, doc_id].setdefault(who, {}).setdefault((time, annotation), [])
        ranges += [(start, end)] if value == MATCH else []
    return [[annotations[max(annotations)] for _, annotations in sorted(by.items())] for by in said.values()]
