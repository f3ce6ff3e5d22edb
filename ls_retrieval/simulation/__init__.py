"""The criteria, measured where the truth is known, from seeds."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypedDict

import numpy as np

from label_configs.errors import Mendable
from ls_retrieval.simulation.criteria import CRITERIA, Criterion
from ls_retrieval.simulation.labelled import labelled
from ls_retrieval.simulation.world import Size, world

__all__ = ["CRITERIA", "Measured", "Size", "known", "simulate"]


class Measured(TypedDict):
    """One criterion. floor: what figures have to reach. value: their means over the seeds, and of others that are there
    for comparison. met: whether the means reach it. seeds: the figures of each seed.
    """

    about: str
    floor: dict[str, str]
    value: dict[str, float]
    met: bool
    seeds: list[dict[str, float]]


def known(names: Sequence[str]) -> list[str]:
    """The names of criteria. Raises Mendable for one that there is not."""
    unknown = [name for name in names if name not in CRITERIA]
    if unknown:
        raise Mendable(f"There is no criterion {', '.join(unknown)}.", mend=f"Take some of: {', '.join(CRITERIA)}.")
    return list(names)


def simulate(
    seeds: int,
    size: Size = Size(),  # noqa: B008 - frozen
    names: Iterable[str] = CRITERIA,
    advance: Callable[[int], None] = lambda done: None,
) -> dict[str, Measured]:
    """Measure the criteria in so many worlds."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for seed in range(seeds):
        made = labelled(world(size, seed))
        for name, of in found.items():
            of.append({figure: round(value, 4) for figure, value in CRITERIA[name].measure(made).items()})
        advance(1)
    return {name: _measured(CRITERIA[name], of) for name, of in found.items()}


def _measured(criterion: Criterion, of: Sequence[dict[str, float]]) -> Measured:
    means = {figure: round(float(np.mean([one[figure] for one in of])), 4) for figure in of[0]}
    return Measured(
        about=criterion.about,
        floor={
            name: f"{'at least' if least else 'at most'} {limit:g}" for name, (least, limit) in criterion.floors.items()
        },
        value=means,
        met=all(_reached(means[name], least, limit) for name, (least, limit) in criterion.floors.items()),
        seeds=list(of),
    )


def _reached(value: float, least: bool, limit: float) -> bool:
    return value >= limit if least else value <= limit
