"""Hard negatives of a whole corpus at once, from vectors of any modality: queries × corpus, block by block."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from label_configs.errors import Mendable
from ml_backend.encoders.base import Vectors
from ml_backend.index import exact
from ml_backend.index.exact import Rows
from ml_backend.negatives.rule import in_range, pick, verdicts, window
from store.settings import Negatives

_BLOCK = 1024
"""Queries searched at a time: what the memory that mining takes beyond the vectors depends on."""
_LOOKED_AT = 16_384

Search = Callable[[Vectors, int], tuple[Rows, Vectors]]
"""Queries and a count, to rows of the corpus (-1: none) and their scores, best first: `Index.nearest` is one."""


class Mined(NamedTuple):
    """Of one query: rows of the corpus as negatives, nearest first, and their scores; and what a margin forbade."""

    negatives: list[int]
    scores: list[float]
    discarded: list[int]


def mine(
    queries: Vectors,
    corpus: Vectors,
    known: Sequence[Mapping[int, int]],
    rule: Negatives,
    *,
    positive: int = 1,
    seeded: random.Random | None = None,
    search: Search | None = None,
) -> Iterator[Mined]:
    """The hard negatives of each query, in the order of the queries; the same choices as `mine_hard_negatives`.

    queries, corpus: float32 of shape (n, dim), of length 1 where scores shall be cosines. known: for each query the
    rows of the corpus that were judged, with their grades. Grades from `positive` on are positives and set the margin,
    by the lowest of their scores; lower ones above 0 are neither; 0 may be mined. seeded: draws where sampling is
    random. search: a kept index of the corpus, which pays for many queries of a large one; none to look at every row.
    Raises Mendable where the shapes do not fit each other, or a vector is not finite.
    """
    _check(queries, corpus, known)
    draws = seeded or random.Random(0)  # noqa: S311 - reproducible, not secret
    held = np.ascontiguousarray(corpus, dtype=np.float32)
    apart = [[row for row, grade in grades.items() if grade > 0] for grades in known]
    positives = [[row for row, grade in grades.items() if grade >= positive] for grades in known]
    most = max(map(len, apart), default=0)
    ranks, look = window(rule, most), search or _everywhere(held)
    for start in range(0, len(queries), _BLOCK):
        some = slice(start, start + _BLOCK)
        block = np.ascontiguousarray(queries[some], dtype=np.float32)
        rows, scores = look(block, ranks + most)
        said = verdicts(scores, _lowest(block, held, positives[some])[:, None], rule)
        other = (rows >= 0) & ~_among(rows, apart[some], len(held))
        for one in zip(rows, scores, other & (said == "keep"), other & (said == "discard"), strict=True):
            yield _one(*one, rule, ranks, draws)


def _one(
    rows: Rows,
    scores: Vectors,
    allowed: NDArray[np.bool_],
    forbidden: NDArray[np.bool_],
    rule: Negatives,
    ranks: int,
    seeded: random.Random,
) -> Mined:
    taken = pick(in_range(np.flatnonzero(allowed).tolist(), rule, ranks), rule, seeded)
    return Mined(rows[taken].tolist(), scores[taken].tolist(), rows[forbidden].tolist())


def _lowest(block: Vectors, corpus: Vectors, positives: Sequence[Sequence[int]]) -> Vectors:
    """The lowest score of each query's positives, nan without any: the margin spares the hardest of them."""
    rows = np.full((len(block), max(map(len, positives), default=0)), -1, dtype=np.int64)
    for n, known in enumerate(positives):
        rows[n, : len(known)] = known
    scores = exact.scored(block, corpus, rows)
    return np.asarray(np.fmin.reduce(np.where(rows < 0, np.nan, scores), axis=1, initial=np.nan), dtype=np.float32)


def _among(rows: Rows, known: Sequence[Sequence[int]], total: int) -> NDArray[np.bool_]:
    """Which rows are among those that are known of their query: query and row make one number."""
    first = total * np.arange(len(rows))
    apart = [n * total + row for n, some in enumerate(known) for row in some]
    return np.isin(first[:, None] + rows, apart)


def _everywhere(corpus: Vectors) -> Search:
    """A search that looks at every row; ties by row."""

    def search(block: Vectors, count: int) -> tuple[Rows, Vectors]:
        reach = min(count, len(corpus))
        if reach < 1:
            return np.empty((len(block), 0), np.int64), np.empty((len(block), 0), np.float32)
        scores, rows = exact.nearest(block, corpus, reach)
        order = np.lexsort((rows, -scores))
        return np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1)

    return search


def _check(queries: Vectors, corpus: Vectors, known: Sequence[Mapping[int, int]]) -> None:
    problems = []
    if queries.shape[1:] != corpus.shape[1:]:
        problems.append(f"queries of {queries.shape[1:]} numbers and a corpus of {corpus.shape[1:]} do not meet")
    if len(known) != len(queries):
        problems.append(f"{len(queries)} queries, but what is known is of {len(known)}")
    outside = [n for n, grades in enumerate(known) if any(not 0 <= row < len(corpus) for row in grades)]
    problems += [f"query {n}: a known row is not among the {len(corpus)} of the corpus" for n in outside[:20]]
    for name, vectors in (("query", queries), ("row of the corpus", corpus)):
        problems += [f"{name} {n}: its vector has numbers that are not finite" for n in _not_finite(vectors)[:20]]
    if problems:
        raise Mendable("These vectors cannot be mined.", problems=problems, mend="Pass arrays that belong together.")


def _not_finite(vectors: Vectors) -> list[int]:
    """The rows that no product makes sense of, block by block: a sum shows which are worth a look at their numbers."""
    found, ones = [], np.ones(vectors.shape[1], dtype=np.float32)
    for start in range(0, len(vectors), _LOOKED_AT):
        block = vectors[start : start + _LOOKED_AT]
        with np.errstate(all="ignore"):
            doubtful = np.flatnonzero(~np.isfinite(block @ ones))
        found += [start + int(n) for n in doubtful if not np.isfinite(block[n]).all()]
    return found
