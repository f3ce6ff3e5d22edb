"""Killing a process in the middle of its work, without one: at a touch of the disk, after which nothing is touched."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from store import files


class Killed(BaseException):
    """What ends a process in the middle of its work."""


class Death:
    """Ends the process at its nth touch of the disk; the dead touch nothing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left: float = float("inf")
        self.touched = 0
        monkeypatch.setattr(files, "_sync", lambda path: None)  # the machine stays on: it need not reach the disk
        for owner, name in ((Path, "replace"), (Path, "unlink"), (Path, "chmod"), (files, "_sync")):
            self._guard(monkeypatch, owner, name)
        for owner, name in ((tempfile, "mkstemp"), (pq, "write_table"), (Path, "rename"), (shutil, "rmtree")):
            self._guard(monkeypatch, owner, name)

    def bucket(self, bucket: Any) -> Any:
        """A bucket whose writes and deletes count as touches."""
        return _Mortal(bucket, self)

    def touch(self) -> None:
        """Live on, or die."""
        self.left -= 1
        self.touched += 1
        if self.left < 0:
            raise Killed

    def _guard(self, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def guarded(*args: Any, **more: Any) -> Any:
            self.touch()
            return real(*args, **more)

        monkeypatch.setattr(owner, name, guarded)


class _Mortal:
    def __init__(self, bucket: Any, death: Death) -> None:
        self._bucket, self._death = bucket, death

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bucket, name)

    def put(self, *given: Any, **more: Any) -> Any:
        self._death.touch()
        return self._bucket.put(*given, **more)

    def delete(self, places: str | list[str]) -> None:
        for place in [places] if isinstance(places, str) else places:
            self._death.touch()
            self._bucket.delete(place)
