"""Everything at once for half an hour: annotators, a backend, a watch and queries that keep coming.

`SOAK_MINUTES=3 pytest -m long tests/test_soak.py` takes less; memory is then told, and held against nothing before it
has lasted for a quarter of an hour: the first lessons, five minutes apart, load what later ones find there.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import pytest
import tiny
from label_studio_sdk import LabelStudio
from people import Grades, Person, Row, Team, filled_twice, held, standing, unaccounted
from reliability import Tally
from test_backend_serve import processes

from label_configs.forms import envelope
from ls_retrieval.studio import Account, Studio
from store.buckets import open_bucket
from store.judgments import Table
from store.workspace import Workspace
from sync.bucket.check import verify

MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
PEOPLE = 8
OPEN = 24
"""Tasks that wait for somebody, at least: more are brought when there are fewer."""
THINK = 3.0
"""Seconds between two answers of one person, on average."""
CATCH_UP = 180.0
"""Seconds after the last answer by which all of them are in the table."""
GROWTH = 1.1
ROOM = 8 << 20
"""By so much memory may grow from the second third of the time to the last: a tenth, or this many bytes."""
WARM = 15
"""Minutes from which on that is asked for."""
PROGRAM = Path(sys.executable).with_name("ls-retrieval")

pytestmark = [pytest.mark.long, pytest.mark.timeout(60 * MINUTES + 900)]


@contextmanager
def program(log: Path, *words: object) -> Iterator["subprocess.Popen[str]"]:
    """A command that goes on until the end of the block; what it says of trouble goes to the log."""
    with log.open("w") as errors:
        process = subprocess.Popen([str(PROGRAM), *map(str, words)], stdout=subprocess.PIPE, stderr=errors, text=True)
        with process:
            try:
                yield process
            finally:
                process.send_signal(signal.SIGTERM)


class Working:
    """One person's day: answers, second thoughts, drafts, skips. `said` holds what they last said, by annotation."""

    def __init__(self, person: Person, seed: int, until: float) -> None:
        self._person, self._random, self._until = person, random.Random(seed), until
        self.said: dict[int, Grades] = {}
        self.seen: dict[int, dict[str, str]] = {}
        self._screens: dict[int, list[str]] = {}
        self.counts: Counter[str] = Counter()
        self.failed: list[BaseException] = []

    def work(self) -> None:
        """Go on until the day is over."""
        try:
            while time.monotonic() < self._until:
                self._step()
                time.sleep(self._random.expovariate(1 / THINK))
        except BaseException as error:  # shown by the test, which waits in another thread
            self.failed.append(error)
        finally:
            self._person.close()

    def _step(self) -> None:
        chance = self._random.random()
        if self.said and chance < 0.12:
            self._edit(self._random.choice(sorted(self.said)))
        elif self.said and chance < 0.18:
            self._delete(self._random.choice(sorted(self.said)))
        else:
            self._answer(skip=chance > 0.97, draft=chance > 0.7)

    def _answer(self, *, skip: bool, draft: bool) -> None:
        task = self._person.next()
        if task is None or not envelope.is_filled(task):
            self.counts["waited"] += 1
            return
        docs = task["meta"]["ls_retrieval"]["docs"]
        self.seen[task["id"]] = docs
        said = self._grades(list(docs.values()))
        if draft:
            self._person.draft(task["id"], self._result(said, list(docs.values())))
        made = self._person.answer(task["id"], self._result(said, list(docs.values())), skip=skip)
        self._screens[made] = list(docs.values())
        self.said[made] = {} if skip else said
        self.counts["skipped" if skip else "answered"] += 1

    def _edit(self, annotation_id: int) -> None:
        if not self.said[annotation_id]:
            return  # a skipped one stays skipped
        screen = self._screens[annotation_id]
        self.said[annotation_id] = said = self._grades(screen)
        self._person.edit(annotation_id, self._result(said, screen))
        self.counts["edited"] += 1

    def _delete(self, annotation_id: int) -> None:
        self._person.delete(annotation_id)
        del self.said[annotation_id]
        self.counts["deleted"] += 1

    def _grades(self, screen: list[str]) -> Grades:
        return {doc_id: str(self._random.randrange(4)) for doc_id in screen}

    def _result(self, said: Grades, screen: list[str]) -> list[dict[str, object]]:
        return tiny.graded_answer({screen.index(doc_id): int(value) for doc_id, value in said.items()})


class Memory:
    """Resident bytes by what a process is, read now and again."""

    def __init__(self, workspace: Workspace, serve: int, watch: int) -> None:
        self._workspace, self._others = workspace, {"serve": serve, "watch": watch}
        self.read: list[dict[str, int]] = []

    def look(self) -> None:
        """Read once."""
        now = {name: _resident(pid) for name, pid in self._others.items()}
        for pid, command in processes(self._workspace).items():
            name = next((one for one in ("encoder_service", "gunicorn") if one in command), None)
            if name:
                now[name] = now.get(name, 0) + _resident(pid)
        self.read.append(now)

    def thirds(self) -> dict[str, tuple[float, float]]:
        """The medians of the second and of the last third, by name."""
        third = len(self.read) // 3
        parts = self.read[third : 2 * third], self.read[2 * third :]
        return {
            name: (median(now.get(name, 0) for now in parts[0]), median(now.get(name, 0) for now in parts[1]))
            for name in self.read[-1]
        }


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:  # ended meanwhile
        return 0


