"""How alike items are to each other, over all spaces: what near-duplicates and diversity are told by."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from label_configs.records import Item
from ml_backend.collection import Collection
from ml_backend.fusion import Fused

_ROUNDING = 1e-6
"""How far the cosine of equal vectors may lie below 1."""


class Likeness(NamedTuple):
    """Cosines of items with each other, shape (items, items): the lowest of all spaces that hold both, and the mean.

    Where no space holds both, they are unlike: -1 and 0.
    """

    lowest: NDArray[np.float32]
    mean: NDArray[np.float32]


def likeness(collection: Collection, doc_ids: Sequence[str]) -> Likeness:
    """The cosines of items with each other."""
    count = len(doc_ids)
    lowest, total = np.full((count, count), np.inf, np.float32), np.zeros((count, count), np.float32)
    spaces = np.zeros((count, count), np.float32)
    for space in collection.spaces.values():
        held = [n for n, doc_id in enumerate(doc_ids) if doc_id in space.index.rows]
        if held:
            vectors = space.index.vectors([doc_ids[n] for n in held])
            block, cosines = np.ix_(held, held), vectors @ vectors.T
            lowest[block] = np.minimum(lowest[block], cosines)
            total[block] += cosines
            spaces[block] += 1
    return Likeness(np.where(spaces > 0, lowest, -1), total / np.maximum(spaces, 1))


def fold(
    collection: Collection,
    doc_ids: Sequence[str],
    threshold: float,
    first: frozenset[str] = frozenset(),
    spared: frozenset[str] = frozenset(),
) -> dict[str, str]:
    """Of a ranking every item that another stands for, and which: of near-duplicates the best stands for the others.

    Near-duplicates have the same content, or a cosine of at least `threshold` in every space that holds both. Items
    named `first` stand in any case, and before the others; those `spared` stand in any case, in their place.
    """
    order = sorted(doc_ids, key=lambda doc_id: doc_id not in first)
    alike = likeness(collection, order).lowest >= threshold - _ROUNDING
    contents = [_content(collection.items[doc_id]) for doc_id in order]
    into: dict[str, str] = {}
    standing: list[int] = []
    for n, doc_id in enumerate(order):
        twin = next((k for k in standing if alike[n, k] or contents[n] == contents[k]), None)
        if twin is None or doc_id in first or doc_id in spared:
            standing.append(n)
        else:
            into[doc_id] = order[twin]
    return into


def diverse(collection: Collection, hits: Sequence[Fused], wanted: int, diversity: float) -> list[Fused]:
    """The ranking with `wanted` of it chosen by maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998).

    Each choice is the item of highest (1 - diversity) · score / highest score - diversity · its highest mean cosine
    with what is chosen already; ties by rank. The rest follows in its order.
    """
    if not hits or not diversity:
        return list(hits)
    relevance = np.array([hit.score / hits[0].score for hit in hits])
    cosines = likeness(collection, [hit.doc_id for hit in hits]).mean
    nearest, chosen = np.zeros(len(hits)), list[int]()
    while len(chosen) < min(wanted, len(hits)):
        value = (1 - diversity) * relevance - diversity * nearest
        value[chosen] = -np.inf
        chosen.append(int(np.argmax(value)))
        nearest = np.maximum(nearest, cosines[chosen[-1]]) if len(chosen) > 1 else cosines[chosen[-1]]
    return [hits[n] for n in chosen] + [hit for n, hit in enumerate(hits) if n not in set(chosen)]


def _content(item: Item) -> tuple[object, ...]:
    if item.modality == "text":
        return item.modality, item.title, item.text
    return item.modality, item.uri, item.start, item.end
