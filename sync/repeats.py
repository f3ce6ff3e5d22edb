"""The same tasks once more, later and in another order: whether an annotator agrees with themselves.

A repeat is a pool of a later round that shows a query the same candidates as an earlier one; no mark says so.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from label_configs.records import Candidate, Pool, digest
from store.gold import FROM_FILE, Gold
from sync.gold.answers import Pair


def due(pools: Sequence[Pool], answered: Collection[str], share: float, gold: Mapping[Pair, Gold]) -> list[Pool]:
    """The pools of the next round for a share of the queries, by a hash of their ids.

    answered: pool_ids that somebody has answered; a query is repeated once, and its first round alone. What is gold by
    now is a control in the repeat: who did not meet the pair before is measured by it.
    """
    rounds: dict[str, list[Pool]] = {}
    for pool in sorted(pools, key=lambda pool: pool.round):
        rounds.setdefault(pool.query_id, []).append(pool)
    return [
        _again(of, gold)
        for query_id, of in sorted(rounds.items())
        if of[0].pool_id in answered and is_chosen(query_id, share) and not is_repeated(of)
    ]


def _again(rounds: Sequence[Pool], gold: Mapping[Pair, Gold]) -> Pool:
    first, last = rounds[0], rounds[-1]
    candidates = tuple(_known(first.query_id, c, gold) for c in first.candidates)
    return replace(first, candidates=candidates, index=last.index, round=last.round + 1).shuffled()


def is_chosen(query_id: str, share: float) -> bool:
    """Whether a query is among the share that is asked twice."""
    return int(digest("repeat", query_id), 16) / 16**16 < share


def is_repeated(rounds: Sequence[Pool]) -> bool:
    """Whether one of a query's rounds shows what its first one does."""
    first, *later = (frozenset(c.doc_id for c in pool.candidates) for pool in rounds)
    return first in later


def _known(query_id: str, candidate: Candidate, gold: Mapping[Pair, Gold]) -> Candidate:
    known = gold.get((query_id, candidate.doc_id))
    if known is None or candidate.role == "control":
        return candidate
    return replace(candidate, role="control", source=f"{FROM_FILE}{known.origin}", reason="gold")
