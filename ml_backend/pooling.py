"""From a query to its pool: proposers, fusion, near-duplicates, negatives, controls, audit, seeded display order."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from typing import NamedTuple

from label_configs.records import Candidate, Pool, Query, ScoredDoc
from ml_backend import audit, controls, fusion, negatives, proposers
from ml_backend.ambiguity import depth
from ml_backend.collection import Collection
from ml_backend.encoders.base import Vectors
from ml_backend.fusion import Fused
from ml_backend.likeness import diverse, fold
from ml_backend.proposers import stratum
from ml_backend.proposers.request import Request
from store.pools import BETTER
from store.settings import PoolSettings, Settings


class Proposed(NamedTuple):
    """A query's pool, and the pre-ranking it was cut from: near-duplicates are in neither."""

    pool: Pool
    run: list[ScoredDoc]


class Ranking(NamedTuple):
    """What the proposers hold for the best, and the near-duplicates that it leaves out, with what stands for each."""

    hits: list[Fused]
    into: Mapping[str, str]

    @property
    def ranks(self) -> dict[str, int]:
        """The place of each item, from 1."""
        return {hit.doc_id: n for n, hit in enumerate(self.hits, 1)}


def rank(request: Request, choice: PoolSettings) -> list[Fused]:
    """The pre-ranking: what all proposers together hold for the best, as far as they reach."""
    asked = proposers.chosen(choice.proposers)
    rankings = [propose(request, choice.reach) for propose in asked]
    return fusion.reciprocal_rank({source: hits for found in rankings for source, hits in found.items()})


def build(
    query: Query,
    collection: Collection,
    settings: Settings,
    *,
    round_: int = 1,
    known: Mapping[str, Vectors] | None = None,
) -> Proposed:
    """The pool of a query. The same inputs, settings and seed give the same pool.

    known: the query's vectors by encoder, where they were made already.
    """
    request, choice = Request(query, collection, settings.pool.seed, round_, known or {}), settings.pool
    hits = rank(request, choice)
    gold = controls.control(request, choice, {hit.doc_id for hit in hits})
    ranking = _ranking(request, hits, choice, gold=_ids(gold))
    return _proposed(request, choice, ranking, _fill(request, settings, ranking, gold))


def top_up(
    query: Query,
    collection: Collection,
    settings: Settings,
    *,
    round_: int,
    new: frozenset[str],
    shown: frozenset[str],
    better: Sequence[str] = (),
) -> Proposed | None:
    """A later round of a query: which of the new items would be in its pool now, and what better matches propose.

    None where that is nothing. new: what the corpus did not hold when the last round was made. shown: what earlier
    rounds named. better: what annotators know to match better, in their words. No controls and no audit: they measure
    the first round.
    """
    request, choice = Request(query, collection, settings.pool.seed, round_), settings.pool
    ranking = _ranking(request, rank(request, choice), choice, shown=shown)
    fresh = _new(request, settings, ranking, shown, new) if new else []
    apart = shown | _ids(fresh) | ranking.into.keys()
    fresh += _better(request, choice, apart, better)
    return _proposed(request, choice, ranking, fresh) if fresh else None


def _new(
    request: Request, settings: Settings, ranking: Ranking, shown: frozenset[str], new: frozenset[str]
) -> list[Candidate]:
    """The new ones among what would be chosen now."""
    choice = settings.pool
    head = [_plain(hit) for hit in ranking.hits[: depth(request, choice)]]
    apart = shown | ranking.into.keys() | {c.doc_id for c in head}
    mined = negatives.mine(request, settings.negatives, apart).negatives
    offers = head + _unlike(request.collection, mined, shown | _ids(head), choice.near_duplicate)[: choice.hard]
    return [c for c in offers if c.doc_id in new - shown][: choice.top_up]


