"""A corpus ready to be searched: its items, and for each encoder the index and the way to encode a query."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from label_configs.records import Item, Query, ScoredDoc, digest
from ml_backend.asked import Asked
from ml_backend.encoders.base import Vectors
from ml_backend.index import Index
from ml_backend.lexical import Lexical
from store.gold import Gold


@dataclass(frozen=True)
class Space:
    """One encoder's view of the corpus. encode: a query to its vector, shape (dim,)."""

    name: str
    index: Index
    encode: Callable[[Query], Vectors]

    @cached_property
    def _background(self) -> Vectors:
        return self.index.background()

    def scores(self, vector: Vectors, doc_ids: list[str]) -> Vectors:
        """How far each document's similarity to the query lies above the corpus's, in standard deviations.

        Comparable between queries and encoders, unlike raw similarities.
        """
        ordinary = self._background @ vector
        spread = float(ordinary.std()) or 1.0
        return np.asarray((self.index.vectors(doc_ids) @ vector - ordinary.mean()) / spread, dtype=np.float32)


@dataclass(frozen=True)
class Collection:
    """Items by doc_id, and the spaces by encoder name, each of as many of the items as it holds.

    asked: by encoder name the queries whose answers are known in part. strata: the metadata by which random draws are
    spread, the first that an item has. gold: by query_id the pairs whose grade is known.
    """

    items: Mapping[str, Item]
    spaces: Mapping[str, Space]
    asked: Mapping[str, Asked] = field(default_factory=dict)
    strata: tuple[str, ...] = ()
    gold: Mapping[str, Sequence[Gold]] = field(default_factory=dict)

    @cached_property
    def lexical(self) -> Lexical:
        """BM25 over titles, captions and metadata."""
        return Lexical(self.items)

    @cached_property
    def by_stratum(self) -> list[str]:
        """All doc_ids in the order of their strata; within one by a hash, which means nothing."""
        return sorted(self.items, key=lambda doc_id: (self.stratum(doc_id), digest(doc_id), doc_id))

    @cached_property
    def places(self) -> dict[str, int]:
        """The place of each item in that order."""
        return {doc_id: place for place, doc_id in enumerate(self.by_stratum)}

    def stratum(self, doc_id: str) -> tuple[str, str]:
        """Modality, and the first of the metadata that strata are made by; of several values the first."""
        item = self.items[doc_id]
        value = next((found for name in self.strata if (found := item.metadata.get(name))), "")
        return item.modality, str(value[0] if isinstance(value, list | tuple) else value)

    def search(self, name: str, queries: Vectors, k: int) -> list[list[ScoredDoc]]:
        """The k nearest items of each query vector in one space."""
        return self.spaces[name].index.search(queries, k)

    @property
    def encoder(self) -> str:
        """Fingerprints of the encoders, in order of their names."""
        return "+".join(self.spaces[name].index.fingerprint for name in sorted(self.spaces))

    @property
    def version(self) -> str:
        """Versions of the indexes, in order of the encoders' names."""
        return "+".join(self.spaces[name].index.version for name in sorted(self.spaces))
