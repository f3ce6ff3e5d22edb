"""Search over segments: the large one that an index was built as, and the small one of what came since."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ml_backend.encoders.base import Vectors
from ml_backend.index import exact
from ml_backend.index.exact import Part, Rows
from ml_backend.index.kinds import Approximate

_SMALL_PART = 8
_SPARE = 16
_NEARLY = 2e-6
_HELD = 4_000_000
"""Candidates of all queries that are in memory at once."""


class Found(NamedTuple):
    """Candidates of each query: positions in the corpus (-1: none) and scores, each of shape (queries, candidates).

    floor: no other document of the segment scores above it; shape (queries,).
    """

    positions: Rows
    scores: Vectors
    floor: Vectors


@dataclass(frozen=True, eq=False)
class Segment:
    """Vectors, and the position of each in the corpus, -1 for what is not searched: withdrawn, or of no interest.

    approximate: what names candidates faster than a pass over all of them.
    """

    vectors: Vectors
    positions: Rows
    approximate: Approximate | None = None

    @cached_property
    def wanted(self) -> Part | None:
        """The rows that are searched; none for all of them."""
        rows = np.flatnonzero(self.positions >= 0)
        return None if len(rows) == len(self.positions) else Part(rows, len(self.positions))

    def __len__(self) -> int:
        return len(self.positions if self.wanted is None else self.wanted.rows)

    def find(self, queries: Vectors, count: int, spare: int) -> Found:
        """Candidates for the `count` nearest of each query. spare: how many more an exact search looks at."""
        if self.approximate is None or len(self) * _SMALL_PART <= len(self.positions):
            return self._exact(queries, min(count + spare, len(self)))
        found = self._scored(queries, self.approximate.nearest(queries, count, self.wanted), -np.inf)
        short = np.flatnonzero((found.positions >= 0).sum(axis=1) < min(count, len(self)))
        if len(short):
            instead = self._exact(queries[short], min(found.positions.shape[1], len(self)))
            found.positions[short], found.scores[short] = -1, -np.inf
            width = instead.positions.shape[1]
            found.positions[short, :width], found.scores[short, :width] = instead.positions, instead.scores
        return found

    def _exact(self, queries: Vectors, reach: int) -> Found:
        if not reach:
            nothing = np.empty((len(queries), 0))
            return Found(nothing.astype(np.int64), nothing.astype(np.float32), np.full(len(queries), -np.inf, "f4"))
        scores, rows = exact.nearest(queries, self.vectors, reach, self.wanted)
        return self._scored(queries, rows, -np.inf if reach == len(self) else scores[:, -1])

    def _scored(self, queries: Vectors, rows: Rows, floor: Vectors | float) -> Found:
        positions = np.where(rows < 0, -1, self.positions[rows])
        lowest = np.broadcast_to(np.float32(floor), len(queries))
        return Found(positions, exact.scored(queries, self.vectors, rows), lowest)


def nearest(segments: Sequence[Segment], queries: Vectors, count: int) -> tuple[Rows, Vectors]:
    """Positions in the corpus and scores of the nearest documents, best first; ties by position.

    Each of shape (queries, count), or narrower where there are fewer documents. Queries go in blocks, so that memory
    does not grow with their number.
    """
    count = min(count, sum(map(len, segments)))
    positions = np.empty((len(queries), count), dtype=np.int64)
    scores = np.empty((len(queries), count), dtype=np.float32)
    if count:
        for block in _blocks(len(queries), _HELD // (64 * count) + 1):
            positions[block], scores[block] = _nearest(segments, queries[block], count, _SPARE)
    return positions, scores


def _nearest(segments: Sequence[Segment], queries: Vectors, count: int, spare: int) -> tuple[Rows, Vectors]:
    """Look further where the last that was seen is as good as the last that is wanted: they may be ties."""
    found = [segment.find(queries, count, spare) for segment in segments]
    positions, scores = best_first(
        np.concatenate([f.positions for f in found], axis=1), np.concatenate([f.scores for f in found], axis=1), count
    )
    floor = np.max([f.floor for f in found], axis=0)
    open_ = np.flatnonzero(floor + _NEARLY * np.abs(scores[:, 0]) >= scores[:, -1])
    for block in _blocks(len(open_), _HELD // (8 * (count + spare)) + 1):
        further = open_[block]
        positions[further], scores[further] = _nearest(segments, queries[further], count, 8 * (count + spare))
    return positions, scores


def best_first(positions: Rows, scores: Vectors, count: int) -> tuple[Rows, Vectors]:
    """The `count` best candidates of each row, by falling score, ties by position; negative positions are none.

    Score and position make one number, the score's bits turned so that they sort as integers do.
    """
    bits = (scores + np.float32(0)).view(np.uint32)  # there is one zero
    rising = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    keys = (~rising).astype(np.uint64) << np.uint64(32) | positions.astype(np.uint32)
    if keys.shape[1] > count:
        keys = np.partition(keys, count - 1, axis=1)[:, :count]
    keys.sort(axis=1)
    rising = ~(keys >> np.uint64(32)).astype(np.uint32)
    bits = np.where(rising >> 31, rising & np.uint32((1 << 31) - 1), ~rising)
    return (keys & np.uint64(0xFFFFFFFF)).astype(np.int64), bits.view(np.float32)


def _blocks(total: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, total, size))
