"""How much of the truth an approximate index finds, on the queries that are hardest for it.

What is asked comes from another modality than what is found: queries of the workspace where there are enough, documents
otherwise. Vectors of two modalities lie apart, and an index that was trained on one loses recall on the other.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from label_configs.records import Modality
from ml_backend.encoders.base import Vectors
from ml_backend.index import search
from ml_backend.index.exact import Rows
from ml_backend.index.kinds import KINDS, Approximate, Step
from ml_backend.index.layout import Measured
from ml_backend.index.search import Segment

_ENOUGH = 20
_MOST = 200
_TIMED = 30
_ERRORS = 1.64
_NOISE = 2.0
"""Lengths of noise on one of content: a cosine of 0.45, not much more than between a picture and its caption."""


class Probe(NamedTuple):
    """Test queries, and the rows that they are asked of. asked: what they are, in words."""

    asked: str
    queries: Vectors
    rows: Rows

    def segment(self, vectors: Vectors, approximate: Approximate | None = None) -> Segment:
        """The rows as a segment of their own."""
        positions = np.full(len(vectors), -1, dtype=np.int64)
        positions[self.rows] = self.rows
        return Segment(vectors, positions, approximate)


class Source(NamedTuple):
    """Where the test queries for the documents of a modality come from."""

    kind: Literal["queries", "items", "perturbed items"]
    modality: str
    shown: str

    def __str__(self) -> str:
        return " ".join([*filter(None, [self.modality]), self.kind, *(["for", self.shown] if self.shown else [])])


def sources(modalities: Sequence[Modality], queries: Mapping[Modality, Vectors]) -> list[Source]:
    """One test for each modality of the documents, or one of all where they are not told.

    queries: the workspace's own, by modality. The best that there is enough of: queries of another modality, documents
    of another, queries of the same, and at last the documents themselves with noise.
    """
    there: Mapping[str, int] = Counter(modalities) or {"": 0}
    asked: Mapping[str, int] = {modality: len(vectors) for modality, vectors in queries.items()}
    return [next(_best(shown, there, asked)) for shown in sorted(there)]


def _best(shown: str, there: Mapping[str, int], asked: Mapping[str, int]) -> Iterator[Source]:
    yield from (Source("queries", m, shown) for m in sorted(asked) if m != shown and asked[m] >= _ENOUGH)
    yield from (Source("items", m, shown) for m in sorted(there) if m != shown and there[m] >= _ENOUGH)
    yield from (Source("queries", m, shown) for m in sorted(asked) if m == shown and asked[m] >= _ENOUGH)
    yield Source("perturbed items", "", shown)


def probes(vectors: Vectors, modalities: Sequence[Modality], queries: Mapping[Modality, Vectors]) -> list[Probe]:
    """The tests of these documents."""
    told = np.array(list[str](modalities) or [""] * len(vectors))
    rows = {str(shown): np.flatnonzero(told == shown) for shown in set(told.tolist())}
    asked: Mapping[str, Vectors] = dict(queries.items())
    found = []
    for source in sources(modalities, queries):
        if source.kind == "queries":
            drawn = _drawn(asked[source.modality])
        elif source.kind == "items":
            drawn = vectors[_drawn(rows[source.modality])]
        else:
            drawn = _perturbed(vectors[_drawn(rows[source.shown])])
        found.append(Probe(str(source), np.ascontiguousarray(drawn, dtype=np.float32), rows[source.shown]))
    return found


def _drawn(array: NDArray[Any]) -> NDArray[Any]:
    """Some of the rows of an array, evenly chosen, in their order."""
    if len(array) <= _MOST:
        return array
    return array[np.sort(np.random.default_rng(0).choice(len(array), _MOST, replace=False))]


def _perturbed(vectors: Vectors) -> Vectors:
    noise = np.random.default_rng(0).normal(size=vectors.shape)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True) / np.linalg.norm(noise, axis=1, keepdims=True)
    return np.asarray(vectors + _NOISE * lengths * noise, dtype=np.float32)


class Tuned(NamedTuple):
    """What a kind comes to: the first step that reaches the target, or none; its lowest recall, or the best of all."""

    step: Step | None
    recall: float
    tested: list[Measured]


def tune(name: str, faiss: Any, vectors: Vectors, tests: Sequence[Probe], target: float, at: int) -> Tuned:
    """Look for the cheapest step whose recall at `at` reaches the target in every test, within what chance allows.

    The sample's recall has to lie above the target by 1.64 standard errors, those of the mean over its queries: the
    recall of queries that were not tested is then above it in 95 of 100 cases.
    """
    floors = [_floor(probe, vectors, at) for probe in tests]
    best = 0.0
    for step in KINDS[name].steps(len(vectors)):
        segments = [probe.segment(vectors, Approximate(KINDS[name], faiss, step, at)) for probe in tests]
        recalls = [_recalls(*one, at) for one in zip(segments, tests, floors, strict=True)]
        if all(_surely(one) >= target for one in recalls):
            tested = [_tested(*one, at) for one in zip(segments, tests, recalls, strict=True)]
            return Tuned(step, min(one.recall for one in tested), tested)
        best = max(best, min(float(one.mean()) for one in recalls))
    return Tuned(None, best, [])


def _surely(recalls: Vectors) -> float:
    return float(recalls.mean() - _ERRORS * recalls.std() / len(recalls) ** 0.5)


def _floor(probe: Probe, vectors: Vectors, at: int) -> Vectors:
    """The score of the last of each query's `at` nearest, shape (queries, 1)."""
    _, scores = search.nearest([probe.segment(vectors)], probe.queries, at)
    return scores[:, -1:]


def _recalls(segment: Segment, probe: Probe, floor: Vectors, at: int) -> Vectors:
    """The share of each query's nearest that were found; by score: of two equals it does not matter which."""
    _, scores = search.nearest([segment], probe.queries, at)
    return np.asarray((scores >= floor).mean(axis=1), dtype=np.float32)


def _tested(segment: Segment, probe: Probe, recalls: Vectors, at: int) -> Measured:
    """With the median time of one query."""
    taken = []
    for query in probe.queries[:_TIMED]:
        begun = time.perf_counter()
        search.nearest([segment], query[None, :], at)
        taken.append(time.perf_counter() - begun)
    return Measured(
        probe.asked, len(probe.queries), round(float(recalls.mean()), 4), round(1000 * float(np.median(taken)), 2)
    )
