"""Rows by content key, for keys that lie one after the other in a file: 16 bytes of memory a key, a tenth of a dict's.

SHA-256 is even, so its first eight bytes sort the keys; two that share them are told apart by the rest.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WIDTH = 32


class Keys:
    """The first `count` keys of a file, opened by memory map."""

    def __init__(self, path: Path, count: int) -> None:
        self._raw = np.memmap(path, np.uint8, "r", shape=(count, WIDTH)) if count else np.empty((0, WIDTH), np.uint8)
        prefixes = _prefixes(self._raw)
        self._order = np.argsort(prefixes, kind="stable")
        self._prefixes = prefixes[self._order]

    def __len__(self) -> int:
        return len(self._raw)

    def rows(self, keys: Sequence[bytes]) -> NDArray[np.int64]:
        """The row of each key; -1 for one that is not there."""
        found = np.full(len(keys), -1, dtype=np.int64)
        asked = np.frombuffer(b"".join(keys), np.uint8).reshape(-1, WIDTH)
        places = np.searchsorted(self._prefixes, _prefixes(asked))
        open_ = np.arange(len(keys))
        while len(open_ := open_[places[open_] < len(self)]):
            rows = self._order[places[open_]]
            same = (self._raw[rows] == asked[open_]).all(axis=1)
            found[open_[same]] = rows[same]
            alike = self._prefixes[places[open_]] == _prefixes(asked[open_])
            open_ = open_[alike & ~same]
            places[open_] += 1
        return found


def _prefixes(keys: NDArray[np.uint8]) -> NDArray[np.uint64]:
    return np.ascontiguousarray(keys[:, :8]).view(">u8")[:, 0].astype(np.uint64)
