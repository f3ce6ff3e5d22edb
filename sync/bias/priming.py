"""Threshold priming: whether a grade leans on the one before it (Scholer et al. 2013; Shokouhi et al. 2015)."""

from collections.abc import Collection, Sequence
from typing import TypedDict

import numpy as np

from label_configs.records import Judgment
from sync.bias.seen import Floats

_SHUFFLES = 400


class Priming(TypedDict):
    """effect: grades that an answer moves for each grade of the answer before it on the screen. p: by shuffling.

    Grades of one screen hang together anyway, and in a short screen against each other: what the same screens show in
    any other order is taken away. None where no screen has three grades.
    """

    screens: int
    effect: float | None
    p: float | None


def priming(judgments: Sequence[Judgment], assisted: Collection[str] = ()) -> Priming:
    """Measure it on blind screens, where the order is drawn."""
    rows = _screens(judgments, assisted)
    if not len(rows):
        return Priming(screens=0, effect=None, p=None)
    random, seen = np.random.default_rng(0), _slope(rows)
    others = np.array([_slope(_shuffled(rows, random)) for _ in range(_SHUFFLES)])
    effect = seen - float(others.mean())
    p = (float((np.abs(others - others.mean()) >= abs(effect) - 1e-12).sum()) + 1) / (_SHUFFLES + 1)
    return Priming(screens=len(rows), effect=round(effect, 4), p=round(p, 4))


def _screens(judgments: Sequence[Judgment], assisted: Collection[str]) -> Floats:
    """Grades of one annotation a row, in the order of the screen; NaN after its last."""
    found: dict[int, list[tuple[int, int]]] = {}
    for j in judgments:
        if j.kind == "grade" and j.position >= 0 and j.query_id not in assisted:
            found.setdefault(j.annotation_id, []).append((j.position, int(j.value)))
    kept = [[value for _, value in sorted(of)] for of in found.values() if len(of) > 2]
    rows = np.full((len(kept), max(map(len, kept), default=0)), np.nan)
    for n, values in enumerate(kept):
        rows[n, : len(values)] = values
    return rows


def _slope(rows: Floats) -> float:
    """The regression of each grade on the one before it, both less the mean of their screen."""
    centred = rows - np.nanmean(rows, axis=1, keepdims=True)
    before, after = centred[:, :-1], centred[:, 1:]
    both = ~np.isnan(before) & ~np.isnan(after)
    spread = float((before[both] ** 2).sum())
    return float((before[both] * after[both]).sum()) / spread if spread else 0.0


def _shuffled(rows: Floats, random: np.random.Generator) -> Floats:
    """The same screens in another order; what is missing stays at the end."""
    keys = np.where(np.isnan(rows), 2.0, random.random(rows.shape))
    return np.take_along_axis(rows, np.argsort(keys, axis=1), axis=1)
