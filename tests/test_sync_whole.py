"""From answers to a bucket as one: a sync that dies anywhere on its way is made whole by the next."""

import errno
import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from death import Death, Killed
from obstore.store import LocalStore
from sync_world import make_workspace
from task_server import World, client_within, serving

from label_configs.errors import Mendable
from label_configs.records import Query
from ls_retrieval import cli, compose, flow, forget, syncing
from ls_retrieval.syncing import Wanted
from store import files
from store.buckets import open_bucket
from store.corpus import add_live
from store.judgments import Table
from store.workspace import Workspace
from sync import dataset
from sync import export as exporting
from sync.bucket import prune
from sync.bucket.check import verify
from sync.bucket.layout import LATEST, current, history, manifest, read
from sync.pull import pseudonym

Run = Callable[..., tuple[int, str, str]]
LAGS = f"{LATEST} does not name what was published last: run sync again"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """An empty project, asked without a socket: these tests ask a thousand times."""
    made = World()
    monkeypatch.setattr(compose, "label_studio", lambda environ: client_within(made))
    return made


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """An empty project at an address that the environment names."""
    made = World()
    with serving(made) as url:
        monkeypatch.setenv("LABEL_STUDIO_URL", url)
        monkeypatch.setenv("LABEL_STUDIO_API_KEY", "f" * 40)
        yield made


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command: its exit code, output, and errors."""

    def do(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ls-retrieval", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return do


def workspace_of(root: Path) -> Workspace:
    return make_workspace(root, candidates="text", labelled=False)


def contents(root: Path) -> dict[str, tuple[bytes, int]]:
    """Every file below a folder but for locks: its bytes, and when it was written."""
    found = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    return {name: (p.read_bytes(), p.stat().st_mtime_ns) for name, p in found.items() if not name.endswith(".lock")}


def seen(bucket: Any) -> dict[str, bytes]:
    """What a reader finds."""
    files = manifest(bucket, current(bucket)).get("files", {})
    return {name: read(bucket, entry["part"]) or b"missing" for name, entry in files.items()}


def rows(table: Table) -> list[str]:
    """All of history, but for the times of our own clock."""
    found = [row for path in sorted(table.folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    return sorted(json.dumps({**row, "since": "", "updated_at": ""}, sort_keys=True) for row in found)


def test_where_nothing_has_changed_no_file_of_workspace_and_bucket_is_written(world: World, tmp_path: Path) -> None:
    world.annotate(world.add("q1"), "310")
    workspace, to = workspace_of(tmp_path / "w"), tmp_path / "bucket"
    wanted = Wanted("main", str(to), ["trec", "beir", "triplets"], keep=2)
    syncing.sync(workspace, wanted)
    before = contents(tmp_path)
    done = syncing.sync(workspace, wanted)
    assert contents(tmp_path) == before
    assert (done.published.written, done.pruned) == (0, (0, 0, 0))


def test_killed_at_two_hundred_points_from_pull_to_prune_nothing_is_lost_and_nothing_doubled(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.judgments._ROWS", 4)
    monkeypatch.setattr(prune, "GRACE", timedelta(0))
    death = Death(monkeypatch)
    monkeypatch.setattr(syncing, "open_bucket", lambda url, make: death.bucket(open_bucket(url, make=make)))
    made = [(task_id, world.annotate(task_id, "310")) for task_id in map(world.add, ("q1", "q2", "q3"))]
    before = {task_id: {**row, "annotations": [*row["annotations"]]} for task_id, row in world.tasks.items()}
    world.edit(*made[0], "000")
    world.delete(*made[1])
    world.annotate(made[2][0], "222", user=2)
    after = world.tasks

    def two_syncs(name: str, kill: tuple[float, float]) -> tuple[Table, LocalStore]:
        workspace, to = workspace_of(tmp_path / name), tmp_path / name / "bucket"
        bucket = LocalStore(to, mkdir=True)
        for state, touches in zip((before, after), kill, strict=True):
            world.tasks, old, death.left = state, seen(bucket), touches
            wanted = Wanted("main", str(to), ["trec"], keep=1)
            try:
                syncing.sync(workspace, wanted)
            except Killed:
                death.left = float("inf")
                assert set(verify(bucket).problems) <= {LAGS}
                now = seen(bucket)
                syncing.sync(workspace, wanted)
                assert now in (old, seen(bucket))
            death.left = float("inf")
        return Table(workspace.judgments / "7"), bucket

    table, bucket = two_syncs("calm", (float("inf"), float("inf")))
    touches, expected = death.touched, (table.current(), rows(table), seen(bucket), current(bucket).version)
    random_ = random.Random(0)
    for n in range(100):
        table, bucket = two_syncs(str(n), (random_.randrange(touches // 2), random_.randrange(touches // 2)))
        assert (table.current(), rows(table), seen(bucket), current(bucket).version) == expected
        assert verify(bucket)[3:] == ([], [])
        assert [one.number for one in history(bucket)] == [2]


def test_what_a_pull_could_not_read_ends_with_4_and_is_told_as_json(served: World, tmp_path: Path, run: Run) -> None:
    served.annotate(served.add("q1"), "310")
    served.tasks[served.add("q2")]["meta"] = {"ls_retrieval": {"v": 1, "rules_hash": "0" * 12}}
    task_id = max(served.tasks)
    served.annotate(task_id, "310")
    root, export = workspace_of(tmp_path / "w").root, tmp_path / "export.json"
    code, out, err = run("pull", "-w", root)
    assert (code, out) == (4, "1 new answers, 0 edited, 0 deleted, 0 as they were; 1 unreadable; 1 held in all\n")
    assert f"unreadable: project 7, task {task_id}" in err
    assert "1 answers could not be read; all others were." in err
    code, out, _ = run("pull", "-w", root, "--json")
    said = json.loads(out)
    assert (code, said["new"], said["unchanged"], len(said["problems"])) == (4, 0, 1, 1)
    export.write_text(json.dumps(served.export()))
    assert run("pull", "-w", root, "--from-export", export)[0] == 4
    code, out, _ = run("sync", "-w", root, "--to", tmp_path / "b", "--formats", "trec", "--json")
    assert (code, json.loads(out)["pulled"]["problems"]) == (4, said["problems"])


# a watch


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Callable[[Workspace], None]]:
    """Watch a workspace for the rest of the test, ten times a second."""
    stop, threads = threading.Event(), list[threading.Thread]()

    def start(workspace: Workspace) -> None:
        wanted = Wanted("main", str(tmp_path / "bucket"), ["trec"])
        threads.append(threading.Thread(target=syncing.watch, args=(workspace, wanted, 0.1, stop)))
        threads[-1].start()

    yield start
    stop.set()
    for thread in threads:
        thread.join()


def versions(root: Path, count: int) -> None:
    """Wait until so many versions were published at least, the last step of it too."""
    latest = root / "bucket" / LATEST
    for _ in range(600):
        if latest.exists() and json.loads(latest.read_text())["number"] >= count:
            return
        time.sleep(0.05)
    raise AssertionError(f"{count} versions were not published")


def printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Wait until a watch says that it has published."""
    said = ""
    while "bytes written" not in said:
        said += capsys.readouterr().out
        time.sleep(0.05)


