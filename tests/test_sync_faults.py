"""What networks, servers and disks do to a push, a pull and a sync: with a real Label Studio, and with real disks."""

import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import faulty
import pytest
import requests
from label_studio_sdk import LabelStudio
from sync_world import RULES
from task_server import World, grades, serving, task
from test_sync_whole import LAGS, Run, run, workspace_of

from label_configs.errors import Mendable
from label_configs.forms.envelope import Task
from ls_retrieval.studio import Account, Studio, running_studio
from store.buckets import open_bucket
from store.judgments import Table
from store.settings import Project
from sync import projects
from sync.bucket.check import verify
from sync.label_studio import connected
from sync.pull import Pulled, pull
from sync.push import Pushed, push
from sync.tasks import listing

__all__ = ["run"]
TASKS = 240


@dataclass(frozen=True)
class Bench:
    """A fresh project for one test."""

    client: LabelStudio
    project: Project
    table: Table

    def push(self, made: list[Task], **more: Any) -> Pushed:
        return push(self.client, self.project, made, **more)

    def pull(self, **more: Any) -> Pulled:
        return pull(self.client, self.project, self.table, {RULES.hash: RULES}.get, "key", **more)

    def answered(self, number: int) -> None:
        """Tasks that are answered once each."""
        given: Any = [{**one, "annotations": [{"result": grades("310")}]} for one in tasks(number)]
        self.client.projects.import_tasks(self.project.id, request=given)

    def queries(self) -> Counter[str]:
        """How often each query has a task."""
        return Counter(row["data"]["query_id"] for row in listing(self.client, self.project.id))

    def holds(self, number: int) -> bool:
        """Whether the table holds the answers to so many tasks, each once."""
        found = Counter((j.query_id, j.doc_id) for j in self.table.current())
        return len(found) == 3 * number and set(found.values()) == {1} and self.pull().new == 0


def tasks(number: int) -> list[Task]:
    return [{**task(f"q{n}"), "predictions": []} for n in range(number)]  # type: ignore[typeddict-item]


def fresh(client: LabelStudio, folder: Path) -> Bench:
    wanted = Project(id=0, candidates="text")
    project = wanted.model_copy(update={"id": projects.create(client, "faults", wanted, RULES)})
    return Bench(client, project, Table(folder / "judgments" / str(project.id)))


@pytest.fixture
def bench(studio: Studio, sdk: Callable[[Account], LabelStudio], tmp_path: Path) -> Bench:
    return fresh(sdk(studio.admin), tmp_path)


@contextmanager
def through(bench: Bench, studio: Studio) -> Iterator[tuple[Bench, faulty.Faults]]:
    """The same, asked through a proxy."""
    with faulty.before(studio.url) as (url, faults), connected(url, studio.admin.token) as client:
        yield replace(bench, client=client), faults


# on the way


@pytest.mark.parametrize("fault", get_args(faulty.Fault))
def test_a_page_that_fails_on_its_way_is_neither_lost_nor_doubled(
    bench: Bench, studio: Studio, fault: faulty.Fault
) -> None:
    bench.answered(12)
    with through(bench, studio) as (beyond, faults):
        faults.hit = lambda method, path: path.startswith("/api/tasks")
        faults.todo = [fault, fault]
        assert beyond.pull(page_size=4).new == 12
        assert faults.todo == []
    assert bench.holds(12)


@pytest.mark.long
def test_answers_that_take_half_a_minute_are_waited_for(bench: Bench, studio: Studio) -> None:
    with through(bench, studio) as (beyond, faults):
        faults.hit, faults.delay = lambda method, path: "/import" in path or path.startswith("/api/tasks"), 30.0
        faults.todo = ["slow answer"] * 2
        assert beyond.push(tasks(60)) == (60, 0, 0)
        bench.answered(4)
        faults.todo = ["slow answer"]
        assert beyond.pull().new == 4
        assert faults.todo == []
    assert set(bench.queries().values()) <= {1, 2}  # twice: by this test itself
    assert bench.holds(4)


