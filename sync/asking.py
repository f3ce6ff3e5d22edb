"""Pools of pairs that are asked one by one, in projects beside the main ones."""

from collections import Counter
from collections.abc import Collection, Mapping

from label_configs.records import Candidate, Pool
from sync.gold.answers import Pair


def asked(earlier: Collection[Pool]) -> frozenset[Pair]:
    """The pairs that pools ask."""
    return frozenset((pool.query_id, c.doc_id) for pool in earlier for c in pool.candidates)


def pools(wanted: Mapping[Pair, Candidate], earlier: Collection[Pool], seed: int = 0) -> list[Pool]:
    """A pool for each query of the pairs that no earlier pool asks, in a round after the query's last."""
    there, last = asked(earlier), Counter[str]()
    for pool in earlier:
        last[pool.query_id] = max(last[pool.query_id], pool.round)
    fresh: dict[str, list[Candidate]] = {}
    for pair, candidate in wanted.items():
        if pair not in there:
            fresh.setdefault(pair[0], []).append(candidate)
    return [
        Pool(query_id=q, candidates=tuple(of), encoder="", index="", seed=seed, round=last[q] + 1).shuffled()
        for q, of in sorted(fresh.items())
    ]
