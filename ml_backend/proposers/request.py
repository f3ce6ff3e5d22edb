"""What a proposer is asked."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from label_configs.errors import Unreadable
from label_configs.records import Query, ScoredDoc, digest
from ml_backend.collection import Collection
from ml_backend.encoders.base import Vectors

Place = tuple[str, str]
"""What was searched from, the query or its positives, and the space."""


@dataclass(frozen=True)
class Request:
    """A query on a collection. Its vectors are made once for all proposers, and each space is searched once.

    An encoder that cannot read the query has no say, and a space has none on what it does not hold.
    known: the query's vectors by encoder, where they were made already.
    """

    query: Query
    collection: Collection
    seed: int = 0
    round: int = 1
    known: Mapping[str, Vectors] = field(default_factory=dict, repr=False, compare=False)
    _searched: dict[Place, tuple[int, list[ScoredDoc]]] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def vectors(self) -> dict[str, Vectors]:
        """Encoder name to the query's vector, shape (dim,). Raises Unreadable where no encoder can read it."""
        if self.known:
            return dict(self.known)
        found, refused = {}, None
        for name, space in self.collection.spaces.items():
            try:
                found[name] = space.encode(self.query)
            except Unreadable as error:
                refused = error
        if refused and not found:
            raise refused
        return found

    @cached_property
    def positives(self) -> list[str]:
        """Known positives that are in the corpus, by id."""
        return sorted({doc_id for doc_id in self.query.positives if doc_id in self.collection.items})

    def seeded(self, purpose: str) -> random.Random:
        """The generator of one draw: its own for each seed, query, round and purpose."""
        return random.Random(digest(self.seed, self.query.query_id, self.round, purpose))  # noqa: S311 - reproducible, not secret

    def nearest(self, name: str, reach: int) -> list[ScoredDoc]:
        """The items nearest to the query in a space, best first; ties by doc_id."""
        return self._search("query", name, self.vectors[name][None, :], reach)[:reach]

    def alike(self, name: str, reach: int) -> list[ScoredDoc]:
        """The items nearest to a known positive in a space, whichever it is; the positives are left out."""
        known = self.held(name, self.positives)
        if not known:
            return []
        vectors = self.collection.spaces[name].index.vectors(known)
        found = self._search("positives", name, vectors, reach + len(known))
        return [hit for hit in found if hit.doc_id not in known][:reach]

    def held(self, name: str, doc_ids: Sequence[str]) -> list[str]:
        """Those of the items that a space has a vector of."""
        rows = self.collection.spaces[name].index.rows
        return [doc_id for doc_id in doc_ids if doc_id in rows]

    def similarities(self, name: str, doc_ids: Sequence[str]) -> dict[str, float]:
        """The similarity to the query of those of the items that a space holds."""
        held = self.held(name, doc_ids)
        if not held:
            return {}
        scores: list[float] = (self.collection.spaces[name].index.vectors(held) @ self.vectors[name]).tolist()
        return dict(zip(held, scores, strict=True))

    def _search(self, where: str, name: str, vectors: Vectors, reach: int) -> list[ScoredDoc]:
        """The nearest to any of the vectors, at least `reach` of them. What was searched once is looked up."""
        reached, kept = self._searched.get((where, name), (-1, []))
        if reached < reach:
            best: dict[str, float] = {}
            for hits in self.collection.search(name, vectors, reach):
                for hit in hits:
                    best[hit.doc_id] = max(hit.score, best.get(hit.doc_id, hit.score))
            kept = by_score(best)
            self._searched[where, name] = reach, kept
        return kept


def by_score(scores: dict[str, float]) -> list[ScoredDoc]:
    """A ranking by falling score; ties by doc_id."""
    return [ScoredDoc("", doc_id, -score) for score, doc_id in sorted((-s, d) for d, s in scores.items())]
