"""The settings that the page lets an admin try, each with its limits and a sentence on what it does."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from label_configs.errors import Unreadable
from store import settings_file
from store.settings import Settings
from store.settings_file import Changes, Value


class Knob(NamedTuple):
    """One setting. least, most, step: of its slider; choices: in place of them. optional: it may be unset."""

    section: str
    key: str
    label: str
    says: str
    least: float = 0
    most: float = 1
    step: float = 1
    optional: bool = False
    choices: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its name in messages and in the page: `pool.depth`."""
        return f"{self.section}.{self.key}"


GROUPS: Mapping[str, tuple[Knob, ...]] = {
    "What a pool holds": (
        Knob("pool", "depth", "Depth", "Candidates of a query, all kinds together.", 2, 64),
        Knob("pool", "max_depth", "Depth, at most", "Ambiguous queries get up to so many.", 2, 64, optional=True),
        Knob("pool", "hard", "Hard negatives", "Places of the pool for mined negatives.", 0, 32),
        Knob("pool", "random", "Random", "Drawn from what no proposer named.", 0, 16),
        Knob("pool", "audit_near", "Audit, near", "Drawn from below the cut, down to twice the depth.", 0, 16),
        Knob("pool", "audit_beyond", "Audit, beyond", "Drawn from what was ranked further down.", 0, 16),
        Knob("pool", "gold_share", "Gold", "Share of the pools with a hidden control.", 0, 1, 0.05),
        Knob("pool", "near_duplicate", "Near-duplicate", "Cosine from which one stands for another.", 0.8, 1, 0.005),
        Knob("pool", "diversity", "Diversity", "0 takes the best, 1 the most different.", 0, 1, 0.05),
        Knob("pool", "seed", "Seed", "Another seed draws and orders anew.", 0, 100),
    ),
    "Margins of hard negatives": (
        Knob(
            "negatives",
            "relative_margin",
            "Relative margin",
            "A negative scores at most (1 - margin) times the known positive's score.",
            0,
            0.5,
            0.01,
        ),
        Knob(
            "negatives",
            "absolute_margin",
            "Absolute margin",
            "A negative scores so much below the known positive.",
            0,
            0.5,
            0.01,
            optional=True,
        ),
        Knob("negatives", "max_score", "Highest score", "Nothing more similar is mined.", -1, 1, 0.01, optional=True),
        Knob("negatives", "min_score", "Lowest score", "Nothing less similar is mined.", -1, 1, 0.01, optional=True),
        Knob("negatives", "discarded", "Discarded, shown", "Places that go to what a margin forbids.", 0, 16),
    ),
    "Where they are looked for": (
        Knob("negatives", "range_min", "From rank", "So many of the most similar are passed over.", 0, 200),
        Knob("negatives", "range_max", "To rank", "How far down the ranking is looked.", 1, 500),
        Knob("negatives", "num_negatives", "Of one source", "What one source offers at most.", 1, 50),
        Knob(
            "negatives",
            "sampling_strategy",
            "Taken",
            "A source's most similar, or a draw from its range.",
            choices=("top", "random"),
        ),
    ),
}
KNOBS: Mapping[str, Knob] = {knob.name: knob for group in GROUPS.values() for knob in group}


def values(settings: Settings) -> dict[str, Value]:
    """What the knobs stand at: name to value."""
    return {knob.name: _value(settings, knob) for knob in KNOBS.values()}


def adjusted(settings: Settings, changes: Changes) -> Settings:
    """The settings with these knobs turned. Raises Unreadable with every problem.

    Sliders may turn no further than their limits: what is asked of the machine stays small.
    """
    named = {f"{section}.{key}": value for section, some in changes.items() for key, value in some.items()}
    problems = [problem for name, value in named.items() for problem in _problems(settings, name, value)]
    if problems:
        raise Unreadable("These settings cannot be tried here.", problems=problems, mend="Set them in settings.toml.")
    dumped: dict[str, Any] = settings.model_dump(include={"pool", "negatives"})
    turned = settings_file.merged(dumped, changes, "The page")
    return settings.model_copy(update={"pool": turned.pool, "negatives": turned.negatives})


def _problems(settings: Settings, name: str, value: Value) -> list[str]:
    knob = KNOBS.get(name)
    if knob is None:
        return [f"{name}: it is none of the settings of this page"]
    number = isinstance(value, int | float)
    if number and not knob.least <= float(value or 0) <= knob.most and value != _value(settings, knob):
        return [f"{name}: {value:g} is not from {knob.least:g} to {knob.most:g}"]
    return []


def _value(settings: Settings, knob: Knob) -> Value:
    found: Value = getattr(getattr(settings, knob.section), knob.key)
    return found
