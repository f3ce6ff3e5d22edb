"""How good a run is on the collected qrels: measures by query, their means with intervals, and two runs compared."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from label_configs.errors import Mendable
from label_configs.records import Qrel, ScoredDoc
from sync.evaluation.measures import USUAL, measure
from sync.evaluation.measures.judged import judged as judged_share
from sync.evaluation.measures.ndcg import ndcg as gain_share
from sync.evaluation.ranked import Columns, Ranked, rank
from sync.evaluation.statistics import Difference, Interval, difference, interval
from sync.votes import Floats

__all__ = [
    "USUAL",
    "Columns",
    "Difference",
    "Evaluation",
    "Holed",
    "HoledDifference",
    "Interval",
    "compare",
    "evaluate",
    "judged",
    "ndcg",
    "shown",
]

ENOUGH = 0.95
"""judged@10 below which an nDCG means little, and is not shown alone."""
_HOLED = "nDCG@"


class Holed(NamedTuple):
    """An nDCG whose run has holes: it stands beside the share of its first items that was judged, and bpref, which
    looks at judged items only. Unjudged items count as worthless in it.
    """

    ndcg: Interval
    judged: float
    bpref: Interval | None

    def __str__(self) -> str:
        beside = "" if self.bpref is None else f", bpref {self.bpref.value:.3f}"
        return f"{self.ndcg.value:.3f} with holes (judged@10 {self.judged:.0%}{beside})"


@dataclass(frozen=True)
class Evaluation:
    """A run's values: by measure one a query, NaN where a query says nothing, and their means.

    queries: that have judgments; ranked: how many of them the run ranks anything for.
    """

    queries: Sequence[str]
    ranked: int
    values: Mapping[str, Floats]
    means: Mapping[str, Interval | Holed | None]
    judged10: float | None


def evaluate(
    qrels: Sequence[Qrel] | Columns,
    run: Sequence[ScoredDoc] | Columns,
    positive: Collection[int],
    measures: Sequence[str] = USUAL,
    seed: int = 0,
) -> Evaluation:
    """All measures of a run. positive: the grades that count as relevant.

    A query without a relevant item is left out; one that has some and no ranking counts as 0. Mendable where the run
    ranks nothing for any judged query.
    """
    chosen = {name: measure(name) for name in measures}
    ranked = rank(qrels, run, positive)
    if ranked.queries and not len(ranked.query):
        raise Mendable(
            "The run ranks nothing for any of the judged queries.",
            mend="Look whether its query_ids are those of the workspace.",
        )
    values = {name: of(ranked) for name, of in chosen.items()}
    share = _mean(judged_share(ranked, 10))
    means: dict[str, Interval | Holed | None] = {name: interval(of, seed) for name, of in values.items()}
    if share is not None and share < ENOUGH:
        means |= _holed(ranked, means, share, seed)
    return Evaluation(ranked.queries, len(np.unique(ranked.query)), values, means, share)


class HoledDifference(NamedTuple):
    """A difference of nDCGs of which at least one has holes: it stands beside the lower of their judged@10."""

    ndcg: Difference
    judged: float

    def __str__(self) -> str:
        return f"{_told(self.ndcg)}, with holes (judged@10 {self.judged:.0%})"


def compare(one: Evaluation, other: Evaluation, seed: int = 0) -> dict[str, Difference | HoledDifference | None]:
    """By measure how much better one run is than another on the same qrels."""
    found: dict[str, Difference | HoledDifference | None] = {}
    least = min((e.judged10 for e in (one, other) if e.judged10 is not None), default=1.0)
    for name, of in one.values.items():
        between = difference(of, other.values[name], seed)
        holed = between is not None and least < ENOUGH and name.startswith(_HOLED)
        found[name] = HoledDifference(between, least) if between is not None and holed else between
    return found


def ndcg(qrels: Sequence[Qrel] | Columns, run: Sequence[ScoredDoc] | Columns, k: int = 10) -> float | None:
    """Mean nDCG@k over the queries that have a relevant item; None without any. Never show it without judged@k."""
    return _mean(gain_share(rank(qrels, run, depth=k), k))


def judged(qrels: Sequence[Qrel] | Columns, run: Sequence[ScoredDoc] | Columns, k: int = 10) -> float | None:
    """Mean share of the first k items that were judged, over the queries with judgments."""
    return _mean(judged_share(rank(qrels, run, depth=k), k))


def shown(value: Interval | Holed | Difference | HoledDifference | None) -> str:
    """A mean or a difference for people."""
    if value is None:
        return "not measurable"
    if isinstance(value, Difference):
        return _told(value)
    return f"{value.value:.3f} ({value.low:.3f} to {value.high:.3f})" if isinstance(value, Interval) else str(value)


def _told(one: Difference) -> str:
    return f"{one.value:+.3f} ({one.low:+.3f} to {one.high:+.3f}), p {one.p:.3f}"


def _holed(
    ranked: Ranked, means: Mapping[str, Interval | Holed | None], share: float, seed: int
) -> dict[str, Interval | Holed | None]:
    beside = interval(measure("bpref")(ranked), seed)
    found: dict[str, Interval | Holed | None] = {}
    for name, mean in means.items():
        if name.startswith(_HOLED) and isinstance(mean, Interval):
            found[name] = Holed(mean, share, beside)
    return found


def _mean(values: Floats) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None