# tokens


def forget_access(client: LabelStudio) -> None:
    """Let the five minutes of the SDK's access token be over."""
    client._client_wrapper._tokens_client._access_token = None


def test_an_access_token_that_ends_in_mid_pull_is_renewed(bench: Bench, studio: Studio) -> None:
    bench.answered(6)
    with connected(studio.url, studio.admin.token) as client:
        found = replace(bench, client=client).pull(page_size=2, advance=lambda _: forget_access(client))
    assert found.new == 6
    assert bench.holds(6)


def test_a_token_that_is_revoked_in_mid_pull_ends_it_with_a_sentence_and_the_next_pull_goes_on(
    bench: Bench, studio: Studio
) -> None:
    bench.answered(6)
    account = studio.annotator("revoked-in-mid-pull")
    with connected(studio.url, account.token) as client:

        def revoke(_: int) -> None:
            access = client._client_wrapper.get_headers()["Authorization"]
            place, headers = f"{studio.url}/api/token/blacklist/", {"Authorization": access}
            requests.post(place, json={"refresh": account.token}, headers=headers, timeout=30).raise_for_status()
            forget_access(client)

        with pytest.raises(Mendable, match="token was revoked") as refused:
            replace(bench, client=client).pull(page_size=2, advance=revoke)
    assert "LABEL_STUDIO_API_KEY" in refused.value.mend
    assert account.token not in str(refused.value)
    assert bench.pull().new == 4
    assert bench.holds(6)


# Label Studio dies


class Mortal:
    """A Label Studio of its own, that is killed, and started again at once as it was."""

    def __init__(self, studio: Studio) -> None:
        self.studio, self._pid = studio, studio.pid
        process = Path(f"/proc/{studio.pid}")
        self._command = (process / "cmdline").read_text().split("\0")[:-1]
        pairs = (process / "environ").read_text().split("\0")[:-1]
        self._environment = dict(pair.split("=", 1) for pair in pairs)
        self._again: list[subprocess.Popen[bytes]] = []

    def kill(self) -> None:
        """Kill it, and let it come up again meanwhile."""
        self.end()
        nowhere = subprocess.DEVNULL
        again = subprocess.Popen(
            self._command, env=self._environment, stdout=nowhere, stderr=nowhere, start_new_session=True
        )
        self._again.append(again)
        self._pid = again.pid

    def end(self) -> None:
        """Kill it."""
        os.killpg(self._pid, signal.SIGKILL)
        for process in self._again:
            process.wait()

    def up(self) -> None:
        """Wait until it is there again."""
        for _ in range(900):
            with suppress(requests.RequestException):
                if requests.get(f"{self.studio.url}/health", timeout=10).ok:
                    return
            time.sleep(0.1)
        raise AssertionError("Label Studio did not come up again")


@pytest.fixture(scope="module")
def mortal(label_studio: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mortal]:
    with running_studio(tmp_path_factory.mktemp("mortal"), program=label_studio) as studio:
        made = Mortal(studio)
        try:
            yield made
        finally:
            made.end()


@pytest.mark.long
@pytest.mark.parametrize("after", [0.0, 0.1])
def test_label_studio_killed_and_started_again_in_mid_push_loses_and_doubles_no_task(
    mortal: Mortal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: float
) -> None:
    monkeypatch.setattr("sync.push._CHUNK", 40)
    with connected(mortal.studio.url, mortal.studio.admin.token) as client:
        bench, steps = fresh(client, tmp_path), []

        def kill(done: int) -> None:
            steps.append(done)
            if len(steps) == 3:  # what is there already, and two chunks
                threading.Timer(after, mortal.kill).start()

        made = tasks(TASKS)
        assert bench.push(made, advance=kill) == (TASKS, 0, 0)
        time.sleep(after)
        mortal.up()
        assert bench.queries() == Counter({f"q{n}": 1 for n in range(TASKS)})
        assert bench.push(made) == (0, TASKS, 0)