@pytest.fixture
def workspace(tiny_indexed: Workspace, document_root: Path) -> Workspace:
    return Workspace(Path(shutil.copytree(tiny_indexed.root, document_root / "soak")).resolve())


def test_half_an_hour_of_annotators_backend_and_watch_leaves_every_answer_in_the_table(
    studio: Studio,
    sdk: Callable[[Account], LabelStudio],
    workspace: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tally: Tally,
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_URL", studio.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", studio.admin.token)
    bucket, logs = tmp_path / "bucket", [tmp_path / "serve.log", tmp_path / "watch.log"]
    where = ("-w", workspace.root, "-p", "soak")
    to = ("--to", bucket, "--formats", "trec,judgments")
    with program(logs[0], "serve", "-w", workspace.root, "--port", 0) as serve:
        assert serve.stdout is not None
        url = serve.stdout.readline().split()[4].rstrip(";")
        made = ("init", *where, "--candidates", "image", "--mode", "assist", "--backend", url)
        subprocess.run([str(PROGRAM), *map(str, made)], check=True, stdout=subprocess.DEVNULL)
        project = Workspace(workspace.root).project("soak").id
        team, table = Team(studio.url, sdk(studio.admin), project), Table(workspace.judgments / str(project))
        accounts = [studio.annotator(f"soak-{n}") for n in range(PEOPLE)]
        with program(logs[1], "sync", *where, *to, "--watch", "--every", 5) as watch:
            memory = Memory(workspace, serve.pid, watch.pid)
            until = time.monotonic() + 60 * MINUTES
            people = [Working(Person(studio.url, one, project), seed, until) for seed, one in enumerate(accounts)]
            threads = [threading.Thread(target=one.work) for one in people]
            for thread in threads:
                thread.start()
            while time.monotonic() < until:
                if team.open() < OPEN:
                    team.bring(8)
                memory.look()
                time.sleep(2)
            for thread in threads:
                thread.join(120)
            assert not any(thread.is_alive() for thread in threads)
            assert [error for one in people for error in one.failed] == []
            tasks = _settled(team, table)
            assert watch.poll() is None
            assert serve.poll() is None
    given = {annotation: said for one in people for annotation, said in one.said.items()}
    now, (found, doubled) = standing(tasks), held(table)
    missing = unaccounted(now, found) + unaccounted(given, found) + doubled
    tally.add(soak_minutes=MINUTES, answers_unaccounted=missing)
    counts = sum((one.counts for one in people), Counter[str]())
    print(f"\n{MINUTES:g} minutes, {len(team.brought)} queries, {dict(counts)}")
    print({name: tuple(round(one / 1e6, 1) for one in pair) for name, pair in memory.thirds().items()}, "MB")
    assert missing == 0
    assert filled_twice(tasks, workspace) == 0
    assert sorted(task["data"]["query"] for task in tasks) == sorted(team.brought)
    _shown(tasks, people)
    _flat(memory)
    _published(bucket, where, to, len(found))
    assert [log.read_text() for log in logs if "Traceback" in log.read_text()] == []


def _settled(team: Team, table: Table) -> list[Row]:
    """The tasks as they stand, once nothing is bare any more and the table holds what they hold, or time is over."""
    deadline = time.monotonic() + CATCH_UP
    while True:
        tasks = team.tasks()
        done = all(envelope.is_filled(task) for task in tasks) and not unaccounted(standing(tasks), held(table)[0])
        if done or time.monotonic() > deadline:
            return tasks
        time.sleep(2)


def _shown(tasks: list[Row], people: list[Working]) -> None:
    """What people saw is what stands there."""
    stands = {task["id"]: task["meta"]["ls_retrieval"]["docs"] for task in tasks}
    for one in people:
        assert {task_id: stands[task_id] for task_id in one.seen} == one.seen


def _flat(memory: Memory) -> None:
    """No process holds more than it did, but for what varies."""
    if MINUTES < WARM:
        return
    grown = {name: pair for name, pair in memory.thirds().items() if pair[1] > max(GROWTH * pair[0], pair[0] + ROOM)}
    assert grown == {}


def _published(bucket: Path, where: tuple[object, ...], to: tuple[object, ...], answers: int) -> None:
    """What the watch left is whole, and what a sync makes now is the same."""
    assert verify(open_bucket(str(bucket))).problems == []
    latest = json.loads((bucket / "latest.json").read_text())["version"]
    subprocess.run([str(PROGRAM), *map(str, ("sync", *where, *to))], check=True, stdout=subprocess.DEVNULL)
    assert verify(open_bucket(str(bucket))).problems == []
    assert answers
    assert json.loads((bucket / "latest.json").read_text())["version"] == latest
