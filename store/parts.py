"""Append-only Parquet parts of one folder, read in the order of their writes.

A part is named by the writes that it holds, FIRST-LAST. Many small ones are made one file: the whole first, then what
it holds is removed, so that a reader finds every row once at any moment, whoever was killed when.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from store import columns

_SMALL, _MANY = 100_000, 64
"""Bytes of a part that is small, and how many small ones at the end are made one."""


class Part(NamedTuple):
    """One file, and the numbers of the first and last write that it holds."""

    first: int
    last: int
    path: Path


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a folder; whoever writes holds a lock of their own. distinct: see `columns.write`."""

    folder: Path
    schema: pa.Schema
    distinct: frozenset[str] = frozenset()

    def listed(self) -> list[Part]:
        """The files that count; what another one holds as well is left out."""
        found = [_part(path) for path in self.folder.glob("[0-9]*-[0-9]*.parquet")]
        kept: list[Part] = []
        for part in sorted(found, key=lambda part: (part.first, -part.last)):
            if not kept or part.last > kept[-1].last:
                kept.append(part)
        return kept

    def state(self) -> list[tuple[str, int]]:
        """What tells that something was added or changed: names of files and times of their last write."""
        found: list[tuple[str, int]] = []
        for part in self.listed():
            with suppress(FileNotFoundError):  # merged into another meanwhile, which the next look finds
                found.append((part.path.name, part.path.stat().st_mtime_ns))
        return found

    def read(self, names: Sequence[str]) -> Iterator[pa.Table]:
        """These columns, part by part. A part that was merged into another meanwhile is found in that one."""
        done = 0
        while left := [part for part in self.listed() if part.last > done]:
            for part in left:
                try:
                    rows = columns.read([part.path], self.schema, names)
                except FileNotFoundError:
                    break
                yield rows
                done = part.last

    def append(self, rows: pa.Table) -> None:
        """Add one part."""
        number = max((part.last for part in self.listed()), default=0) + 1
        self._write(rows, self._path(number, number))

    def rewrite(self, change: Callable[[pa.Table], pa.Table | None]) -> int:
        """Replace each part by what `change` makes of it, unless that is None. Returns how many were replaced."""
        self._sweep()
        changed = 0
        for part in self.listed():
            fresh = change(columns.read([part.path], self.schema))
            if fresh is not None:
                self._write(fresh, part.path)
                changed += 1
        return changed

    def merge(self) -> None:
        """Make one file of the small ones at the end, where they have become many."""
        tail: list[Part] = []
        for part in reversed(self.listed()):
            if part.path.stat().st_size >= _SMALL:
                break
            tail.insert(0, part)
        if len(tail) >= _MANY:
            whole = columns.read([part.path for part in tail], self.schema)
            self._write(whole, self._path(tail[0].first, tail[-1].last))
        self._sweep()

    def _sweep(self) -> None:
        """Remove what another file holds, and what a killed writer left behind."""
        kept = {part.path for part in self.listed()}
        for path in self.folder.glob("*.parquet*"):
            if path not in kept:
                path.unlink(missing_ok=True)

    def _write(self, rows: pa.Table, path: Path) -> None:
        columns.write(rows, path, plain=True, distinct=self.distinct)

    def _path(self, first: int, last: int) -> Path:
        return self.folder / f"{first:06d}-{last:06d}.parquet"


def _part(path: Path) -> Part:
    first, last = path.stem.split("-")
    return Part(int(first), int(last), path)
