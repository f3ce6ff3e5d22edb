"""The circularity guard: a run that is judged only on what it proposed itself is its own judge."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

from label_configs.records import Candidate, Qrel, ScoredDoc
from sync.completeness.audit import Pair
from sync.completeness.bounds import Interval, interval, lower
from sync.completeness.proposers import names

ALIKE = 0.8
"""Share of a run's first items that a proposer ranks there too, from which the two count as one."""
HALF = 0.5


class Circular(TypedDict):
    """Whether a run is its own judge. like: proposers that rank as it does.

    relevant: relevant items that somebody named, over the run's queries. own: of them the share that none but `like`
    named, with exact bounds. flagged: whether it is more than half for certain (one-sided, 95 %).
    """

    like: list[str]
    relevant: int
    own: Interval | None
    flagged: bool


def circular(
    run: Sequence[ScoredDoc],
    candidates: Mapping[Pair, Candidate],
    qrels: Sequence[Qrel],
    positive: frozenset[int],
    k: int = 10,
) -> Circular:
    """Look who brought the relevant items that a run is measured by.

    A relevant item that was drawn, mined or a control, and one that a proposer of another mind named, speak against
    circularity. A model under another name, or fine-tuned a little, is recognised by what it ranks first.
    """
    heads = _heads(run, k)
    like = [name for name in names(candidates.values()) if _overlap(name, candidates, heads, k) >= ALIKE]
    relevant = [(q.query_id, q.doc_id) for q in qrels if q.relevance in positive and q.query_id in heads]
    brought = [candidates[pair] for pair in relevant if pair in candidates and candidates[pair].role != "control"]
    own = sum(bool(c.proposers) and c.proposers.keys() <= set(like) for c in brought)
    return Circular(
        like=like,
        relevant=len(brought),
        own=interval(own, len(brought)),
        flagged=bool(brought) and lower(own, len(brought)) > HALF,
    )


def _heads(run: Sequence[ScoredDoc], k: int) -> dict[str, set[str]]:
    """The first k items of every query."""
    ranked: dict[str, list[ScoredDoc]] = {}
    for hit in run:
        ranked.setdefault(hit.query_id, []).append(hit)
    return {
        query_id: {hit.doc_id for hit in sorted(hits, key=lambda hit: (-hit.score, hit.doc_id))[:k]}
        for query_id, hits in ranked.items()
    }


def _overlap(name: str, candidates: Mapping[Pair, Candidate], heads: Mapping[str, set[str]], k: int) -> float:
    """The share of the run's first k among the proposer's, over the queries that the proposer names anything for."""
    of: dict[str, set[str]] = {}
    for (query_id, doc_id), c in candidates.items():
        if query_id in heads and c.proposers.get(name, k + 1) <= k:
            of.setdefault(query_id, set()).add(doc_id)
    shares = [len(found & heads[query_id]) / min(len(found), len(heads[query_id])) for query_id, found in of.items()]
    return sum(shares) / len(shares) if shares else 0.0