@pytest.mark.long
@pytest.mark.parametrize("after", [0.0, 0.1])
def test_label_studio_killed_and_started_again_in_mid_pull_loses_and_doubles_no_answer(
    mortal: Mortal, tmp_path: Path, after: float
) -> None:
    with connected(mortal.studio.url, mortal.studio.admin.token) as client:
        bench, pages = fresh(client, tmp_path), []
        bench.answered(TASKS)

        def kill(done: int) -> None:
            pages.append(done)
            if len(pages) == 2:
                threading.Timer(after, mortal.kill).start()

        assert bench.pull(page_size=20, advance=kill).new == TASKS
        time.sleep(after)
        mortal.up()
        assert bench.holds(TASKS)


# disks


@contextmanager
def disk(folder: Path, *options: str) -> Iterator[Path]:
    """A disk of its own at that folder, which only an administrator of the machine may mount."""
    folder.mkdir(exist_ok=True)
    mounted = subprocess.run(["mount", *options, str(folder)], capture_output=True, check=False)  # noqa: S607
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S607


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World()
    for query in ("q1", "q2", "q3"):
        world.annotate(world.add(query), "310")
    with serving(world) as url:
        monkeypatch.setenv("LABEL_STUDIO_URL", url)
        monkeypatch.setenv("LABEL_STUDIO_API_KEY", "a legacy token")
        yield world


def fill(folder: Path, left: int) -> Path:
    """Fill a disk up but for so many bytes."""
    ballast = folder / "ballast"
    with ballast.open("wb") as file:
        there = os.statvfs(folder)
        file.write(b"\0" * max(0, there.f_bavail * there.f_frsize - left))
    return ballast


@pytest.mark.long
@pytest.mark.parametrize("left", [0, 4096, 8192, 16_384, 32_768, 65_536])
@pytest.mark.parametrize("full", ["workspace", "bucket"])
@pytest.mark.usefixtures("served")
def test_a_disk_that_is_full_ends_a_sync_with_a_sentence_and_with_room_the_next_is_whole(
    tmp_path: Path, run: Run, full: str, left: int
) -> None:
    with disk(tmp_path / full, "-t", "tmpfs", "-o", "size=2m", "tmpfs") as mounted:
        workspace, bucket = workspace_of(tmp_path / "workspace"), tmp_path / "bucket"
        bucket.mkdir(exist_ok=True)
        sync = ("sync", "-w", workspace.root, "--to", bucket, "--formats", "trec,beir")
        ballast = fill(mounted, left)
        code, _, said = run(*sync)
        assert code in (0, 1)
        if code:
            assert "No space left on device" in said
            assert "Mend: " in said
            assert "Traceback" not in said
        assert set(verify(open_bucket(str(bucket))).problems) <= {LAGS}
        ballast.unlink()
        assert run(*sync)[0] == 0
        assert verify(open_bucket(str(bucket))).problems == []
        found = Counter((j.query_id, j.doc_id) for j in Table(workspace.judgments / "7").current())
        assert (len(found), set(found.values())) == (9, {1})


@pytest.mark.long
@pytest.mark.parametrize("command", ["sync", "pull", "push"])
@pytest.mark.usefixtures("served")
def test_a_workspace_on_a_disk_that_is_read_only_is_a_sentence(tmp_path: Path, run: Run, command: str) -> None:
    workspace, bucket = workspace_of(tmp_path / "workspace"), tmp_path / "bucket"
    place = str(workspace.root)
    with disk(workspace.root, "-o", "bind,ro", place):
        more = ("--to", bucket, "--formats", "trec") if command == "sync" else ()
        code, _, said = run(command, "-w", workspace.root, *more)
    assert code == 1
    assert "Read-only file system" in said
    assert place in said
    assert "Traceback" not in said
