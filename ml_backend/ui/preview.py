"""The pool of one query as the page shows it: who is in, by whom and why, and what the margins keep out."""

from collections.abc import Mapping, Sequence
from typing import Any

from label_configs.records import Candidate, Item, Pool
from ml_backend import negatives, pooling
from ml_backend.collection import Collection
from ml_backend.negatives import Mined
from ml_backend.proposers.request import Request
from ml_backend.ui.asking import Asked
from store.settings import Negatives, Settings

_WAITING = 24
"""How many are shown of what is not in the pool: known matches, what a margin forbids, negatives without a place."""
_LONG = 600
_FIELDS = ("doc_id", "source", "role", "score", "rank", "reason", "drawn", "drawn_from")


def preview(asked: Asked, collection: Collection, settings: Settings, known: Mapping[str, Any]) -> dict[str, object]:
    """A query's pool of the first round, and what stood beside it. Nothing is stored.

    known: the query's vectors by encoder; none where the collection makes them.
    """
    query = asked.query
    request = Request(query, collection, settings.pool.seed, known=known)
    pool = pooling.build(query, collection, settings, known=request.vectors).pool
    mined, inside = _mined(request, settings, pool), {c.doc_id for c in pool.candidates}
    shown = Shown(request, pool)
    waiting = [c for c in mined.negatives if c.doc_id not in inside]
    kept_out = [c for c in mined.discarded if c.doc_id not in inside]
    return {
        "query": {
            "query_id": query.query_id,
            "modality": query.modality,
            "text": query.text,
            "known": asked.known,
        },
        "candidates": shown.cards(pool.candidates),
        "matches": shown.some([_match(doc_id) for doc_id in request.positives]),
        "kept_out": shown.some(kept_out),
        "waiting": shown.some(waiting),
        "folded": len(pool.folded),
        "limits": [_limit(request, settings.negatives, name) for name in request.vectors],
        "pool_id": pool.pool_id,
        "per_screen": settings.pool.per_screen,
    }


def _mined(request: Request, settings: Settings, pool: Pool) -> Mined:
    """All that the sources offer, as `pooling` asked them: what the pool holds for other reasons is not offered."""
    others = {c.doc_id for c in pool.candidates if c.role != "hard_negative" and not _doubtful(c)}
    taken = others | {c.doc_id for c in pool.folded} | set(request.positives)
    return negatives.mine(request, settings.negatives, frozenset(taken))


def _match(doc_id: str) -> Candidate:
    return Candidate(doc_id=doc_id, source="known-positive", role="control")


def _doubtful(candidate: Candidate) -> bool:
    """Whether it is in the pool because a margin forbids it as a negative."""
    return candidate.source.startswith("margin:")


def _limit(request: Request, rule: Negatives, name: str) -> dict[str, object]:
    """In one space: the similarity of the lowest known positive, and the highest that a negative may have."""
    positive = min(request.similarities(name, request.positives).values(), default=None)
    highest = [] if rule.max_score is None else [rule.max_score]
    if positive is not None and rule.absolute_margin is not None:
        highest.append(positive - rule.absolute_margin)
    if positive is not None and rule.relative_margin is not None:
        highest.append(positive - abs(positive) * rule.relative_margin)
    return {"encoder": name, "positive": positive, "highest": min(highest, default=None), "lowest": rule.min_score}


class Shown:
    """Makes cards of candidates: what the corpus knows of an item, beside what the pool says of it."""

    def __init__(self, request: Request, pool: Pool) -> None:
        self._request = request
        self._into: dict[str, list[str]] = {}
        for twin in pool.folded:
            self._into.setdefault(twin.twin, []).append(twin.doc_id)

    def cards(self, candidates: Sequence[Candidate]) -> list[dict[str, object]]:
        """A card each, in the same order."""
        doc_ids = [c.doc_id for c in candidates]
        similar = {name: self._request.similarities(name, doc_ids) for name in self._request.vectors}
        return [
            {name: getattr(c, name) for name in _FIELDS}
            | _content(self._request.collection.items[c.doc_id])
            | {
                "similar": {name: round(of[c.doc_id], 4) for name, of in similar.items() if c.doc_id in of},
                "stands_for": self._into.get(c.doc_id, []),
                "doubtful": _doubtful(c),
                "positive": c.doc_id in self._request.positives,
            }
            for c in candidates
        ]

    def some(self, candidates: Sequence[Candidate]) -> dict[str, object]:
        """The first cards of a list that may be long, and how long it is."""
        return {"count": len(candidates), "cards": self.cards(candidates[:_WAITING])}


def _content(item: Item) -> dict[str, object]:
    text = item.text if len(item.text) <= _LONG else item.text[:_LONG] + "…"
    return {"modality": item.modality, "title": item.title, "text": text, "start": item.start, "end": item.end}
