"""Quality gates: what the figures must reach before anything is published."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from label_configs.errors import GateFailed
from store.settings import Gates
from sync.report.summary import Summary


class Kind(NamedTuple):
    """What a gate looks at, and whether that must be at least or at most what is set.

    next: what to do where it is not; missing: where there is nothing to look at yet.
    """

    figure: Callable[[Summary], float | None]
    least: bool
    next: str
    missing: str


_LABEL = "`ls-retrieval status` counts the open tasks: have them labelled, then `ls-retrieval pull`"
_AUDIT = (
    "raise audit_near, audit_beyond and random under [pool], add queries, then `ls-retrieval pool` and "
    "`ls-retrieval push`"
)
KINDS: Mapping[str, Kind] = {
    "alpha": Kind(
        lambda figures: figures["alpha"],
        True,
        "`ls-retrieval report --out report.html` shows what people disagree about: sharpen the sentences in "
        "rules.yaml. `ls-retrieval qualify` tells who reads them as they are meant.",
        "No candidate is judged by two annotators yet: `ls-retrieval init --overlap 2` asks for a second vote.",
    ),
    "gold_accuracy": Kind(
        lambda figures: figures["gold_accuracy"],
        True,
        "`ls-retrieval gold` shows who misses hidden gold; have them pass `ls-retrieval qualify` before they go on.",
        f"No hidden control is judged yet. {_LABEL}; or raise gold_share under [pool] for pools to come.",
    ),
    "judged_at_10": Kind(
        lambda figures: figures["judged10"],
        True,
        f"Unjudged items make every nDCG doubtful. {_LABEL}; or raise depth under [pool] for pools to come.",
        f"No query with a ranking is judged yet. {_LABEL}.",
    ),
    "coverage": Kind(
        lambda figures: figures["coverage"],
        True,
        f"{_LABEL}.",
        "There is no pool yet: `ls-retrieval pool`, then `ls-retrieval push`.",
    ),
    "false_negative_bound": Kind(
        lambda figures: figures["false_negative_bound"],
        False,
        f"More draws bring it down: {_AUDIT}. Where draws are relevant, raise depth as well.",
        f"No draw of the audit is judged yet. {_LABEL}; without draws in the pools {_AUDIT}.",
    ),
    "untouched": Kind(
        lambda figures: figures["untouched"],
        False,
        "`ls-retrieval gold` shows who sends predictions off as they are: have them look again, or "
        "`ls-retrieval init --project NAME --mode blind` makes a project that shows none.",
        f"Nothing is graded yet. {_LABEL}.",
    ),
}
"""Name in `[gates]` to its kind."""


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
        kind = KINDS[self.name]
        return kind.missing if self.value is None else kind.next


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
