"""Processes that the system kills in the middle of their work, many of them in little time: forked from one that has
imported what they need."""

import multiprocessing
import os
import random
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

Work = Callable[..., None]
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["test_kills", "label_studio_sdk", "httpx", "obstore", "ml_backend.learning.learner"])


class Killer:
    """Kills one kind of work at random moments of the time that it takes."""

    def __init__(self, work: Work, environment: Mapping[str, str], seed: int = 0) -> None:
        self._work, self._environment, self._random = work, dict(environment), random.Random(seed)
        self._takes = 0.05
        self.killed = 0

    def whole(self, *given: Any) -> None:
        """Let it work to its end."""
        begun = self._start(given)
        at = time.monotonic()
        begun.join(120)
        assert begun.exitcode == 0
        self._takes = max(0.9 * self._takes, time.monotonic() - at)

    def kill(self, *given: Any) -> None:
        """Kill it before its end: counted is who was still at work then."""
        begun = self._start(given)
        begun.join(self._random.uniform(0, self._takes))
        self.killed += begun.is_alive()
        begun.kill()
        begun.join()

    def _start(self, given: tuple[Any, ...]) -> Any:
        here, there = _CONTEXT.Pipe(duplex=False)
        process = _CONTEXT.Process(target=_run, args=(self._work, self._environment, there, given))
        with pytest.MonkeyPatch.context() as patch:  # for the one that is forked from, which is started once
            patch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *sys.path]))
            process.start()
        there.close()
        with here:
            here.recv()
        return process


def _run(work: Work, environment: Mapping[str, str], told: Any, given: tuple[Any, ...]) -> None:
    os.environ.update(environment)
    told.send("begun")
    work(*given)
