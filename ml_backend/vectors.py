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
from numpy.typing import NDArray

from label_configs.errors import Mendable
from label_configs.records import Modality
from ml_backend.encoders.base import Vectors
from ml_backend.keys import WIDTH, Keys
from store import files
from store.media import Clip, Content


def key(modality: Modality, content: Content) -> bytes:
    """The content hash under which a vector is kept: of what it is read as, too, since a GIF is a picture or a film."""
    if isinstance(content, Clip):
        return clip_key(key(modality, content.medium), content.start, content.end)
    seen = hashlib.sha256(f"{modality}\0".encode())
    seen.update(content.encode() if isinstance(content, str) else content)
    return seen.digest()


def clip_key(medium_key: bytes, start: float, end: float | None) -> bytes:
    """The content hash of a stretch of a medium, from the medium's own."""
    return hashlib.sha256(medium_key + f"{float(start)} {None if end is None else float(end)}".encode()).digest()


class VectorStore:
    """The vectors of one encoder fingerprint."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._keys, self._vectors, self._width = folder / "keys.sha256", folder / "vectors.f32", folder / "dim"
        self._load()

    def __contains__(self, content_key: bytes) -> bool:
        return bool(self._rows([content_key])[0] >= 0)

    def __len__(self) -> int:
        return len(self._stored) + len(self._added)

    def get(self, keys: Sequence[bytes]) -> Vectors:
        """Vectors of shape (len(keys), dim). Raises KeyError for a content that was never encoded.

        Rows that follow each other in the file are its memory map, so that a large corpus need not fit into memory.
        """
        rows = self._rows(keys)
        if not len(rows):
            return np.empty((0, self._dim), dtype=np.float32)
        if rows.min() < 0:
            raise KeyError(keys[int(rows.argmin())])
        whole = (int(rows.max()) + 1, self._dim)  # beyond them a batch may be in the writing
        stored = np.memmap(self._vectors, dtype=np.float32, mode="r", shape=whole)
        if len(rows) > 1 and (np.diff(rows) == 1).all():
            return stored[rows[0] :]
        return np.asarray(stored[rows])

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the store for one writer, after cutting off what an interrupted one left."""
        with files.locked(self._folder / ".lock", f"writing vectors in {self._folder}"):
            self._load()
            for path, width in ((self._keys, WIDTH), (self._vectors, 4 * self._dim)):
                if path.exists() and path.stat().st_size != len(self) * width:
                    os.truncate(path, len(self) * width)
            yield

    def add(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        """Append what is new of a batch, vectors of shape (len(keys), dim).

        Raises Mendable for numbers that are not finite.
        """
        if not np.isfinite(vectors).all():
            raise Mendable(
                "The encoder returned vectors that are not finite.",
                mend='Check its weights; where it computes in fp16, set precision = "fp32" for it in settings.toml.',
            )
        if not len(self):
            self._dim = vectors.shape[1]
            files.write(self._width, f"{self._dim}\n")
        if vectors.shape[1] != self._dim:
            raise Mendable(f"Vectors of {vectors.shape[1]} numbers do not fit a store of {self._dim}.")
        fresh = {k: n for n, k in enumerate(keys) if k not in self}
        _append(self._vectors, np.asarray(vectors[list(fresh.values())], dtype=np.float32).tobytes())
        _append(self._keys, b"".join(fresh))
        self._added |= {k: row for row, k in enumerate(fresh, len(self))}

    def erase(self, content_key: bytes) -> None:
        """Overwrite a vector and its key with zeros, which no content has; rows keep their numbers."""
        with self.writing():
            (row,) = self._rows([content_key])
            for path, width in ((self._vectors, 4 * self._dim), (self._keys, WIDTH)):
                with path.open("r+b") as file:
                    file.seek(int(row) * width)
                    file.write(bytes(width))
                    os.fsync(file.fileno())
            self._load()

    def _rows(self, keys: Sequence[bytes]) -> NDArray[np.int64]:
        rows = self._stored.rows(keys)
        for n in np.flatnonzero(rows < 0) if self._added else ():
            rows[n] = self._added.get(keys[n], -1)
        return rows

    def _load(self) -> None:
        self._dim = int(self._width.read_text()) if self._width.exists() else 0
        keys = self._keys.stat().st_size // WIDTH if self._keys.exists() else 0
        stored = self._vectors.stat().st_size // (4 * self._dim) if self._dim and self._vectors.exists() else 0
        self._stored, self._added = Keys(self._keys, min(keys, stored)), dict[bytes, int]()


def _append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
