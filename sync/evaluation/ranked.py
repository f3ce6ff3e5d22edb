"""A run beside the qrels, as columns: what every measure reads."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from label_configs.records import Qrel, ScoredDoc
from sync.votes import Coded, Floats, Ints, coded

UNJUDGED = np.iinfo(np.int64).min
Bools = NDArray[np.bool_]


class Columns(NamedTuple):
    """Qrels or a run: query_ids and doc_ids as Arrow columns of texts, and grades or scores."""

    query_id: pa.ChunkedArray
    doc_id: pa.ChunkedArray
    value: Floats


def columns(rows: Sequence[Qrel] | Sequence[ScoredDoc] | Columns) -> Columns:
    """Records as columns; columns as they are."""
    if isinstance(rows, Columns):
        return rows
    texts = [pa.chunked_array([pa.array([row[n] for row in rows], pa.string())]) for n in (0, 1)]
    return Columns(texts[0], texts[1], np.array([row[2] for row in rows], np.float64))


@dataclass(frozen=True)
class Ranked:
    """The rows of a run for the queries that have judgments, by query, the best first.

    queries: query_ids, of which the columns hold the places. query, rank (from 0) and pair: of each row of the run.
    known: pairs that were judged, in their order, and their grades. of, ideal: query and grade of each judgment, the
    highest of a query first. positive: the grades that count as relevant, where a measure knows only that.
    """

    queries: list[str]
    query: Ints
    rank: Ints
    pair: Ints
    known: tuple[Ints, Ints]
    of: Ints
    ideal: Ints
    positive: frozenset[int]

    def top(self, k: int) -> "Ranked":
        """The first k of every query."""
        there = np.flatnonzero(self.rank < k)
        return replace(self, query=self.query[there], rank=self.rank[there], pair=self.pair[there])

    @cached_property
    def grade(self) -> Ints:
        """Of each row its grade; UNJUDGED where there is none."""
        pairs, grades = self.known
        if not len(pairs):
            return np.full(len(self.pair), UNJUDGED)
        at = np.maximum(np.searchsorted(pairs, self.pair, side="right") - 1, 0)
        return np.where(pairs[at] == self.pair, grades[at], UNJUDGED)

    @cached_property
    def relevant(self) -> Bools:
        """Of each row whether it is relevant."""
        return np.asarray(np.isin(self.grade, list(self.positive)))

    @cached_property
    def irrelevant(self) -> Bools:
        """Of each row whether it was judged, and is not relevant."""
        return np.asarray((self.grade != UNJUDGED) & ~self.relevant, np.bool_)

    @cached_property
    def n_relevant(self) -> Ints:
        """Of each query how many judged items are relevant, retrieved or not."""
        return np.bincount(self.of[np.isin(self.ideal, list(self.positive))], minlength=len(self.queries))

    @cached_property
    def n_judged(self) -> Ints:
        """Of each query how many items were judged."""
        return np.bincount(self.of, minlength=len(self.queries))

    def total(self, weights: Floats | Bools) -> Floats:
        """Sum over the rows of each query."""
        sums = np.bincount(self.query, np.asarray(weights, np.float64), minlength=len(self.queries))
        return np.asarray(sums, np.float64)

    def so_far(self, which: Bools) -> Ints:
        """Of each row how many of its query are `which`, from the best down to it."""
        running = np.cumsum(which)
        first = np.flatnonzero(self.rank == 0)
        before: Ints = running[first] - which[first]
        return np.asarray(running - np.repeat(before, np.diff(np.append(first, len(running)))))

    def per_relevant(self, sums: Floats) -> Floats:
        """Sums by query, divided by its relevant items; NaN for queries without any, which say nothing of a run."""
        return share(sums, self.n_relevant)


def share(part: Floats | Ints, whole: Floats | Ints) -> Floats:
    """part / whole; NaN where there is no whole."""
    there = np.asarray(whole) > 0
    return np.where(there, part / np.where(there, whole, 1), np.nan)


def rank(
    qrels: Sequence[Qrel] | Columns,
    run: Sequence[ScoredDoc] | Columns,
    positive: Collection[int] = frozenset(),
    depth: int | None = None,
) -> Ranked:
    """Lay a run beside the qrels. Ties fall by doc_id, as in trec_eval; queries without judgments are left out.

    depth: so many of each query are enough.
    """
    known, hits = columns(qrels), columns(run)
    queries, asked = _coded_runs(_together(known.query_id, hits.query_id))
    docs, n = _whole(known.doc_id).dictionary_encode(), len(known.value)
    judged = np.unique(asked[:n])
    place = np.full(len(queries), -1)
    place[judged] = np.arange(len(judged))
    of, query = place[asked[:n]], place[asked[n:]]
    rows = _order(query, hits)
    rows = rows[query[rows] >= 0]
    query, ranks = query[rows], _places(query[rows])
    if depth is not None:
        query, ranks, rows = query[ranks < depth], ranks[ranks < depth], rows[ranks < depth]
    width, grade = len(docs.dictionary) + 1, known.value.astype(np.int64)
    pairs = of * width + docs.indices.to_numpy()
    by_pair, by_grade = np.argsort(pairs, kind="stable"), _falling(of, grade)
    return Ranked(
        queries=[queries[code] for code in judged],
        query=query,
        rank=ranks,
        pair=query * width + _among(hits.doc_id.take(pa.array(rows)), docs.dictionary),
        known=(pairs[by_pair], grade[by_pair]),
        of=by_grade[0],
        ideal=by_grade[1],
        positive=frozenset(positive),
    )


def _among(column: pa.ChunkedArray, names: pa.Array) -> Ints:
    """Of each text its place among the names; their number for one that is none of them."""
    return np.asarray(pc.fill_null(pc.index_in(column, names), len(names)).to_numpy(), np.int64)


def _together(one: pa.ChunkedArray, other: pa.ChunkedArray) -> pa.ChunkedArray:
    """Two columns of texts, one after the other."""
    return pa.chunked_array([*_chunks(one), *_chunks(other)], pa.string())


def _coded_runs(column: pa.ChunkedArray) -> Coded:
    """As `coded`, for texts of which the same mostly stand together."""
    runs = pc.run_end_encode(_whole(column), run_end_type=pa.int64())
    names, codes = coded(pa.chunked_array([runs.values], pa.string()))
    return Coded(names, np.repeat(codes, np.diff(runs.run_ends.to_numpy(), prepend=0)))


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(_chunks(column)) if _chunks(column) else pa.array([], pa.string())


def _chunks(column: pa.ChunkedArray) -> list[pa.Array]:
    return list(column.chunks) if isinstance(column, pa.ChunkedArray) else [column]


def _order(query: Ints, hits: Columns) -> Ints:
    """The rows by query, falling score, falling doc_id. Texts are many, and are looked at only where scores tie; what
    stands in that order already is not sorted again.
    """
    score = hits.value
    ahead = (query[1:] > query[:-1]) | ((query[1:] == query[:-1]) & (score[1:] <= score[:-1]))
    order = np.arange(len(query)) if ahead.all() else np.lexsort((-score, query))
    of, worth = query[order], score[order]
    tied = (of[1:] == of[:-1]) & (worth[1:] == worth[:-1])
    if tied.any():
        at = np.flatnonzero(np.append(tied, False) | np.insert(tied, 0, False))
        text = coded(pa.chunked_array(_chunks(hits.doc_id.take(pa.array(order[at]))), pa.string())).codes
        order[at] = order[at][np.lexsort((-text, -worth[at], of[at]))]
    return order


def _places(query: Ints) -> Ints:
    """Rank from 0 of rows that are sorted by query."""
    first = np.flatnonzero(np.append(True, query[1:] != query[:-1])) if len(query) else query
    return np.asarray(np.arange(len(query)) - np.repeat(first, np.diff(np.append(first, len(query)))))


def _falling(query: Ints, grade: Ints) -> tuple[Ints, Ints]:
    """Queries and grades, by query, the highest grade first."""
    low, high = (int(end) for end in (grade.min(initial=0), grade.max(initial=0)))
    keys = np.sort(query * (high - low + 1) + (high - grade))
    of, below = np.divmod(keys, high - low + 1)
    return of, high - below
