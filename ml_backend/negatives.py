"""Hard negatives worth judging: items that a model takes for relevant and that nobody has called so.

The rules only propose. Whatever they choose is shown to people, and leaves as a negative only if they say so.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from label_configs.records import Candidate, ScoredDoc
from ml_backend.proposers import neighbours
from ml_backend.proposers.request import Request
from store.settings import Negatives


class Ranked(NamedTuple):
    """Negatives by rank from one named source, with the model's score of the query's known positive."""

    source: str
    hits: list[ScoredDoc]
    positive: float | None


def eligible(hits: Sequence[ScoredDoc], positive: float | None, rule: Negatives) -> Iterator[ScoredDoc]:
    """The hits that may serve as negatives, in their order.

    hits: nearest first, known positives left out. positive: the similarity of the known positive; with
    several, the lowest. Parameters as in sentence-transformers' `mine_hard_negatives`; the relative margin is that
    of NV-Retriever (arXiv 2407.15831), as a share of the positive's magnitude: a negative scores at most
    positive - |positive| · margin. As there, range_max counts ranks before the other rules, range_min after them.
    """
    limits = [rule.max_score] if rule.max_score is not None else []
    if positive is not None and rule.absolute_margin is not None:
        limits.append(positive - rule.absolute_margin)
    if positive is not None and rule.relative_margin is not None:
        limits.append(positive - abs(positive) * rule.relative_margin)
    near = (hit for hit in hits[: rule.range_max] if all(hit.score <= limit for limit in limits))
    far_enough = (hit for hit in near if rule.min_score is None or hit.score >= rule.min_score)
    yield from islice(far_enough, rule.range_min, None)


def mine(request: Request, rule: Negatives, wanted: int, taken: frozenset[str]) -> list[Candidate]:
    """Up to `wanted` hard negatives, in turn from each source, none of them known, taken or named twice.

    Sources: `near-miss:ENCODER`, close to the query across modalities; `look-alike:ENCODER`, close to a known
    positive within the modality but not to the query.
    """
    queues = [
        (ranked.source, list(eligible(ranked.hits, ranked.positive, rule)))
        for ranked in (*_near_misses(request, rule), *_look_alikes(request, rule))
    ]
    chosen: dict[str, Candidate] = {}
    for rank in range(max((len(hits) for _, hits in queues), default=0)):
        for source, hits in queues:
            if rank < len(hits) and len(chosen) < wanted and hits[rank].doc_id not in taken:
                chosen.setdefault(hits[rank].doc_id, _candidate(hits[rank], source, rank + 1))
    return list(chosen.values())


def _candidate(hit: ScoredDoc, source: str, rank: int) -> Candidate:
    reason = f"similarity {hit.score:.3f}"
    return Candidate(doc_id=hit.doc_id, source=source, role="hard_negative", rank=rank, reason=reason)


def _near_misses(request: Request, rule: Negatives) -> Iterator[Ranked]:
    known = set(request.positives)
    for name, space in request.collection.spaces.items():
        vector = request.vectors[name]
        hits = request.collection.search(name, vector[None, :], rule.range_max + len(known))[0]
        positive = min((space.index.vectors(sorted(known)) @ vector).tolist()) if known else None
        yield Ranked(f"near-miss:{name}", [h for h in hits if h.doc_id not in known], positive)


def _look_alikes(request: Request, rule: Negatives) -> Iterator[Ranked]:
    known = set(request.positives)
    if not known:
        return
    nearest = neighbours.propose(request, rule.range_max)
    for name, space in request.collection.spaces.items():
        vector = request.vectors[name]
        near = [hit.doc_id for hit in nearest[f"neighbours:{name}"]]
        similar: list[float] = (space.index.vectors(near) @ vector).tolist() if near else []
        positive = min((space.index.vectors(sorted(known)) @ vector).tolist())
        hits = [ScoredDoc("", doc_id, score) for doc_id, score in zip(near, similar, strict=True)]
        yield Ranked(f"look-alike:{name}", hits, positive)
