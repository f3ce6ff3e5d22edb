"""A folder of copies kept within a limit: what was used longest ago goes first."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_IN_USE = 60.0
"""Seconds for which a file that was used is left alone, whatever the limit says: somebody may be about to open it."""
_ABANDONED = 86_400.0
"""Seconds after which a file that is being written no longer is."""
_ROOM = 0.9
"""Share of the limit that is left, so that not every copy leads to another look."""


class _Copy(NamedTuple):
    used: float
    path: str
    size: int


def trim(folder: Path, most: int) -> None:
    """Delete files until their sizes are within nine tenths of the limit, where they are above it.

    Several processes may do so at once: they delete the same files. Last use is the access time, which users set.
    """
    copies = sorted(_copies(folder))
    total = sum(copy.size for copy in copies)
    if total <= most:
        return
    for copy in copies:
        if total <= most * _ROOM or time.time() - copy.used < _IN_USE:
            return
        Path(copy.path).unlink(missing_ok=True)
        total -= copy.size


def _copies(folder: Path) -> Iterator[_Copy]:
    """All files but those that somebody is writing."""
    for below, _, names in os.walk(folder):
        for name in names:
            path = Path(below, name)
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            written = time.time() - status.st_mtime
            if not name.startswith(".") or written > _ABANDONED:
                yield _Copy(status.st_atime, str(path), status.st_size)
