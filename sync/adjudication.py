"""What people disagree about goes to a judge, whose answer is final.

A project whose purpose is adjudication holds the pairs of another one that are in dispute, in the review form. Its
grades replace the consensus of the pairs that they are given to; "can't judge" decides nothing.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from label_configs.records import Candidate, Judgment, Pool, Relevance
from label_configs.rules import CANT_JUDGE, Rules
from store.settings import Quality
from sync import asking
from sync.consensus import Consensus, Votes
from sync.gold.answers import Pair


class Dispute(NamedTuple):
    """A pair that is not settled: grades between its lowest and highest vote, and how sure the consensus is."""

    query_id: str
    doc_id: str
    apart: int
    confidence: float


def disputes(votes: Votes, relevance: Iterable[Relevance], quality: Quality) -> list[Dispute]:
    """The pairs with several votes that lie `apart` grades or more, or whose consensus is less sure than `below`.

    The widest first, then the least sure, ties by id. A pair with one vote needs another vote, and no judge.
    """
    count = np.bincount(votes.pair, minlength=len(votes.pairs))
    low, high = np.full(len(votes.pairs), 99), np.full(len(votes.pairs), -1)
    np.minimum.at(low, votes.pair, votes.grade)
    np.maximum.at(high, votes.pair, votes.grade)
    sure = {(r.query_id, r.doc_id): r.confidence for r in relevance}
    found = [
        Dispute(*pair, int(high[n] - low[n]), sure[pair])
        for n, pair in enumerate(votes.pairs)
        if count[n] > 1 and pair in sure and (high[n] - low[n] >= quality.apart or sure[pair] < quality.below)
    ]
    return sorted(found, key=lambda d: (-d.apart, d.confidence, d.query_id, d.doc_id))


def pools(
    found: Iterable[Dispute], earlier: Collection[Pool], shown: Mapping[Pair, Candidate], seed: int = 0
) -> list[Pool]:
    """A pool for each query of the pairs that no earlier pool brought before a judge; see `asking.pools`."""
    wanted: dict[Pair, Candidate] = {}
    for query_id, doc_id, apart, confidence in found:
        known = shown.get((query_id, doc_id)) or Candidate(doc_id=doc_id, source="dispute")
        reason = f"votes {apart} grades apart, confidence {confidence:g}"
        wanted[query_id, doc_id] = replace(known, reason=reason)
    return asking.pools(wanted, earlier, seed)


def decided(consensus: Consensus, verdicts: Sequence[Judgment], rules: Rules) -> Consensus:
    """The consensus with what was decided: the grade of a verdict, certain, one vote more than the pair had.

    Of several verdicts on a pair the latest counts.
    """
    final = _final(verdicts)
    if not final:
        return consensus
    there = {(r.query_id, r.doc_id): r for r in consensus.relevance}
    for pair, grade in final.items():
        votes = there[pair].votes if pair in there else 0
        soft = tuple(float(value == grade) for value in rules.values)
        there[pair] = Relevance(
            query_id=pair[0], doc_id=pair[1], grade=grade, soft=soft, confidence=1.0, votes=votes + 1
        )
    return replace(consensus, relevance=tuple(there[pair] for pair in sorted(there)))


def _final(verdicts: Sequence[Judgment]) -> dict[Pair, int]:
    last: dict[Pair, str] = {}
    for j in sorted(verdicts, key=lambda j: (j.updated_at, j.annotation_id)):
        if j.kind == "grade" or j.value == CANT_JUDGE:
            last[j.query_id, j.doc_id] = j.value
    return {pair: int(value) for pair, value in last.items() if value != CANT_JUDGE}
