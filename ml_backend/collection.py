"""A corpus ready to be searched: its items, and for each encoder the index and the way to encode a query."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from label_configs.records import Item, Query, ScoredDoc
from ml_backend.encoders.base import Vectors
from ml_backend.index import Index


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
    """Items by doc_id in the corpus's order, and the spaces by encoder name, each of exactly these items."""

    items: Mapping[str, Item]
    spaces: Mapping[str, Space]

    @cached_property
    def lexical(self) -> tuple[list[str], Any]:
        """doc_ids and BM25 over titles, captions and metadata; items without words are not in it."""
        named = {doc_id: words for doc_id, item in self.items.items() if (words := _words(item))}
        found = {d: words for d, words in zip(named, tokens(list(named.values())), strict=True) if words}
        bm25 = _bm25s().BM25()
        if found:
            bm25.index(list(found.values()), show_progress=False)
        return list(found), bm25

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


def tokens(texts: list[str]) -> Any:
    """Lower-case words, English stop words left out."""
    return _bm25s().tokenize(texts, stopwords="en", return_ids=False, show_progress=False)


def _bm25s() -> Any:
    """The library, which sets its own logger to DEBUG at import."""
    import bm25s

    logging.getLogger("bm25s").setLevel(logging.WARNING)
    return bm25s


def _words(item: Item) -> str:
    return " ".join([item.title, item.text, *_strings(item.metadata.get("tags", []))]).strip()


def _strings(value: object) -> list[str]:
    return [str(v) for v in value] if isinstance(value, list | tuple) else [str(value)]
