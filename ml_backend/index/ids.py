"""doc_ids as arrays on disk: opened at once however many they are, and shared by all processes that read them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_backend.index import arrays

_BLOCK = 65_536
_HASH = 8


@dataclass(frozen=True, eq=False)
class Ids(Mapping[str, int]):
    """doc_id to its position in the corpus; iterates in the order of the corpus.

    text: the UTF-8 of all, one after the other. starts: where each begins, and at last where all end. hashes: the
    64-bit hash of each, ascending. order: whose hash it is.
    """

    text: NDArray[np.uint8]
    starts: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    order: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.order)

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), _BLOCK):
            yield from self.at(np.arange(start, min(start + _BLOCK, len(self))))

    def __getitem__(self, doc_id: str) -> int:
        (position,) = self.find([doc_id]).tolist()
        if position < 0:
            raise KeyError(doc_id)
        return int(position)

    def at(self, positions: NDArray[np.int64]) -> list[str]:
        """The doc_ids at these positions."""
        text = self.text.data
        begins, ends = self.starts[positions].tolist(), self.starts[positions + 1].tolist()
        return [str(text[begin:end], "utf-8", "surrogatepass") for begin, end in zip(begins, ends, strict=True)]

    def find(self, doc_ids: Sequence[str]) -> NDArray[np.int64]:
        """The positions of these documents; -1 for one that is not there."""
        hashes = _hashes(map(_encoded, doc_ids))
        slots = np.searchsorted(self.hashes, hashes)
        there: NDArray[np.int64] = self.order[np.minimum(slots, len(self) - 1)]
        wrong = [n for n, (a, b) in enumerate(zip(self.at(there), doc_ids, strict=True)) if a != b]
        there[wrong] = [self._beside(doc_ids[n], int(slots[n]), hashes[n]) for n in wrong]
        return there

    def known(self, doc_ids: Sequence[str]) -> list[str]:
        """Those of the documents that are there, in their order: for many, faster than to ask for each."""
        return [doc_id for doc_id, there in zip(doc_ids, (self.find(doc_ids) >= 0).tolist(), strict=True) if there]

    def _beside(self, doc_id: str, slot: int, wanted: np.uint64) -> int:
        """The position of a document among those of the same hash, from `slot` on; -1 where it is none of them."""
        while slot < len(self) and self.hashes[slot] == wanted:
            if self.at(self.order[slot : slot + 1]) == [doc_id]:
                return int(self.order[slot])
            slot += 1
        return -1

    def write(self, folder: Path) -> None:
        """Keep them in a folder, one file an array."""
        for field in fields(self):
            arrays.write(folder / f"ids.{field.name}.npy", getattr(self, field.name))


def of(doc_ids: Sequence[str]) -> Ids:
    """The ids of a corpus, which are all different."""
    encoded = [_encoded(doc_id) for doc_id in doc_ids]
    starts = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    hashes = _hashes(encoded)
    order = np.argsort(hashes, kind="stable")
    return Ids(np.frombuffer(b"".join(encoded), dtype=np.uint8), starts, hashes[order], order)


def opened(folder: Path) -> Ids:
    """The ids that were kept in a folder."""
    read: dict[str, Any] = {field.name: arrays.opened(folder / f"ids.{field.name}.npy") for field in fields(Ids)}
    return Ids(**read)


def _encoded(doc_id: str) -> bytes:
    return doc_id.encode("utf-8", "surrogatepass")


def _hashes(encoded: Iterable[bytes]) -> NDArray[np.uint64]:
    return np.frombuffer(b"".join(blake2b(e, digest_size=_HASH).digest() for e in encoded), dtype=np.uint64)
