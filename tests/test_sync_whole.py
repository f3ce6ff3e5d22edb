"""From answers to a bucket as one: a sync that dies anywhere on its way is made whole by the next."""

import json
import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from death import Death, Killed
from obstore.store import LocalStore
from sync_world import make_workspace
from task_server import World, client_within, serving

from ls_retrieval import compose, syncing
from ls_retrieval.syncing import Wanted
from store.buckets import open_bucket
from store.judgments import Table
from store.workspace import Workspace
from sync.bucket import prune
from sync.bucket.check import verify
from sync.bucket.layout import LATEST, current, history, manifest, read

LAGS = f"{LATEST} does not name what was published last: run sync again"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """An empty project, asked without a socket: these tests ask a thousand times."""
    made = World()
    monkeypatch.setattr(compose, "label_studio", lambda environ: client_within(made))
    return made


@pytest.fixture
def served(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The same project at an address that the environment names."""
    with serving(world) as url:
        monkeypatch.setenv("LABEL_STUDIO_URL", url)
        monkeypatch.setenv("LABEL_STUDIO_API_KEY", "f" * 40)
        yield world


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
