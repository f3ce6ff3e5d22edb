"""The index of one corpus under one encoder: exact search by FAISS, opened by memory map.

A build goes into a folder of its own, and `current.json` names it last: an interrupted one leaves the old in place.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from label_configs.errors import Mendable
from label_configs.records import ScoredDoc, digest
from ml_backend.encoders.base import Vectors
from store import files

_SAMPLE = 4096


@dataclass(frozen=True)
class Index:
    """Items of one corpus as vectors.

    version: hash of fingerprint, documents and their contents. kept: the rows that are searched, ascending.
    """

    fingerprint: str
    version: str
    doc_ids: tuple[str, ...]
    rows: dict[str, int]
    faiss: Any
    kept: NDArray[np.int64]

    def only(self, doc_ids: Iterable[str]) -> "Index":
        """The index as if it held these of its documents alone."""
        return replace(self, kept=np.array(sorted(self.rows[doc_id] for doc_id in doc_ids), dtype=np.int64))

    @cached_property
    def _selection(self) -> Any:
        """What tells FAISS which rows to search; None for all of them."""
        import faiss

        if len(self.kept) == len(self.doc_ids):
            return None
        python: Any = faiss  # whose type stubs know the C++ constructors alone
        wanted = np.zeros(len(self.doc_ids), dtype=bool)
        wanted[self.kept] = True
        return python.SearchParameters(sel=python.IDSelectorBitmap(np.packbits(wanted, bitorder="little")))

    def search(self, queries: Vectors, k: int) -> list[list[ScoredDoc]]:
        """The k nearest documents of each query vector, best first; ties by position in the corpus."""
        reach = min(k, len(self.kept))
        if reach < 1:
            return [[] for _ in queries]
        scores, found = self.faiss.search(np.ascontiguousarray(queries), reach, params=self._selection)
        ranked = [
            sorted((-float(score), int(row)) for score, row in zip(s, r, strict=True))
            for s, r in zip(scores, found, strict=True)
        ]
        return [[ScoredDoc("", self.doc_ids[row], -score) for score, row in hits] for hits in ranked]

    def vectors(self, doc_ids: Sequence[str]) -> Vectors:
        """The documents' vectors, shape (len(doc_ids), dim)."""
        rows = [self.rows[doc_id] for doc_id in doc_ids]
        return np.stack([self.faiss.reconstruct(row) for row in rows]).astype(np.float32)

    def background(self, seed: int = 0) -> Vectors:
        """Up to 4,096 documents' vectors, evenly chosen by a seed: what a similarity is measured against."""
        chosen = self.kept
        if len(chosen) > _SAMPLE:
            chosen = np.sort(np.random.default_rng(seed).choice(chosen, _SAMPLE, replace=False))
        return np.stack([self.faiss.reconstruct(int(row)) for row in chosen]).astype(np.float32)


def build(
    folder: Path, name: str, fingerprint: str, doc_ids: Sequence[str], keys: Sequence[bytes], vectors: Vectors
) -> str:
    """Write the index of encoder `name` and switch to it; returns its version. A no-op where nothing changed."""
    import faiss

    version = digest(fingerprint, *doc_ids, *(k.hex() for k in keys))
    place = folder / fingerprint / version
    if not (place / "doc_ids.json").exists():
        flat = faiss.IndexFlatIP(vectors.shape[1])
        flat.add(vectors)
        with files.replacing(place / "flat.faiss") as temporary:
            faiss.write_index(flat, str(temporary))
        files.write(place / "doc_ids.json", json.dumps(list(doc_ids)))
    now = current(folder)
    if now.get(name) != {"fingerprint": fingerprint, "version": version}:
        now[name] = {"fingerprint": fingerprint, "version": version}
        files.write(folder / "current.json", json.dumps(now, indent=1, sort_keys=True) + "\n")
    return version


def current(folder: Path) -> dict[str, dict[str, str]]:
    """Encoder name to fingerprint and version of the index in use."""
    path = folder / "current.json"
    return dict(json.loads(path.read_text("utf-8"))) if path.exists() else {}


def load(folder: Path, name: str) -> Index:
    """Open the index of an encoder. Raises Mendable where it was never built."""
    import faiss

    now = current(folder)
    if name not in now:
        raise Mendable(
            f"The encoder {name!r} has no index.", mend=f"Run `ls-retrieval index --workspace {folder.parent}` first."
        )
    fingerprint, version = now[name]["fingerprint"], now[name]["version"]
    place = folder / fingerprint / version
    faiss.cvar.distance_compute_blas_threshold = 20  # the default makes batches of under 250 queries many times slower
    doc_ids = tuple(json.loads((place / "doc_ids.json").read_text("utf-8")))
    flat = faiss.read_index(str(place / "flat.faiss"), faiss.IO_FLAG_MMAP_IFC)  # IO_FLAG_MMAP would copy a flat index
    return Index(fingerprint, version, doc_ids, {d: n for n, d in enumerate(doc_ids)}, flat, np.arange(len(doc_ids)))
