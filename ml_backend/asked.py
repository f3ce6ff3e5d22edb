"""The queries whose answers are known in part: others may be siblings of them."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from label_configs.errors import Unreadable
from label_configs.records import Query
from ml_backend.encoders.base import Vectors
from ml_backend.vectors import VectorStore, key
from store.media import Media
from store.workspace import Workspace


@dataclass(frozen=True)
class Asked:
    """Queries with known positives, and their vectors in one space, shape (queries, dim)."""

    queries: tuple[Query, ...]
    vectors: Vectors

    def nearest(self, query: Query, vector: Vectors, count: int) -> list[tuple[float, Query]]:
        """The `count` nearest others of the query's modality, best first; ties by query_id.

        The score is the similarity in standard deviations above the mean of all these others.
        """
        others = np.flatnonzero((self._modalities == query.modality) & (self._ids != query.query_id))
        if not len(others):
            return []
        similar = (self.vectors @ vector)[others]
        scores = (similar - similar.mean()) / (float(similar.std()) or 1.0)
        least = np.partition(scores, -min(count, len(scores)))[-min(count, len(scores))]
        near = [(float(scores[n]), self.queries[others[n]]) for n in np.flatnonzero(scores >= least)]
        return sorted(near, key=lambda one: (-one[0], one[1].query_id))[:count]

    @cached_property
    def _ids(self) -> NDArray[np.object_]:
        return np.array([query.query_id for query in self.queries], dtype=object)

    @cached_property
    def _modalities(self) -> NDArray[np.object_]:
        return np.array([query.modality for query in self.queries], dtype=object)


def gather(queries: Iterable[Query], vector: Callable[[Query], Vectors | None]) -> Asked:
    """Those of the queries that have known positives and a vector; what cannot be read has none."""
    found: list[tuple[Query, Vectors]] = []
    for query in queries:
        with suppress(Unreadable):
            known = vector(query) if query.positives else None
            found += [] if known is None else [(query, known)]
    return Asked(tuple(query for query, _ in found), np.array([vector for _, vector in found], dtype=np.float32))


def load(workspace: Workspace, fingerprints: Mapping[str, str]) -> dict[str, Asked]:
    """By encoder name the workspace's queries as far as they have been encoded."""
    media, queries = Media(workspace.root, workspace.settings.media), workspace.read_queries().records
    stores = {name: VectorStore(workspace.embeddings / fingerprint) for name, fingerprint in fingerprints.items()}

    def stored(name: str, query: Query) -> Vectors | None:
        content_key = key(query.modality, media.content(query))
        return stores[name].get([content_key])[0] if content_key in stores[name] else None

    return {name: gather(queries, partial(stored, name)) for name in stores}
