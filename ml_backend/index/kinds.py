"""The kinds of approximate index, and which of them to try for a corpus.

Each names candidates by a small copy of the vectors; the best of them are scored again by the vectors themselves. Steps
go from cheap to dear: the first that reaches the recall that was asked for is taken.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ml_backend.encoders.base import Vectors
from ml_backend.index import exact
from ml_backend.index.exact import Part, Rows
from store.settings import IndexKind

FEWEST = 2_000
"""Vectors below which an approximate index cannot be trained, and would gain nothing."""
EXACT_BELOW = 50_000
_SAMPLE = 65_536
_BLOCK = 65_536
_MOST_LISTS = 2_048
_REFINED = 80
"""Compressed vectors that are scanned in the time that one candidate takes to be scored again."""
_FACTORS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)


class Step(NamedTuple):
    """How hard to look. effort: lists to visit, or places of a graph to keep. factor: candidates for each result."""

    effort: int
    factor: int


@dataclass(frozen=True)
class Kind:
    """spec: of FAISS's factory, for a count and width of vectors. parameters: of a search with effort and selector.

    threads: that add vectors, 0 for all; a graph that several add to is another each time.
    """

    spec: Callable[[int, int], str]
    steps: Callable[[int], Sequence[Step]]
    parameters: Callable[[int, Any], Any]
    threads: int = 0


def lists(count: int) -> int:
    """How many lists an inverted file of so many vectors has."""
    return min(_MOST_LISTS, int(4 * count**0.5), count // 40)


def _compressed(dim: int) -> str:
    """Four bits for four numbers, where the width allows it."""
    parts = max(n for n in range(1, max(1, dim // 4) + 1) if dim % n == 0)
    return f"PQ{parts}x4fs"


def _list_steps(count: int) -> list[Step]:
    efforts = sorted({max(1, lists(count) // share) for share in (128, 64, 32, 16, 8, 4)})
    steps = [Step(effort, factor) for effort in efforts for factor in _FACTORS]
    return sorted(steps, key=lambda step: count * step.effort / lists(count) + _REFINED * 50 * step.factor)


def _list_parameters(effort: int, selector: Any) -> Any:
    import faiss

    python: Any = faiss
    return python.SearchParametersIVF(nprobe=effort, sel=selector)


def _graph_parameters(effort: int, selector: Any) -> Any:
    import faiss

    python: Any = faiss
    return python.SearchParametersHNSW(efSearch=effort, sel=selector)


# One list instead of a plain PQ: FAISS lets only an inverted file say which rows are wanted
KINDS: Mapping[str, Kind] = {
    "pq": Kind(
        lambda count, dim: f"IVF1,{_compressed(dim)}",
        lambda count: [Step(1, factor) for factor in _FACTORS],
        _list_parameters,
    ),
    "ivf": Kind(lambda count, dim: f"IVF{lists(count)},{_compressed(dim)}", _list_steps, _list_parameters),
    "hnsw": Kind(
        lambda count, dim: "HNSW32,SQ8",
        lambda count: [Step(effort, 2) for effort in (64, 128, 256, 512, 1024, 2048)],
        _graph_parameters,
        threads=1,
    ),
}


def plan(kind: IndexKind, count: int) -> tuple[str, ...]:
    """The kinds to try for so many vectors, in order; none where exact search is right from the start.

    Measured on two cores with vectors of 512 numbers: up to 50,000 an exact query takes some milliseconds. From there
    lists are faster than a scan of compressed vectors, for many queries by more than two times; the scan misses less.
    A graph of a million takes minutes to build, and loses most between modalities: only who asks for it gets one.
    """
    if kind == "exact" or count < FEWEST or (kind == "auto" and count < EXACT_BELOW):
        return ()
    if kind != "auto":
        return (kind,)
    return ("ivf", "pq")


@dataclass(frozen=True)
class Approximate:
    """An approximate index that was opened, and how it is searched. at: the depth that its recall was measured at."""

    kind: Kind
    faiss: Any
    step: Step
    at: int

    def nearest(self, queries: Vectors, count: int, wanted: Part | None) -> Rows:
        """Rows of the candidates for `count` results of each query, -1 where there are fewer."""
        reach = min(max(count, self.at) * self.step.factor, self.faiss.ntotal)
        parameters = self.kind.parameters(self.step.effort, wanted and wanted.selector)
        with exact.threads(1 if len(queries) == 1 else 0):
            _, rows = self.faiss.search(queries, reach, params=parameters)
        return np.asarray(rows)


def built(name: str, vectors: Vectors) -> Any:
    """A FAISS index of this kind over all of the vectors. The same vectors give the same index."""
    import faiss

    kind, (count, dim) = KINDS[name], vectors.shape
    index = faiss.index_factory(dim, kind.spec(count, dim), faiss.METRIC_INNER_PRODUCT)
    drawn = np.random.default_rng(0).choice(count, min(count, max(_SAMPLE, 40 * lists(count))), replace=False)
    with exact.threads(1):  # many small steps: on a busy machine several threads take many times longer
        index.train(vectors[np.sort(drawn)])
    with exact.threads(kind.threads):
        for start in range(0, count, _BLOCK):
            index.add(vectors[start : start + _BLOCK])
    return index


def write(path: Path, index: Any) -> None:
    """Keep a FAISS index."""
    import faiss

    faiss.write_index(index, str(path))


def opened(name: str, path: Path, step: Step, at: int) -> Approximate:
    """Open an index of this kind. A graph stays on disk, compressed vectors are read: 64 MB of a million."""
    import faiss

    try:
        return Approximate(KINDS[name], faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC), step, at)
    except RuntimeError as error:
        raise FileNotFoundError(f"{path} cannot be read: {error}") from error
