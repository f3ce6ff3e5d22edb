"""`kill -9` of the backend at random moments while it fills, pulls and learns, under a real Label Studio."""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests
import tiny
from label_studio_sdk import LabelStudio
from people import Person, Row, Team, filled_twice, held, standing, unaccounted
from reliability import Tally
from test_backend_serve import only, processes

from label_configs.forms import envelope
from ls_retrieval import filling, ports
from ls_retrieval.serve import running_backend
from ls_retrieval.studio import Account, Studio
from store.judgments import Table
from store.workspace import Workspace

WORKERS, BACKENDS = 60, 15
"""How often a process of the backend is killed, and how often all of it."""
PROGRAM = Path(sys.executable).with_name("ls-retrieval")

pytestmark = [pytest.mark.long, pytest.mark.timeout(2400)]


class Setting:
    """A project of a Label Studio whose backend is expected at an address, and somebody who annotates it."""

    def __init__(self, studio: Studio, client: LabelStudio, workspace: Workspace, name: str) -> None:
        self.workspace, self.client = workspace, client
        self.port = ports.free(0, "the backend")
        self._do("init", "-w", workspace.root, "-p", name, "--candidates", "image", "--mode", "assist")
        self.project = Workspace(workspace.root).project(name).id
        self.team = Team(studio.url, client, self.project)
        self.person = Person(studio.url, studio.annotator(f"patient-{name}"), self.project)
        self.table = Table(workspace.judgments / str(self.project))
        self._name = name

    def connect(self) -> None:
        """Tell Label Studio of the backend, which has to run."""
        self._do("init", "-w", self.workspace.root, "-p", self._name, "--backend", f"http://127.0.0.1:{self.port}")

    def tasks(self, seconds: float = 120) -> list[Row]:
        """All tasks, once every one is filled, or time is over."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.team.tasks()
            if all(map(envelope.is_filled, found)) or time.monotonic() > deadline:
                return found
            time.sleep(0.3)

    def answer(self, grades: random.Random) -> None:
        """Answer what the label stream gives, where it has candidates."""
        task = self.person.next()
        if task is not None and envelope.is_filled(task):
            cards = range(len(task["data"]["candidates"]))
            self.person.answer(task["id"], tiny.graded_answer({n: grades.randrange(4) for n in cards}))

    def _do(self, *words: object) -> None:
        subprocess.run([str(PROGRAM), *map(str, words)], check=True, stdout=subprocess.DEVNULL)


@pytest.fixture
def setting(
    request: pytest.FixtureRequest,
    studio: Studio,
    sdk: Callable[[Account], LabelStudio],
    tiny_indexed: Workspace,
    document_root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Setting]:
    monkeypatch.setenv("LABEL_STUDIO_URL", studio.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", studio.admin.token)
    name = f"killed-{request.node.name.partition('_')[2][:12].replace('_', '-')}"
    there = Workspace(Path(shutil.copytree(tiny_indexed.root, document_root / name)).resolve())
    made = Setting(studio, sdk(studio.admin), there, name)
    yield made
    made.person.close()


def test_web_workers_and_encoders_that_are_killed_while_they_fill_leave_no_task_bare_and_none_filled_twice(
    setting: Setting, monkeypatch: pytest.MonkeyPatch, tally: Tally
) -> None:
    monkeypatch.setattr(filling, "POLL", 0.5)
    chance, there = random.Random(0), setting.workspace
    with running_backend(there, host="127.0.0.1", port=setting.port, workers=2):
        setting.connect()
        for _ in range(WORKERS):
            setting.team.bring(2)
            opening = threading.Thread(target=_opened, args=(setting,))
            opening.start()
            time.sleep(chance.uniform(0, 1))
            os.kill(chance.choice(only(there, "gunicorn") or only(there, "encoder_service")), signal.SIGKILL)
            opening.join()
            assert all(map(envelope.is_filled, setting.tasks()))
        tasks = setting.tasks()
    _whole(setting, tasks, tally, WORKERS)


def _opened(setting: Setting) -> None:
    """Somebody opens a task: Label Studio asks the backend meanwhile."""
    with suppress(requests.RequestException):
        setting.person.next()


@contextmanager
def served(setting: Setting) -> Iterator["subprocess.Popen[str]"]:
    """The backend as the command starts it; at the end all of its processes are killed at once."""
    command = [str(PROGRAM), "serve", "-w", str(setting.workspace.root), "--port", str(setting.port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            assert "The backend answers" in process.stdout.readline()
            yield process
        finally:
            for pid in (process.pid, *processes(setting.workspace)):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def test_a_backend_that_is_killed_whole_while_it_fills_pulls_and_learns_goes_on_when_it_is_started_again(
    setting: Setting, tally: Tally
) -> None:
    chance, there = random.Random(0), setting.workspace
    with served(setting):
        setting.connect()
    (backend,) = setting.client.ml.list(project=setting.project)
    for _ in range(BACKENDS):
        with served(setting):
            setting.team.bring(3)
            for _ in range(3):
                setting.answer(chance)
            learning = threading.Thread(target=setting.client.ml.train, args=(backend.id or 0,))
            learning.start()
            time.sleep(chance.uniform(0, 2))
        learning.join()
    with served(setting):
        tasks = setting.tasks()
        deadline = time.monotonic() + 120
        while unaccounted(standing(tasks), held(setting.table)[0]) and time.monotonic() < deadline:
            time.sleep(1)
    assert there.read_queries().broken == []
    _whole(setting, tasks, tally, BACKENDS)


def _whole(setting: Setting, tasks: list[Row], tally: Tally, kills: int) -> None:
    """Every query that was brought has one task, which is filled once; every answer is in the table once."""
    found, again = held(setting.table)
    lost = len(setting.team.brought) - sum(map(envelope.is_filled, tasks))
    lost += unaccounted(standing(tasks), found)
    doubled = again + filled_twice(tasks, setting.workspace)
    tally.add(kill_points=kills, lost=lost, doubled=doubled)
    assert (lost, doubled) == (0, 0)
    assert sorted(task["data"]["query"] for task in tasks) == sorted(setting.team.brought)