def test_a_watch_names_an_unreadable_answer_once_and_goes_on_at_its_pace(
    world: World, tmp_path: Path, watch: Callable[[Workspace], None], capsys: pytest.CaptureFixture[str]
) -> None:
    first = world.add("q1")
    world.annotate(first, "310")
    second = world.add("q2")
    world.tasks[second]["meta"] = {"ls_retrieval": {"v": 1}}
    world.annotate(second, "310")
    watch(workspace_of(tmp_path / "w"))
    for count in range(1, 6):
        versions(tmp_path, count)
        world.annotate(first, "311", user=count + 1)
    versions(tmp_path, 6)
    err = capsys.readouterr().err
    assert err.count("unreadable: ") == 1
    assert "nothing was published" not in err


def test_a_watch_outlives_half_written_settings_a_full_disk_and_a_defect(
    world: World,
    tmp_path: Path,
    watch: Callable[[Workspace], None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task_id = world.add("q1")
    world.annotate(task_id, "310")
    workspace = workspace_of(tmp_path / "w")
    whole = workspace.settings_path.read_bytes()
    workspace.settings_path.write_bytes(whole[:-5])
    errors = [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), RuntimeError("a defect")]
    real = dataset.load

    def load(*given: Any) -> Any:
        if errors:
            raise errors.pop(0)
        return real(*given)

    monkeypatch.setattr(syncing, "load", load)
    watch(workspace)
    time.sleep(0.3)
    assert not (tmp_path / "bucket" / "history").exists()
    workspace.settings_path.write_bytes(whole)
    versions(tmp_path, 1)
    err = capsys.readouterr().err
    assert err.count("nothing was published:") == 3
    assert "settings.toml" in err
    assert "No space left on device.\nMend: Make room there" in err
    assert "RuntimeError: a defect" in err


def test_a_watch_writes_nothing_until_an_input_changes_and_a_frozen_split_is_one(
    world: World, tmp_path: Path, watch: Callable[[Workspace], None], capsys: pytest.CaptureFixture[str]
) -> None:
    world.annotate(world.add("q1"), "310")
    workspace = workspace_of(tmp_path / "w")
    watch(workspace)
    versions(tmp_path, 1)
    asked = len(world.asked)
    while len(world.asked) < asked + 20:
        time.sleep(0.05)
    assert capsys.readouterr().out.count("bytes written") == 1
    files.write(workspace.frozen, "q2\n")
    printed(capsys)
    add_live(workspace.queries, Query(query_id="live", text="something live"))
    printed(capsys)


def test_two_watches_of_a_workspace_publish_each_state_once(
    world: World, tmp_path: Path, watch: Callable[[Workspace], None]
) -> None:
    task_id, workspace = world.add("q1"), workspace_of(tmp_path / "w")
    world.annotate(task_id, "310")
    watch(workspace)
    watch(workspace)
    for count in range(1, 4):
        versions(tmp_path, count)
        world.annotate(task_id, "322", user=count + 1)
    versions(tmp_path, 4)
    assert verify(open_bucket(str(tmp_path / "bucket")))[3:] == ([], [])


def test_watches_of_two_machines_on_one_bucket_leave_it_whole(
    world: World, tmp_path: Path, watch: Callable[[Workspace], None]
) -> None:
    task_id = world.add("q1")
    world.annotate(task_id, "310")
    for name in ("here", "there"):
        watch(workspace_of(tmp_path / name))
    for count in range(1, 4):
        versions(tmp_path, count)
        world.annotate(task_id, "322", user=count + 1)
    versions(tmp_path, 4)
    assert verify(open_bucket(str(tmp_path / "bucket")))[3:] == ([], [])


# beside each other


def test_data_sets_of_a_folder_are_written_by_one_at_a_time(world: World, tmp_path: Path) -> None:
    world.annotate(world.add("q1"), "310")
    workspace = workspace_of(tmp_path / "w")
    syncing.sync(workspace, Wanted("main", str(tmp_path / "bucket"), ["trec"]))
    with exporting.alone(workspace.exports):
        for do in (
            lambda: flow.export(workspace, "main", ["trec"], workspace.exports),
            lambda: syncing.sync(workspace, Wanted("main", str(tmp_path / "bucket"), ["trec"])),
            lambda: list(forget.annotator(workspace, "9")),
        ):
            with pytest.raises(Mendable, match="Another process is writing data sets into"):
                do()
        flow.export(workspace, "main", ["trec"], tmp_path / "elsewhere")
    assert flow.export(workspace, "main", ["trec"], workspace.exports).paths


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_a_damaged_manifest_is_mended_as_the_message_says(world: World, tmp_path: Path, damage: str) -> None:
    task_id, workspace, to = world.add("q1"), workspace_of(tmp_path / "w"), tmp_path / "bucket"
    made = []
    for values in ("310", "322"):
        world.annotate(task_id, values)
        made.append(syncing.sync(workspace, Wanted("main", str(to), ["trec"])).published.version)
    bucket = open_bucket(str(to))
    for version in made:
        path = to / "versions" / version / "manifest.json"
        path.unlink() if damage == "missing" else path.write_text("{}")
    assert len(verify(bucket).problems) == 2
    syncing.sync(workspace, Wanted("main", str(to), ["trec"]))
    assert len(verify(bucket).problems) == 1
    syncing.sync(workspace, Wanted("main", str(to), ["trec"], as_of=made[0]))
    assert verify(bucket).problems == []


def test_what_was_forgotten_meanwhile_is_in_no_earlier_state_that_is_built_anew(
    world: World, tmp_path: Path, run: Run
) -> None:
    task_id = world.add("q1")
    world.annotate(task_id, "310", user=1)
    world.annotate(task_id, "330", user=2)
    workspace, to = workspace_of(tmp_path / "w"), str(tmp_path / "bucket")
    first = syncing.sync(workspace, Wanted("main", to, ["judgments"])).published.version
    list(forget.annotator(workspace, "2"))
    code, out, _ = run("sync", "-w", workspace.root, "--to", to, "--formats", "judgments", "--as-of", first)
    assert (code, f"\nnot {first}: something was forgotten" in out) == (0, True)
    assert current(open_bucket(to)).version != first
    assert {j.annotator for j in Table(workspace.judgments / "7").current()} == {pseudonym("test key", 1)}
