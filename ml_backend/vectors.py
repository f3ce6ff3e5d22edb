"""Vectors on disk by content hash, so that nothing is encoded twice.

Two append-only files: `vectors.f32` holds rows of float32, `keys.sha256` 32 bytes a row; `dim` says how wide rows are.
What a crash left over is no whole row in both, and is cut off when the store is next opened for writing.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from label_configs.errors import Mendable
from ml_backend.encoders.base import Vectors
from store import files
from store.media import Clip, Content

_KEY = 32


def key(content: Content) -> bytes:
    """The content hash under which a vector is kept."""
    if isinstance(content, Clip):
        return hashlib.sha256(f"{content.start:g} {content.end}\0".encode() + content.medium).digest()
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).digest()


class VectorStore:
    """The vectors of one encoder fingerprint."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._keys, self._vectors, self._width = folder / "keys.sha256", folder / "vectors.f32", folder / "dim"
        self._dim = 0
        self._rows: dict[bytes, int] = {}
        self._load()

    def __contains__(self, content_key: bytes) -> bool:
        return content_key in self._rows

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, keys: Sequence[bytes]) -> Vectors:
        """Vectors of shape (len(keys), dim). Raises KeyError for a content that was never encoded."""
        rows = [self._rows[k] for k in keys]
        if not rows:
            return np.empty((0, self._dim), dtype=np.float32)
        whole = (max(rows) + 1, self._dim)  # beyond them a batch may be in the writing
        return np.array(np.memmap(self._vectors, dtype=np.float32, mode="r", shape=whole)[rows])

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the store for one writer, after cutting off what an interrupted one left."""
        with files.locked(self._folder / ".lock", f"writing vectors in {self._folder}"):
            self._load()
            for path, width in ((self._keys, _KEY), (self._vectors, 4 * self._dim)):
                if path.exists() and path.stat().st_size != len(self._rows) * width:
                    os.truncate(path, len(self._rows) * width)
            yield

    def add(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        """Append what is new of a batch, vectors of shape (len(keys), dim).

        Raises Mendable for numbers that are not finite.
        """
        if not np.isfinite(vectors).all():
            raise Mendable("The encoder returned vectors that are not finite.", mend="Check its weights.")
        if not self._rows:
            self._dim = vectors.shape[1]
            files.write(self._width, f"{self._dim}\n")
        if vectors.shape[1] != self._dim:
            raise Mendable(f"Vectors of {vectors.shape[1]} numbers do not fit a store of {self._dim}.")
        fresh = {k: n for n, k in enumerate(keys) if k not in self._rows}
        _append(self._vectors, np.asarray(vectors[list(fresh.values())], dtype=np.float32).tobytes())
        _append(self._keys, b"".join(fresh))
        self._rows |= {k: row for row, k in enumerate(fresh, len(self._rows))}

    def _load(self) -> None:
        self._dim = int(self._width.read_text()) if self._width.exists() else 0
        raw = self._keys.read_bytes() if self._keys.exists() else b""
        stored = self._vectors.stat().st_size // (4 * self._dim) if self._dim and self._vectors.exists() else 0
        whole = min(len(raw) // _KEY, stored)
        self._rows = {raw[n * _KEY : (n + 1) * _KEY]: n for n in range(whole)}


def _append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
