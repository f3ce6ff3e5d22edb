"""Work that a request asks for and that is done after its answer."""

import logging
import threading
from collections.abc import Callable

from label_configs.errors import Mendable

Act = Callable[[int], None]
"""What is done for a project after the answer."""
log = logging.getLogger(__name__)


class Waker:
    """Acts for a project in a thread of its own, one at a time: what comes meanwhile makes it act once more."""

    def __init__(self, name: str, act: Act) -> None:
        self._name, self._act = name, act
        self._awake, self._again, self._lock = set[int](), set[int](), threading.Lock()

    def wake(self, project: int) -> None:
        """Act for the project soon."""
        with self._lock:
            (self._again if project in self._awake else self._awake).add(project)
            if project not in self._again:
                threading.Thread(target=self._run, args=(project,), name=self._name, daemon=True).start()

    def _run(self, project: int) -> None:
        try:
            self._act(project)
        except Mendable as error:
            log.warning("%s project %s: %s", self._name, project, error)
        except Exception:
            log.exception("%s project %s failed", self._name, project)
        with self._lock:
            again = project in self._again
            self._again.discard(project)
            self._awake.discard(project)
        if again:
            self.wake(project)
