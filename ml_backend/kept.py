"""The pools of a workspace in memory: parts are read once, and what other processes append meanwhile is added."""

import threading
from collections.abc import Container, Mapping
from pathlib import Path

from label_configs.records import Pool
from store import pools


class Kept:
    """Pools by pool_id. folder: where they lie, append-only."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, threading.Lock()
        self._forget()

    def all(self) -> Mapping[str, Pool]:
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
        self.all()
        whole = [p for p in self._first.get(query_id, []) if all(c.doc_id in there for c in p.candidates)]
        return whole[-1] if whole else None

    def _add(self, pool: Pool) -> None:
        if pool.pool_id not in self._pools:
            self._pools[pool.pool_id] = pool
            if pool.round == 1:
                self._first.setdefault(pool.query_id, []).append(pool)

    def _forget(self) -> None:
        self._read, self._pools, self._first = set[str](), dict[str, Pool](), dict[str, list[Pool]]()
