"""The pools of a workspace in memory: parts are read once, and what other processes append meanwhile is added."""

import threading
import zlib
from collections.abc import Container, Iterator, Mapping
from pathlib import Path

import msgspec

from label_configs.records import Pool
from store import pools


class Scored(msgspec.Struct, array_like=True, gc=False):
    """What of a pool predictions are made of: its query, and by doc_id the candidates' scores."""

    query_id: str
    scores: dict[str, float]

    @classmethod
    def of(cls, pool: Pool) -> "Scored":
        """That of a pool."""
        return cls(pool.query_id, {candidate.doc_id: candidate.score for candidate in pool.candidates})


_whole, _scored = msgspec.msgpack.Decoder(Pool), msgspec.msgpack.Decoder(Scored)


class Packed(Mapping[str, Pool]):
    """Pools by pool_id, each packed until it is asked for: every web worker holds all of them.

    What predictions need of a pool lies beside it, packed less tightly: it is asked for thousands of times at once.
    """

    def __init__(self) -> None:
        self._packed: dict[str, tuple[bytes, bytes]] = {}

    def add(self, pool: Pool) -> None:
        """Hold one more."""
        whole, scored = msgspec.msgpack.encode(pool), msgspec.msgpack.encode(Scored.of(pool))
        self._packed[pool.pool_id] = zlib.compress(whole, 1), scored

    def __getitem__(self, pool_id: str) -> Pool:
        return _whole.decode(zlib.decompress(self._packed[pool_id][0]))

    def scored(self, pool_id: str) -> Scored | None:
        """What of a pool predictions are made of; None for an unknown one."""
        packed = self._packed.get(pool_id)
        return None if packed is None else _scored.decode(packed[1])

    def __contains__(self, pool_id: object) -> bool:
        return pool_id in self._packed

    def __iter__(self) -> Iterator[str]:
        return iter(self._packed)

    def __len__(self) -> int:
        return len(self._packed)


class Kept:
    """Pools by pool_id. folder: where they lie, append-only."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, threading.Lock()
        self._forget()

    def all(self) -> Packed:
        """All pools as they lie there now."""
        with self._lock:
            parts = {path.name: path for path in self._folder.glob("*.parquet")}
            if self._read - parts.keys():
                self._forget()
            for name in sorted(parts.keys() - self._read):
                for pool in pools.part(parts[name]):
                    self._add(pool)
                self._read.add(name)
            return self._pools

    def first(self, query_id: str, there: Container[str]) -> Pool | None:
        """The pool of a query's first round that was kept last, of those whose every candidate is there."""
        known = self.all()
        for pool_id in reversed(self._first.get(query_id, [])):
            if all(c.doc_id in there for c in known[pool_id].candidates):
                return known[pool_id]
        return None

    def _add(self, pool: Pool) -> None:
        if pool.pool_id not in self._pools:
            self._pools.add(pool)
            if pool.round == 1:
                self._first.setdefault(pool.query_id, []).append(pool.pool_id)

    def _forget(self) -> None:
        self._read, self._pools, self._first = set[str](), Packed(), dict[str, list[str]]()
