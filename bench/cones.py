"""Made-up vectors of two modalities: each a narrow cone of clusters, as CLIP's are, and apart from the other.

A document is the direction of its modality plus its content; contents come in clusters and fill the dimensions
unevenly. A cross-modal query is the other direction plus a document's content, turned a little and with as much noise:
a cosine of 0.3 to its document, where two documents have 0.5. Indexes trained on documents lose recall on such queries.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

_BLOCK = 65_536


class Corpus(NamedTuple):
    """documents: memory-mapped, shape (count, dim). own, cross: queries of the documents' modality and of the other."""

    documents: Vectors
    own: Vectors
    cross: Vectors


def make(path: Path, count: int, queries: int, dim: int = 512, seed: int = 0) -> Corpus:
    """Write the documents to a .npy file, block by block, and draw queries for them."""
    drawn = np.random.default_rng(seed)
    spread = np.arange(1, dim + 1) ** -0.4
    axes = (spread / np.linalg.norm(spread))[:, None] * _turn(drawn, dim, np.zeros((dim, dim)))
    centres = drawn.normal(size=(max(64, int(2 * count**0.5)), dim))
    sides = _unit(drawn.normal(size=(2, dim)))
    turn = _turn(drawn, dim, 50 * np.eye(dim))

    def contents(rows: int, seeded: np.random.Generator) -> Vectors:
        own = 0.8 * centres[seeded.integers(len(centres), size=rows)] + 0.6 * seeded.normal(size=(rows, dim))
        return np.asarray(own @ axes, dtype=np.float32)

    npy: Any = np.lib.format  # which has no types
    documents = npy.open_memmap(path, mode="w+", dtype=np.float32, shape=(count, dim))
    for start in range(0, count, _BLOCK):
        rows = min(_BLOCK, count - start)
        documents[start : start + rows] = _unit(contents(rows, np.random.default_rng([seed, start])) + sides[0])
    documents.flush()
    about = documents[np.sort(drawn.choice(count, queries, replace=False))]
    about = _unit(about - (about @ sides[0])[:, None] * sides[0])
    noise = _unit(drawn.normal(size=(queries, dim)) @ axes)
    return Corpus(
        np.load(path, mmap_mode="r"),
        _unit(contents(queries, drawn) + sides[0]),
        _unit(sides[1] + 0.7 * about @ turn + 0.7 * noise),
    )


def _turn(drawn: np.random.Generator, dim: int, near: NDArray[np.float64]) -> NDArray[np.float64]:
    """A rotation: any one, or one close to that which `near` is a multiple of."""
    rotation, signs = np.linalg.qr(near + drawn.normal(size=(dim, dim)))
    return np.asarray(rotation * np.sign(np.diag(signs)))


def _unit(vectors: NDArray[np.floating]) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)
