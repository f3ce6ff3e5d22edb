"""Pulling answers while the backend serves, and learning from them: now and again, and when it hears of an answer."""

import threading
import time
from collections.abc import Mapping

from ls_retrieval import compose, flow
from ls_retrieval.telling import Teller
from store import wake
from store.workspace import Workspace
from sync.pull import Pulled

EVERY = 60.0
"""Seconds between two pulls that nobody asks for."""
REST = 300.0
"""Seconds between two lessons at least: learning takes seconds, and one answer teaches little."""


class Gatherer:
    """Pulls the answers of every project, and learns from those that brought something."""

    def __init__(self, workspace: Workspace, environment: Mapping[str, str]) -> None:
        self._workspace, self._environment, self._teller = workspace, environment, Teller()
        self._due: dict[int, float] = {}
        self._rested: dict[int, float] = {}

    def gather(self, stop: threading.Event) -> None:
        """Go on until told to stop."""
        listener = wake.Listener(self._workspace.root)
        while not stop.is_set():
            with self._teller.telling("no answer was pulled"):
                for name, project in self._workspace.settings.projects.items():
                    with self._teller.telling(f"the answers of project {project.id} were not pulled"):
                        self._pulled(project.id, flow.pull(self._workspace, name, self._environment))
            self._learn(time.monotonic())
            listener.wait(EVERY, stop)

    def _pulled(self, project: int, pulled: Pulled) -> None:
        """Note that there is something to learn, and name once what could not be read."""
        if pulled.new or pulled.edited or pulled.deleted:
            self._due.setdefault(project, self._rested.get(project, 0.0))
        self._teller.name(pulled.problems)

    def _learn(self, now: float) -> None:
        """Learn what is due; a project from which was learned just now waits."""
        for project in [project for project, due in self._due.items() if due <= now]:
            with self._teller.telling(f"nothing was learned from project {project}"):
                compose.learn(self._workspace, project)
                del self._due[project]
                self._rested[project] = now + REST
