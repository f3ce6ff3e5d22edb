"""How many relevant items were missed: estimates and exact one-sided bounds from the audit of pools.

The three strata of a pool, near the cut, beyond, and what no proposer named, are together all that was not shown. Each
drawn candidate says how many were drawn of how many; what was drawn and not yet judged counts as not drawn.

The bound. Of query q, n_q of N_q were drawn and K_q are relevant. The number found over all queries is a sum of
hypergeometric counts, each of which is a sum of independent trials (Vatutin and Mikhailov 1982), and so has in its
lower tail no more weight than the binomial with the same mean (Hoeffding 1956). Clopper and Pearson's bound on that
mean therefore holds for any K_q; it bounds the sum of K_q by giving the items to the queries where a draw stands for
most. One query alone is bounded by its hypergeometric count. The strata share the risk of 1 - level in proportion to
what one draw of them stands for, which is known beforehand: so their bounds add up to a bound of all.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypedDict

from label_configs.records import Candidate, Pool
from sync.completeness.bounds import LEVEL, most_marked, upper

STRATA = {"audit:near": "near the cut", "audit:beyond": "ranked further down", "random": "named by no proposer"}
"""Source of the draws to what they are drawn from."""
Pair = tuple[str, str]


class Draw(NamedTuple):
    """Of one query and stratum: its size, how many drawn items were judged, and how many of these are relevant."""

    size: int
    drawn: int
    found: int

    @property
    def weight(self) -> float:
        """What one draw stands for."""
        return self.size / self.drawn


class Stratum(TypedDict):
    """One stratum over all audited queries. size: items in it. missed: estimate and upper bound of relevant ones.

    unaudited: queries whose draws are not judged yet; nothing here speaks of them.
    """

    name: str
    queries: int
    unaudited: int
    size: int
    drawn: int
    found: int
    missed: float
    missed_most: float


class OfQuery(TypedDict):
    """One query: relevant items known, and at most how many more there are."""

    query_id: str
    known: int
    missed: float
    missed_most: float


class Missed(TypedDict):
    """How much was missed. known: relevant items that were judged, of the audited queries.

    missed, missed_most: relevant items that were never shown, estimate and upper bound at `level`. unshown: items that
    were not shown, over these queries. share, share_most: of them relevant, which is how often an unjudged item taken
    as a negative is none. recall, recall_least: known ones of all relevant. All None where nothing was audited.
    """

    level: float
    audited: int
    known: int
    unshown: int
    missed: float | None
    missed_most: float | None
    share: float | None
    share_most: float | None
    recall: float | None
    recall_least: float | None
    strata: list[Stratum]
    queries: list[OfQuery]


def missed(pools: Sequence[Pool], relevant: Mapping[Pair, bool], level: float = LEVEL) -> Missed:
    """What pools have missed. relevant: of every judged pair whether it is positive."""
    draws, drawn_of = _draws(pools, relevant)
    risks = _risks(draws, 1 - level)
    strata = [_stratum(name, draws[name], drawn_of[name], 1 - risks[name]) for name in STRATA if draws[name]]
    audited = frozenset().union(*draws.values())
    known = Counter(dict.fromkeys(audited, 0))
    known.update(query_id for (query_id, _), good in relevant.items() if good and query_id in audited)
    unshown = sum(one["size"] for one in strata)
    estimate, most = (sum(one[key] for one in strata) for key in ("missed", "missed_most"))
    some = known.total()
    return Missed(
        level=level,
        audited=len(audited),
        known=some,
        unshown=unshown,
        missed=round(estimate, 1) if audited else None,
        missed_most=round(most, 1) if audited else None,
        share=_share(estimate, unshown),
        share_most=_share(most, unshown),
        recall=_share(some, some + estimate),
        recall_least=_share(some, some + most),
        strata=strata,
        queries=[_of_query(q, known[q], draws, level) for q in sorted(audited)],
    )


def bound(draws: Sequence[Draw], level: float) -> float:
    """At most so many relevant items are in a stratum and were not drawn, over all queries; see the module."""
    found, drawn = sum(d.found for d in draws), sum(d.drawn for d in draws)
    unseen = sum(d.size - d.drawn for d in draws)
    if len(draws) == 1:
        (one,) = draws
        return float(most_marked(one.found, one.size, one.drawn, level) - one.found)
    if found >= drawn - 1:
        return float(unseen)
    return min(_dearest(draws, upper(found, drawn, level) * drawn) - found, float(unseen))


def _dearest(draws: Sequence[Draw], mean: float) -> float:
    """The most relevant items whose expected number among the drawn is `mean`: first where a draw stands for most."""
    total = 0.0
    for draw in sorted(draws, key=lambda d: -d.weight):
        taken = min(mean, float(draw.drawn))
        total, mean = total + taken * draw.weight, mean - taken
    return total


def _draws(
    pools: Sequence[Pool], relevant: Mapping[Pair, bool]
) -> tuple[dict[str, dict[str, Draw]], dict[str, set[str]]]:
    """By stratum and query what was drawn and judged; and the queries of which anything was drawn.

    A pool that was shown in another order is there twice: the last one of a query counts.
    """
    judged: dict[str, dict[str, Draw]] = {name: {} for name in STRATA}
    drawn: dict[str, set[str]] = {name: set() for name in STRATA}
    last = {pool.query_id: pool for pool in pools if any(c.drawn for c in pool.candidates)}
    for query_id, pool in last.items():
        for c in pool.candidates:
            if c.drawn and c.source in STRATA:
                drawn[c.source].add(query_id)
                _add(judged[c.source], query_id, c, relevant.get((query_id, c.doc_id)))
    return judged, drawn


def _add(of: dict[str, Draw], query_id: str, c: Candidate, good: bool | None) -> None:
    if good is not None:
        before = of.get(query_id, Draw(c.drawn_from, 0, 0))
        of[query_id] = Draw(before.size, before.drawn + 1, before.found + good)


def _risks(draws: Mapping[str, Mapping[str, Draw]], risk: float) -> dict[str, float]:
    """The share of the risk that each stratum bears."""
    stands = {name: sum(d.weight for d in of.values()) / max(len(of), 1) for name, of in draws.items()}
    whole = sum(stands.values()) or 1.0
    return {name: risk * one / whole for name, one in stands.items()}


def _stratum(name: str, of: Mapping[str, Draw], drawn_of: set[str], level: float) -> Stratum:
    draws = list(of.values())
    return Stratum(
        name=name,
        queries=len(of),
        unaudited=len(drawn_of - of.keys()),
        size=sum(d.size for d in draws),
        drawn=sum(d.drawn for d in draws),
        found=sum(d.found for d in draws),
        missed=round(_estimate(draws), 2),
        missed_most=round(bound(draws, level), 2),
    )


def _of_query(query_id: str, known: int, draws: Mapping[str, Mapping[str, Draw]], level: float) -> OfQuery:
    of = {name: {query_id: found[query_id]} for name, found in draws.items() if query_id in found}
    risks = _risks(of, 1 - level)
    most = sum(bound(list(found.values()), 1 - risks[name]) for name, found in of.items())
    estimate = sum(_estimate(list(found.values())) for found in of.values())
    return OfQuery(query_id=query_id, known=known, missed=round(estimate, 1), missed_most=most)


def _estimate(draws: Sequence[Draw]) -> float:
    """Horvitz and Thompson's estimate of the relevant items that were not drawn."""
    return sum(d.found * (d.weight - 1) for d in draws)


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None
