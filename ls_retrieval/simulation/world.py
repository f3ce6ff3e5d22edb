"""A world whose truth is known: clustered documents, queries with true grades, and encoders that see it dimly."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from label_configs.records import Item, Query, digest

if TYPE_CHECKING:
    from ml_backend.collection import Collection

Floats = NDArray[np.float32]
_DIM = 24
_CLUSTERS = 100


@dataclass(frozen=True)
class Size:
    """How large the world is, and how its annotators are.

    dimness: of the encoders; 0.8 gives a precision@10 of about 0.55. noise, bias: spreads in grades; spammers: share of
    the annotators; votes: for each pair. tailed: relevant items of a query vary by a factor of ten.
    """

    documents: int = 5000
    queries: int = 60
    dimness: float = 0.8
    noise: float = 0.55
    bias: float = 0.35
    spammers: float = 0.25
    annotators: int = 12
    votes: int = 3
    tailed: bool = False


@dataclass(frozen=True)
class World:
    """vectors: of each encoder those of documents and queries, unit length. grades: true ones by query and document."""

    size: Size
    seed: int
    grades: NDArray[np.int64]
    vectors: Mapping[str, tuple[Floats, Floats]]
    known: tuple[int, ...] = field(default=())

    @cached_property
    def items(self) -> dict[str, Item]:
        """The documents, by doc_id."""
        return {doc(n): Item(doc_id=doc(n), text=doc(n)) for n in range(self.size.documents)}

    @cached_property
    def queries(self) -> dict[str, Query]:
        """The queries, by query_id, each with one known positive."""
        return {ask(n): Query(query_id=ask(n), text=ask(n), positives=(doc(d),)) for n, d in enumerate(self.known)}

    def grade(self, query_id: str, doc_id: str) -> int:
        """The true grade of a pair."""
        return int(self.grades[int(query_id[1:]), int(doc_id[1:])])

    def scores(self, encoder: str) -> Floats:
        """Similarity of every query and document, as an encoder sees it."""
        documents, queries = self.vectors[encoder]
        return queries @ documents.T

    def precision(self, encoder: str, k: int = 10) -> float:
        """Share of its first k documents that are of grade 2 or 3."""
        first = np.argsort(-self.scores(encoder), axis=1)[:, :k]
        return float((np.take_along_axis(self.grades, first, axis=1) > 1).mean())

    def collection(self, folder: Path) -> "Collection":
        """The same as proposers and negatives see it; its index is built in a folder."""
        from ml_backend import index
        from ml_backend.collection import Collection, Space

        ids = list(self.items)
        spaces = {}
        for name, (documents, queries) in self.vectors.items():
            index.build(folder, name, digest(name, self.seed), ids, [one.encode() for one in ids], documents)
            rows = {ask(n): vector for n, vector in enumerate(queries)}
            spaces[name] = Space(name, index.load(folder, name), lambda query, rows=rows: rows[query.query_id])  # type: ignore[misc]
        return Collection(self.items, spaces)


def world(size: Size, seed: int) -> World:
    """The world of a seed."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(_CLUSTERS, _DIM))
    latent = centres[random.integers(0, _CLUSTERS, size.documents)] + 0.8 * random.normal(size=(size.documents, _DIM))
    about = latent[random.choice(size.documents, size.queries, replace=False)]
    asked = about + 0.4 * random.normal(size=about.shape)
    grades = _grades(_unit(asked) @ _unit(latent).T, size, random)
    known = tuple(int(random.choice(np.flatnonzero(row == 3))) for row in grades)
    vectors = {name: (_seen(latent, size, random), _seen(asked, size, random, 0.4)) for name in ("ash", "elm", "oak")}
    return World(size, seed, grades, vectors, known)


def doc(n: int) -> str:
    """The doc_id of a document."""
    return f"d{n:05}"


def ask(n: int) -> str:
    """The query_id of a query."""
    return f"q{n:03}"


def _grades(affinity: NDArray[np.float64], size: Size, random: np.random.Generator) -> NDArray[np.int64]:
    """By true affinity: the first few of grade 3, some more of 2, and some of 1."""
    found = np.zeros(affinity.shape, dtype=np.int64)
    for row, order in zip(found, np.argsort(-affinity, axis=1), strict=True):
        scale = float(np.exp(random.normal(-0.3, 0.9))) if size.tailed else 1.0
        ends = np.cumsum([1 + random.poisson(5 * scale), 1 + random.poisson(9 * scale), 2 + random.poisson(8 * scale)])
        for grade, (start, end) in zip((3, 2, 1), zip((0, *ends[:-1]), ends, strict=True), strict=True):
            row[order[start:end]] = grade
    return found


def _seen(latent: NDArray[np.float64], size: Size, random: np.random.Generator, share: float = 1.0) -> Floats:
    return _unit(latent + size.dimness * share * random.normal(size=latent.shape)).astype(np.float32)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
