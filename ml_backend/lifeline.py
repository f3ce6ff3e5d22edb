"""How a process ends with the one that started it, however that one ended."""

import contextlib
import os
import signal
import threading

VARIABLE = "LSR_LIFELINE"
"""Set by whoever holds the other end of a process's standard input for as long as it should run."""


def hold(process: int) -> None:
    """Ask `process` to stop once standard input closes, where the environment says that it is a lifeline."""
    if os.environ.get(VARIABLE):
        threading.Thread(target=_watch, args=(process,), daemon=True).start()


def _watch(process: int) -> None:
    while os.read(0, 1):
        pass
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGTERM)
