"""Time per judgment, by form and by assistance."""

from collections.abc import Collection, Sequence
from typing import TypedDict

import numpy as np

from label_configs.records import Judgment


class Pace(TypedDict):
    """Seconds a judgment: those of a whole annotation, shared among its judgments; quartiles over the annotations."""

    form: str
    assisted: bool
    annotations: int
    low: float
    median: float
    high: float


def pace(judgments: Sequence[Judgment], assisted: Collection[str] = ()) -> list[Pace]:
    """By form and assistance, in their order; annotations without a time are left out."""
    held: dict[tuple[int, int], list[Judgment]] = {}
    for j in judgments:
        if j.kind != "flag" and j.lead_time:
            held.setdefault((j.project, j.annotation_id), []).append(j)
    found: dict[tuple[str, bool], list[float]] = {}
    for of in held.values():
        key = of[0].form, of[0].query_id in assisted
        found.setdefault(key, []).append((of[0].lead_time or 0.0) / len(of))
    return [_pace(form, helped, seconds) for (form, helped), seconds in sorted(found.items())]


def _pace(form: str, helped: bool, seconds: Sequence[float]) -> Pace:
    low, median, high = (round(float(q), 2) for q in np.quantile(seconds, [0.25, 0.5, 0.75]))
    return Pace(form=form, assisted=helped, annotations=len(seconds), low=low, median=median, high=high)