def _better(request: Request, choice: PoolSettings, apart: frozenset[str], texts: Sequence[str]) -> list[Candidate]:
    """What the corpus holds for each better match, at most `top_up` in all; an item that is named by its id first."""
    chosen: list[Candidate] = []
    for number, text in enumerate(texts):
        room = -(-(choice.top_up - len(chosen)) // (len(texts) - number))
        asked = replace(request.query, modality="text", text=text, uri="", positives=())
        hits = [hit.doc_id for hit in rank(Request(asked, request.collection, request.seed, request.round), choice)]
        named = [text] if text in request.collection.items else []
        found = [doc_id for doc_id in dict.fromkeys([*named, *hits]) if doc_id not in apart | _ids(chosen)]
        chosen += [Candidate(doc_id=doc_id, source=BETTER, reason=text) for doc_id in found[:room]]
    return chosen


def _ranking(
    request: Request,
    hits: list[Fused],
    choice: PoolSettings,
    gold: frozenset[str] = frozenset(),
    shown: frozenset[str] = frozenset(),
) -> Ranking:
    """The pre-ranking without near-duplicates. A control stands for no other item, what was shown for any; and for a
    known match, which somebody has judged already, nothing stands that nobody has.
    """
    doc_ids = [hit.doc_id for hit in hits if hit.doc_id not in gold]
    into = fold(request.collection, doc_ids, choice.near_duplicate, shown, frozenset(request.positives))
    return Ranking([hit for hit in hits if hit.doc_id not in into], into)


def _fill(request: Request, settings: Settings, ranking: Ranking, gold: list[Candidate]) -> list[Candidate]:
    """The candidates of a first round: controls, the best, negatives, more of the best where these lack, the audit.

    Controls and audit keep their places before negatives do, and negatives before the best. What a margin forbids takes
    the place of a negative.
    """
    choice, deep = settings.pool, depth(request, settings.pool)
    named = ranking.ranks.keys() | ranking.into.keys() | set(request.positives) | _ids(gold)
    chosen = gold + _random(request, named, min(choice.random, deep - len(gold)))
    audited = min(choice.audit_near + choice.audit_beyond, deep - len(chosen))
    plain = max(deep - audited - choice.hard, len(chosen))

    left = [hit for hit in ranking.hits if hit.doc_id not in _ids(chosen)]
    best = [*map(_plain, diverse(request.collection, left, plain - len(chosen), choice.diversity))]
    chosen = _with(chosen, best, plain)
    apart = _ids(chosen) | ranking.into.keys() | set(request.positives)
    mined = negatives.mine(request, settings.negatives, apart)
    doubtful = _unlike(request.collection, mined.discarded, _ids(chosen) - _ids(gold), choice.near_duplicate)
    chosen = _with(chosen, doubtful, min(len(chosen) + settings.negatives.discarded, deep - audited))
    hard = _unlike(request.collection, mined.negatives, _ids(chosen) - _ids(gold), choice.near_duplicate)
    chosen = _with(chosen, hard, min(plain + choice.hard, deep - audited))
    chosen = _with(chosen, best, deep - audited)
    rest = [hit.doc_id for hit in ranking.hits if hit.doc_id not in _ids(chosen)]
    strata, near = audit.strata(rest, ranking.ranks, 2 * deep), min(choice.audit_near, audited)
    return chosen + audit.draw(strata, near, audited - near, request.seeded("audit"))


def _random(request: Request, named: Set[str], wanted: int) -> list[Candidate]:
    """Items that no proposer named, spread over the strata: what the bottom of the scale looks like."""
    unnamed = len(request.collection.items) - len(named)
    drawn = stratum.draw(request.collection, named, wanted, request.seeded("random"))
    return audit.weighed(drawn, unnamed, "random", "random", "that no proposer named")


def _plain(hit: Fused) -> Candidate:
    return Candidate(doc_id=hit.doc_id, source=hit.source, reason=hit.reason)


def _ids(candidates: Iterable[Candidate]) -> frozenset[str]:
    return frozenset(c.doc_id for c in candidates)


def _without(offers: Sequence[Candidate], chosen: Sequence[Candidate]) -> list[Candidate]:
    there = _ids(chosen)
    return [c for c in offers if c.doc_id not in there]


def _unlike(collection: Collection, offers: Sequence[Candidate], seen: Set[str], threshold: float) -> list[Candidate]:
    """Of the offers, which may lie beyond the ranking, those that are near-duplicates of nothing seen or offered."""
    there = [doc_id for doc_id in sorted(seen) if doc_id in collection.items]
    into = fold(collection, [*there, *(c.doc_id for c in offers)], threshold, frozenset(there))
    return [c for c in offers if c.doc_id not in into]


def _with(chosen: list[Candidate], offers: Sequence[Candidate], up_to: int) -> list[Candidate]:
    """What is chosen, and of the offers what is new, until there are so many."""
    return chosen + _without(offers, chosen)[: max(up_to - len(chosen), 0)]


def _proposed(request: Request, choice: PoolSettings, ranking: Ranking, chosen: Sequence[Candidate]) -> Proposed:
    """The pool of these candidates in display order, with the near-duplicates that they stand for; and its run."""
    collection, query_id, shown = request.collection, request.query.query_id, _ids(chosen)
    folded = [
        Candidate(doc_id=doc_id, source="near-duplicate", twin=twin)
        for doc_id, twin in sorted(ranking.into.items())
        if twin in shown
    ]
    pool = Pool(
        query_id=query_id,
        candidates=tuple(_scored(chosen, request, ranking.ranks)),
        encoder=collection.encoder,
        index=collection.version,
        seed=choice.seed,
        round=request.round,
        folded=tuple(folded),
    )
    run = [ScoredDoc(query_id, hit.doc_id, hit.score) for hit in ranking.hits[: choice.reach]]
    return Proposed(pool.shuffled(), run)


def _scored(chosen: Sequence[Candidate], request: Request, ranks: Mapping[str, int]) -> list[Candidate]:
    """Each candidate with its mean score in the spaces that hold it, and its rank in the pre-ranking (0: not in it)."""
    scores: dict[str, list[float]] = {c.doc_id: [] for c in chosen}
    for name, vector in request.vectors.items():
        held = request.held(name, list(scores))
        for doc_id, score in zip(held, request.collection.spaces[name].scores(vector, held), strict=True):
            scores[doc_id].append(float(score))
    means = {doc_id: sum(of) / len(of) if of else 0.0 for doc_id, of in scores.items()}
    return [replace(c, score=round(means[c.doc_id], 4), rank=ranks.get(c.doc_id, 0)) for c in chosen]
