"""From a query to its pool: proposers, fusion, hard negatives, controls, cap, seeded display order."""

import random
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from label_configs.records import Candidate, Pool, Query, ScoredDoc, digest
from ml_backend import fusion, negatives, proposers
from ml_backend.collection import Collection
from ml_backend.fusion import Fused
from ml_backend.proposers.request import Request
from store.settings import Settings


def rank(request: Request, settings: Settings) -> list[Fused]:
    """The pre-ranking: what all proposers together hold for the best, as far as they reach."""
    choice = settings.pool
    rankings = {
        source: hits
        for propose in proposers.chosen(choice.proposers)
        for source, hits in propose(request, choice.reach).items()
    }
    return fusion.reciprocal_rank(rankings)


class Proposed(NamedTuple):
    """A query's pool, and the pre-ranking it was cut from."""

    pool: Pool
    run: list[ScoredDoc]


def build(query: Query, collection: Collection, settings: Settings, *, round_: int = 1) -> Proposed:
    """The pool of a query. The same inputs, settings and seed give the same pool."""
    request, choice = Request(query, collection), settings.pool
    seeded = random.Random(digest(choice.seed, query.query_id, round_))  # noqa: S311 - reproducible, not secret
    ranking = rank(request, settings)
    fused_rank = {hit.doc_id: n for n, hit in enumerate(ranking, 1)}

    chosen = _gold(request, choice.gold_share, seeded)
    taken = frozenset(request.positives)
    drawn = min(choice.random, choice.depth - len(chosen))
    chosen += _random(collection, taken | {hit.doc_id for hit in ranking}, drawn, seeded)
    head = [hit for hit in ranking if hit.doc_id not in {c.doc_id for c in chosen}]
    hard = min(choice.hard, choice.depth - len(chosen))
    plain = choice.depth - len(chosen) - hard
    chosen += [Candidate(doc_id=hit.doc_id, source=hit.source, reason="fused") for hit in head[:plain]]
    chosen += negatives.mine(request, settings.negatives, hard, taken | {c.doc_id for c in chosen})
    missing = choice.depth - len(chosen)
    rest = [hit for hit in head[plain:] if hit.doc_id not in {c.doc_id for c in chosen}]
    chosen += [Candidate(doc_id=hit.doc_id, source=hit.source, reason="fused") for hit in rest[:missing]]

    pool = Pool(
        query_id=query.query_id,
        candidates=tuple(_scored(chosen, request, fused_rank)),
        encoder=collection.encoder,
        index=collection.version,
        seed=choice.seed,
        round=round_,
    )
    return Proposed(
        pool.shuffled(), [ScoredDoc(query.query_id, hit.doc_id, hit.score) for hit in ranking[: choice.reach]]
    )


def _gold(request: Request, share: float, seeded: random.Random) -> list[Candidate]:
    """A known positive as hidden control, in `share` of the pools."""
    if not request.positives or seeded.random() >= share:
        return []
    doc_id = seeded.choice(sorted(request.positives))
    return [Candidate(doc_id=doc_id, source="known-positive", role="control", reason="gold")]


def _random(collection: Collection, taken: Iterable[str], wanted: int, seeded: random.Random) -> list[Candidate]:
    """Items that no proposer named, drawn evenly: what the bottom of the scale looks like."""
    rest = sorted(set(collection.items) - set(taken))
    drawn = seeded.sample(rest, min(wanted, len(rest)))
    return [Candidate(doc_id=doc_id, source="random", role="random", reason="drawn evenly") for doc_id in drawn]


def _scored(chosen: list[Candidate], request: Request, fused_rank: dict[str, int]) -> list[Candidate]:
    """Each candidate with the encoders' mean score and its rank in the pre-ranking (0: not in it)."""
    doc_ids = [c.doc_id for c in chosen]
    spaces = request.collection.spaces
    views = [spaces[name].scores(request.vectors[name], doc_ids) for name in spaces]
    means = sum(views[1:], views[0]) / len(views)
    return [
        replace(c, score=round(float(score), 4), rank=fused_rank.get(c.doc_id, 0))
        for c, score in zip(chosen, means, strict=True)
    ]
