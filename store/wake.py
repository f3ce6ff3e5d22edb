"""A bell between processes that share a workspace: whoever waits looks again at once, and would look anyway."""

import threading
import time
from pathlib import Path

_GLANCE = 0.5
"""Seconds between two looks at the bell."""


def ring(workspace: Path) -> None:
    """Tell whoever waits that there may be something new."""
    _bell(workspace).touch()


class Listener:
    """Waits for the bell of one workspace; what rang before it was made is past."""

    def __init__(self, workspace: Path) -> None:
        self._bell = _bell(workspace)
        self._heard = self._rung()

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Return when the bell rings, when the time is over, or when told to stop."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not stop.wait(min(_GLANCE, seconds)):
            if self._rung() != self._heard:
                break
        self._heard = self._rung()

    def _rung(self) -> int:
        return self._bell.stat().st_mtime_ns if self._bell.exists() else 0


def _bell(workspace: Path) -> Path:
    return workspace / ".wake"
