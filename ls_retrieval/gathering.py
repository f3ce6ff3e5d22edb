"""While the backend serves: answers are pulled and learned from, and what was learned is shown."""

import threading
import time
from collections.abc import Mapping

from ls_retrieval import compose, flow
from ls_retrieval.telling import Teller
from store import secrets, wake
from store.judgments import Table
from store.workspace import Workspace
from sync import pull as pulling
from sync.renew import renew

EVERY = 60.0
"""Seconds between two pulls that nobody asks for."""
REST = 300.0
"""Seconds between two lessons at least: learning takes seconds, and one answer teaches little."""


class Gatherer:
    """Pulls the answers of every project, and learns where the judgments have changed, whoever pulled them."""

    def __init__(self, workspace: Workspace, environment: Mapping[str, str]) -> None:
        self._workspace, self._environment, self._teller = workspace, environment, Teller()
        self._taught: dict[int, object] = {}
        self._rested: dict[int, float] = {}
        self._renewed: dict[int, str] = {}

    def gather(self, stop: threading.Event) -> None:
        """Go on until told to stop."""
        self._teller.until(stop)
        listener = wake.Listener(self._workspace.root)
        while not stop.is_set():
            self.look(time.monotonic())
            listener.wait(EVERY, stop)

    def look(self, now: float) -> None:
        """Pull, and learn what is due. now: by a clock that nobody sets."""
        with self._teller.telling("no answer was pulled"):
            for name, project in self._workspace.settings.projects.items():
                with self._teller.telling(f"the answers of project {project.id} were not pulled"):
                    self._pull(name)
                self._learn(name, now)
                with self._teller.telling(f"the predictions of project {project.id} were not renewed"):
                    self._renew(project.id)

    def _pull(self, name: str) -> None:
        """Pull, and name once what could not be read."""
        chosen, table, rules_of, key = flow.reading(self._workspace, name)
        with compose.label_studio(self._environment) as client:
            pulled = pulling.pull(client, chosen, table, rules_of, key)
        self._teller.name(pulled.problems)

    def _learn(self, name: str, now: float) -> None:
        """Learn from judgments that were not learned from, and new verdicts on them; who just learned waits."""
        known = self._workspace.settings.projects
        project, judges = known[name].id, [known[judge].id for judge in self._workspace.settings.judges(name)]
        there = [Table(self._workspace.judgments / str(number)).parts.state() for number in (project, *judges)]
        if there != self._taught.get(project, [[] for _ in there]) and now >= self._rested.get(project, now):
            self._rested[project] = now + REST
            with self._teller.telling(f"nothing was learned from project {project}"):
                compose.learn(self._workspace, project)
                self._taught[project] = there

    def _renew(self, project: int) -> None:
        """Let the project show what was learned, or what an earlier version said again after going back to it."""
        if not secrets.find("LABEL_STUDIO_URL", self._environment):
            return
        retriever = compose.retriever(self._workspace)
        version = retriever.version_of(project)
        if self._renewed.get(project) != version:
            predict = retriever.predictor(project)
            with compose.label_studio(self._environment) as client:
                renew(client, project, version, lambda task: predict([task])[0])
            self._renewed[project] = version
