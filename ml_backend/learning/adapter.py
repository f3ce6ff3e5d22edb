"""A correction of scores by the vectors of query and item: a bilinear form of low rank, fitted to graded pairs.

    corrected = score + (q Q + q₀) · (d I + i₀)

q and d are the frozen encoders' vectors of query and item. Fitted is the gain of an item relative to the mean of its
query: no more than the order within a query can be learned. A ridge regression on the products of the first principal
components finds the form, a singular value decomposition takes its rank down, and the penalty is chosen by queries
that are left out. All of it is linear algebra on sums, without steps or draws.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from label_configs.records import digest

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]

COMPONENTS, RANK, FOLDS = 24, 8, 5
_PENALTIES = (0.3, 3.0, 30.0, inf)
_TINY = 1e-9
_BLOCK = 4096


@dataclass(frozen=True)
class Adapter:
    """query, item: shape (dim + 1, rank); the last row does not depend on the vector."""

    query: Singles
    item: Singles

    def corrections(self, query: Singles, items: Singles) -> Floats:
        """What is added to the scores of a query's items. query: shape (dim,), items: (items, dim).

        What has no vector, a row of zeros, is not corrected.
        """
        left = self.projected(query[None], self.query)[0]
        return np.asarray(self.projected(items, self.item) @ left, dtype=np.float64)

    @staticmethod
    def projected(vectors: Singles, side: Singles) -> Singles:
        """Vectors of queries or items in the few dimensions in which they meet, shape (vectors, rank)."""
        found = vectors @ side[:-1] + side[-1]
        found[~vectors.any(axis=1)] = 0.0
        return np.asarray(found)


@dataclass(frozen=True)
class Rows:
    """Judged pairs as columns, those of a query together.

    queries: by query its vector, shape (queries, dim). query: of each pair its query as a row of these, rising.
    items: shape (pairs, dim). gains: how good people found them.
    """

    query_ids: tuple[str, ...]
    queries: Singles
    query: Ints
    items: Singles
    scores: Floats
    gains: Floats

    def of(self, query: int) -> slice:
        """The rows of one query."""
        first, last = np.searchsorted(self.query, [query, query + 1]).tolist()
        return slice(first, last)

    @property
    def folds(self) -> Ints:
        """By query its part of the proof: as many of each, in an order that means nothing."""
        order = sorted(range(len(self.query_ids)), key=lambda n: digest("fold", self.query_ids[n]))
        folds = np.empty(len(order), dtype=np.int64)
        folds[order] = np.arange(len(order)) % FOLDS
        return folds


class Fit:
    """The regression, by sums over each fold: any of them can be left out without looking at the rows again."""

    def __init__(self, rows: Rows) -> None:
        self._rows, self.folds = rows, rows.folds
        known = rows.queries.any(axis=1)
        self._asked = _components(rows.queries[known])
        self._shown = _components(rows.items[rows.items.any(axis=1)])
        self._left = np.pad(_projected(rows.queries, *self._asked), ((0, 0), (1, 0)), constant_values=1.0)
        self._left[~known] = 0.0
        self._right = _projected(rows.items, *self._shown)
        self._right[~rows.items.any(axis=1)] = 0.0
        width = 1 + self._left.shape[1] * self._right.shape[1]
        self._squares, self._products = np.zeros((FOLDS, width, width)), np.zeros((FOLDS, width))
        self._gains = np.zeros(FOLDS)
        self._sum()

    def without(self, fold: int | None = None) -> Adapter | None:
        """The adapter of all folds but one, its penalty chosen among them; None where the scores do not count."""
        folds = [n for n in range(FOLDS) if n != fold]
        errors = [self._error(folds, penalty) for penalty in _PENALTIES]
        found = self._solve(folds, _PENALTIES[int(np.argmin(errors))])
        return self._adapter(found) if found[0] > 0 else None

    def _sum(self) -> None:
        """Take in the rows query by query, each centred: what differs between queries tells nothing of an order."""
        rows = self._rows
        for query, fold in enumerate(self.folds.tolist()):
            of = rows.of(query)
            products = self._right[of][:, None, :] * self._left[query][None, :, None]
            features = np.column_stack([rows.scores[of], products.reshape(len(products), -1)])
            features -= features.mean(axis=0)
            gains = rows.gains[of] - rows.gains[of].mean()
            self._squares[fold] += features.T @ features
            self._products[fold] += features.T @ gains
            self._gains[fold] += gains @ gains

    def _error(self, folds: Sequence[int], penalty: float) -> float:
        """The squared error on each of the folds by what the others say."""
        total = 0.0
        for fold in folds:
            found = self._solve([n for n in folds if n != fold], penalty)
            total += self._gains[fold] - 2 * found @ self._products[fold] + found @ self._squares[fold] @ found
        return total

    def _solve(self, folds: Sequence[int], penalty: float) -> Floats:
        squares, products = self._squares[list(folds)].sum(axis=0), self._products[list(folds)].sum(axis=0)
        found = np.zeros(len(products))
        if penalty == inf:
            found[0] = products[0] / max(squares[0, 0], _TINY)
            return found
        weights = np.full(len(products), penalty * max(float(squares.diagonal()[1:].mean()), _TINY))
        weights[0] = _TINY
        found = np.linalg.solve(squares + np.diag(weights), products)
        found[1:] = _of_rank(found[1:].reshape(self._left.shape[1], -1)).ravel()
        return found

    def _adapter(self, found: Floats) -> Adapter:
        """The solution as a correction of the score, back in the encoders' own dimensions."""
        form = found[1:].reshape(self._left.shape[1], -1) / found[0]
        left, strengths, right = np.linalg.svd(form, full_matrices=False)
        rank = min(RANK, int((strengths > 1e-12).sum()))
        left, right = left[:, :rank] * np.sqrt(strengths[:rank]), right[:rank].T * np.sqrt(strengths[:rank])
        asked = self._asked[1] @ left[1:]
        query = np.vstack([asked, left[0] - self._asked[0] @ asked])
        shown = self._shown[1] @ right
        item = np.vstack([shown, -self._shown[0] @ shown])
        return Adapter(query.astype(np.float32), item.astype(np.float32))


def _of_rank(form: Floats) -> Floats:
    left, strengths, right = np.linalg.svd(form, full_matrices=False)
    return np.asarray(left[:, :RANK] * strengths[:RANK] @ right[:RANK])


def _components(vectors: Singles) -> tuple[Floats, Floats]:
    """Centre and first principal components of some vectors, scaled so that projections have a mean square of 1."""
    dim = vectors.shape[1]
    centre = vectors.mean(axis=0, dtype=np.float64) if len(vectors) else np.zeros(dim)
    count = max(min(COMPONENTS, dim, len(vectors) - 1), 1)
    spread = sum((block.T @ block for block in _blocks(vectors, centre)), start=np.zeros((dim, dim)))
    strengths, axes = np.linalg.eigh(spread)
    axes, total = axes[:, ::-1][:, :count], float(strengths[::-1][:count].clip(min=0).sum())
    return centre, axes * (np.sqrt(len(vectors) / total) if total > 1e-12 else 0.0)


def _projected(vectors: Singles, centre: Floats, axes: Floats) -> Floats:
    return np.concatenate([block @ axes for block in _blocks(vectors, centre)])


def _blocks(vectors: Singles, centre: Floats) -> Iterator[Floats]:
    """The vectors less their centre, some at a time: all of them in double precision would fill the memory."""
    for start in range(0, max(len(vectors), 1), _BLOCK):
        yield vectors[start : start + _BLOCK] - centre
