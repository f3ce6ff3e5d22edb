"""Quality gates: what the figures must reach before anything is published."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from label_configs.errors import GateFailed
from store.settings import Gates
from sync.report.summary import Summary


class Kind(NamedTuple):
    """What a gate looks at, whether that must be at least or at most what is set, and what to do where it is not."""

    figure: Callable[[Summary], float | None]
    least: bool
    next: str


KINDS: Mapping[str, Kind] = {
    "alpha": Kind(
        lambda figures: figures["alpha"],
        True,
        "Look at the disagreements in the report and sharpen the sentences in rules.yaml, or add votes.",
    ),
    "gold_accuracy": Kind(
        lambda figures: figures["gold_accuracy"],
        True,
        "Look at the gold answers by annotator in the report; train or leave out who misses them.",
    ),
    "judged_at_10": Kind(
        lambda figures: figures["judged10"],
        True,
        "Label the open tasks, or deepen the pools: unjudged items make every nDCG doubtful.",
    ),
    "coverage": Kind(lambda figures: figures["coverage"], True, "Label the open tasks."),
    "false_negative_bound": Kind(
        lambda figures: figures["false_negative_bound"],
        False,
        "Judge more of the audit (raise [pool] random, audit_near and audit_beyond, and make a new round), or deepen "
        "the pools where the audit finds relevant items.",
    ),
    "untouched": Kind(
        lambda figures: figures["untouched"],
        False,
        "Look at who submits predictions as they are in the report; make the project blind, or have them look again.",
    ),
}
"""Name in `[gates]` to its kind."""
_UNMEASURED = {
    "alpha": "No candidate is judged by two annotators yet: label more, with `votes` of 2 or more.",
    "gold_accuracy": "No hidden control is judged yet: label more, or raise gold_share under [pool] for pools to come.",
    "judged_at_10": "Label more: no query with a ranking is judged yet.",
}


class Gate(NamedTuple):
    """One gate: its limit, which the value must reach (least) or stay within, the value, and whether it passes."""

    name: str
    floor: float
    value: float | None
    passed: bool

    @property
    def wanted(self) -> str:
        """What the gate asks for, in words."""
        return f"at {'least' if KINDS[self.name].least else 'most'} {self.floor} is wanted"

    @property
    def next(self) -> str:
        """What to do where it does not pass."""
        usual = KINDS[self.name].next
        return _UNMEASURED.get(self.name, usual) if self.value is None else usual


def check(figures: Summary, gates: Gates) -> list[Gate]:
    """Every gate that is set. A figure that cannot be measured does not pass."""
    found = []
    for name, kind in KINDS.items():
        limit: float | None = getattr(gates, name)
        if limit is not None:
            value = kind.figure(figures)
            passed = value is not None and (value >= limit if kind.least else value <= limit)
            found.append(Gate(name, limit, value, passed))
    return found


def enforce(gates: list[Gate]) -> None:
    """Raise GateFailed that names every gate that does not pass, and what to do about it."""
    failed = [gate for gate in gates if not gate.passed]
    if failed:
        raise GateFailed(
            f"{len(failed)} of {len(gates)} gates do not pass; nothing is published.",
            problems=[
                f"{g.name} is {'not measurable' if g.value is None else g.value}, {g.wanted}. {g.next}" for g in failed
            ],
        )
