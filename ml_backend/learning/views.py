"""The vectors of queries and items by their ids, those of all encoders one after the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from label_configs.errors import Mendable
from label_configs.records import Query
from ml_backend import index
from ml_backend.encoders.base import Vectors
from ml_backend.index import Index
from ml_backend.vectors import VectorStore, key
from store.media import Media
from store.workspace import Workspace


@dataclass(frozen=True)
class Views:
    """What the encoders see. Where one has no vector, there are zeros: it has no say.

    media: reads queries, whose vectors are kept by their content.
    """

    indexes: Mapping[str, Index]
    stores: Mapping[str, VectorStore]
    queries: Mapping[str, Query]
    media: Media
    _kept: dict[str, Vectors] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def _widths(self) -> dict[str, int]:
        return {name: one.main.vectors.shape[1] for name, one in self.indexes.items()}

    def items(self, doc_ids: Sequence[str]) -> Vectors:
        """Shape (items, dim of all encoders together)."""
        parts = [self._items(name, doc_ids) for name in self.indexes]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def _items(self, name: str, doc_ids: Sequence[str]) -> Vectors:
        one = self.indexes[name]
        try:
            return one.vectors(doc_ids)
        except KeyError:
            known = set(one.rows.known(doc_ids))
        found = np.zeros((len(doc_ids), self._widths[name]), dtype=np.float32)
        there = [n for n, doc_id in enumerate(doc_ids) if doc_id in known]
        found[there] = one.vectors([doc_ids[n] for n in there])
        return found

    def query(self, query_id: str) -> Vectors:
        """Shape (dim of all encoders together,). What was looked up once is kept."""
        if query_id not in self._kept:
            self._kept[query_id] = self._query(query_id)
        return self._kept[query_id]

    def _query(self, query_id: str) -> Vectors:
        content_key = self._key(query_id)
        parts: list[NDArray[np.float32]] = []
        for name, width in self._widths.items():
            store = self.stores[name]
            found = store.get([content_key])[0] if content_key and content_key in store else np.zeros(width)
            parts.append(np.asarray(found, dtype=np.float32))
        return np.concatenate(parts)

    def _key(self, query_id: str) -> bytes:
        if query_id not in self.queries:
            return b""
        try:
            query = self.queries[query_id]
            return key(query.modality, self.media.content(query))
        except Mendable:  # a medium that is gone has no vector either
            return b""


def fingerprints(workspace: Workspace) -> dict[str, str]:
    """Encoder name to fingerprint, of the encoders that are configured and indexed."""
    now = index.current(workspace.index)
    return {name: now[name]["fingerprint"] for name in sorted(workspace.settings.encoders) if name in now}


def open_views(workspace: Workspace) -> Views:
    """The views as things stand: indexes by memory map, queries as they are written down."""
    encoders = fingerprints(workspace)
    return Views(
        {name: index.load(workspace.index, name, fingerprint) for name, fingerprint in encoders.items()},
        {name: VectorStore(workspace.embeddings / fingerprint) for name, fingerprint in encoders.items()},
        {query.query_id: query for query in workspace.read_queries().records},
        Media(workspace.root, workspace.settings.media),
    )
