"""Quality gates: what the figures must reach before anything is published."""

from typing import NamedTuple

from label_configs.errors import GateFailed
from store.settings import Gates
from sync.report import Summary

_NEXT = {
    "alpha": "Look at the queries with the widest grades and sharpen the sentences in rules.yaml, or add votes.",
    "gold_accuracy": "Look at the gold answers by annotator in the report; train or leave out who misses them.",
    "judged_at_10": "Label the open tasks, or deepen the pools: unjudged items make every nDCG doubtful.",
    "coverage": "Label the open tasks.",
}
_UNMEASURED = {
    "alpha": "No candidate is judged by two annotators yet: label more, with `votes` of 2 or more.",
    "gold_accuracy": "No hidden control is judged yet: label more, or raise gold_share under [pool] for pools to come.",
    "judged_at_10": "Label more: no query with a ranking is judged yet.",
}
_FIGURES = {"alpha": "alpha", "gold_accuracy": "gold_accuracy", "judged_at_10": "judged10", "coverage": "coverage"}


class Gate(NamedTuple):
    """One gate: the least value that is let through, the value found, and whether it passes."""

    name: str
    floor: float
    value: float | None
    passed: bool


def check(figures: Summary, gates: Gates) -> list[Gate]:
    """Every gate that is set. A figure that cannot be measured does not pass."""
    found = []
    for name, figure in _FIGURES.items():
        floor: float | None = getattr(gates, name)
        if floor is not None:
            value: float | None = figures[figure]  # type: ignore[literal-required]
            found.append(Gate(name, floor, value, value is not None and value >= floor))
    return found


def enforce(gates: list[Gate]) -> None:
    """Raise GateFailed that names every gate that does not pass, and what to do about it."""
    failed = [gate for gate in gates if not gate.passed]
    if failed:
        raise GateFailed(
            f"{len(failed)} of {len(gates)} gates do not pass; nothing is published.",
            problems=[
                f"{g.name} is {'not measurable' if g.value is None else g.value}, at least {g.floor} is wanted. "
                f"{(_UNMEASURED if g.value is None else _NEXT)[g.name]}"
                for g in failed
            ],
        )
