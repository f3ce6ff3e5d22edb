"""Exact search over vectors as they lie on disk, and the one way in which a pair's score is computed.

FAISS finds, by matrix products for many queries and pair by pair for few; their sums differ in the last digits. So what
was found is scored again, pair by pair: a pair has the same score whichever way, with whichever others it was found.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_backend.encoders.base import Vectors

Rows = NDArray[np.int64]
"""Row numbers; -1 stands for none."""
Search = Callable[[Vectors], tuple[Vectors, Rows]]
"""Queries to the scores and rows of their nearest."""

_FEW = 20
"""Queries below which FAISS goes pair by pair; its own default makes batches of under 250 eight times slower."""
_TOGETHER = 256
"""Queries of one matrix product: its 1 MB of scores is still in the cache when the best of them are looked for."""
_BLOCK = 4_096


@dataclass(frozen=True, eq=False)
class Part:
    """Some of the rows of an array. rows: ascending. total: how many the array has."""

    rows: Rows
    total: int

    @cached_property
    def selector(self) -> Any:
        """What tells FAISS to look at these rows."""
        import faiss

        python: Any = faiss  # whose type stubs know the C++ constructors alone
        mask = np.zeros(self.total, dtype=bool)
        mask[self.rows] = True
        return python.IDSelectorBitmap(np.packbits(mask, bitorder="little"))


def nearest(queries: Vectors, vectors: Vectors, count: int, wanted: Part | None = None) -> tuple[Vectors, Rows]:
    """Scores and rows of the `count` nearest vectors of each query, best first, each of shape (queries, count).

    wanted: the rows that are looked at, at least `count`; none for all.
    """
    import faiss

    faiss.cvar.distance_compute_blas_threshold = _FEW
    if len(queries) < _FEW:
        with threads(1 if len(queries) == 1 else 0):
            return _passing(queries, vectors, count) if wanted is None else _picking(queries, vectors, count, wanted)
    if wanted is None:
        return _side_by_side(lambda block: _passing(block, vectors, count), queries)
    return _side_by_side(lambda block: _gathering(block, vectors, count, wanted.rows), queries)


def _side_by_side(search: Search, queries: Vectors) -> tuple[Vectors, Rows]:
    """Blocks of queries, each by one thread: threads that share a product wait for each other at each of its parts."""
    import faiss

    def one(block: Vectors) -> tuple[Vectors, Rows]:
        with threads(1):
            return search(block)

    most = faiss.omp_get_max_threads()
    blocks = np.array_split(queries, max(-(-len(queries) // _TOGETHER), min(most, len(queries) // _FEW)))
    with ThreadPoolExecutor(most) as pool:
        found = list(pool.map(one, blocks))
    return np.concatenate([scores for scores, _ in found]), np.concatenate([rows for _, rows in found])


def _passing(queries: Vectors, vectors: Vectors, count: int) -> tuple[Vectors, Rows]:
    """All rows."""
    import faiss

    python: Any = faiss
    scores, rows = python.knn(queries, vectors, count, metric=faiss.METRIC_INNER_PRODUCT)
    return scores, rows


def _picking(queries: Vectors, vectors: Vectors, count: int, wanted: Part) -> tuple[Vectors, Rows]:
    """Pass over all rows and look at the wanted: for few queries, since FAISS then goes pair by pair."""
    import faiss

    python: Any = faiss
    scores, rows = np.empty((len(queries), count), np.float32), np.empty((len(queries), count), np.int64)
    to, (total, dim) = faiss.swig_ptr, vectors.shape
    asked = (to(queries), to(vectors), dim, len(queries), total)
    python.knn_inner_product(*asked, count, to(scores), to(rows), wanted.selector)
    return scores, rows


def _gathering(queries: Vectors, vectors: Vectors, count: int, wanted: Rows) -> tuple[Vectors, Rows]:
    """Copy the wanted rows block by block into matrix products: for many queries, which share the copy."""
    import faiss

    python: Any = faiss
    best = python.ResultHeap(len(queries), count, keep_max=True)
    for start in range(0, len(wanted), _BLOCK):
        block = wanted[start : start + _BLOCK]
        few = min(count, len(block))
        scores, found = python.knn(queries, vectors[block], few, metric=faiss.METRIC_INNER_PRODUCT)
        best.add_result(scores, block[found])
    best.finalize()
    return best.D, best.I


def scored(queries: Vectors, vectors: Vectors, rows: Rows) -> Vectors:
    """The score of each query with its rows, in the shape of `rows`; minus infinity for none."""
    import faiss

    rows = np.ascontiguousarray(rows)
    scores = np.empty(rows.shape, dtype=np.float32)
    count, width = rows.shape
    python: Any = faiss
    to = faiss.swig_ptr
    with threads(1 if count == 1 else 0):
        python.fvec_inner_products_by_idx(
            to(scores), to(queries), to(vectors), to(rows), vectors.shape[1], count, width
        )
    return scores


@contextmanager
def threads(count: int = 0) -> Iterator[None]:
    """FAISS with so many threads in this block; 0: as it is.

    One for a single query: there is little to share, and on a busy machine threads that wait for each other take many
    times longer.
    """
    import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count or before)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
