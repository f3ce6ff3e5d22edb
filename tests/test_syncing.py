"""The sync command: what it is asked for, what it tells, and that it goes on for as long as it should."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import tiny
from label_studio_sdk import LabelStudio
from sync_world import grade, make_workspace, pool
from task_server import World, serving

from label_configs.errors import GateFailed, Mendable, PartlyDone, Unreadable
from ls_retrieval import cli, syncing
from ls_retrieval.flow import refuse_unread
from ls_retrieval.studio import Account, Studio
from ls_retrieval.syncing import Wanted
from store import files, pools, wake
from store.judgments import Table
from store.workspace import Workspace
from sync.pull import Pulled
from sync.tasks import listing

NONE: Mapping[str, float] = {}
PROGRAM = Path(sys.executable).with_name("ls-retrieval")


def dry(to: Path, gates: Mapping[str, float] = NONE) -> Wanted:
    return Wanted("main", str(to), ["trec"], gates, dry_run=True)


def test_a_floor_on_the_command_line_stands_in_place_of_the_settings(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "w", settings="[gates]\ngold_accuracy = 0.7\n")
    with pytest.raises(GateFailed, match="1 of 1 gates"):
        syncing.sync(workspace, dry(tmp_path / "b"))
    passed = syncing.sync(workspace, dry(tmp_path / "b", gates={"gold_accuracy": 0.5})).gates
    assert [(gate.name, gate.floor, gate.passed) for gate in passed] == [("gold_accuracy", 0.5, True)]


def test_an_unknown_gate_lists_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="no gate beauty") as refused:
        syncing.sync(make_workspace(tmp_path / "w"), dry(tmp_path / "b", gates={"beauty": 1}))
    assert "alpha, gold_accuracy" in refused.value.mend


@pytest.mark.parametrize("text", ["alpha", "alpha=much"])
def test_a_gate_without_a_number_is_wrong_usage(text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    root = make_workspace(tmp_path / "w").root
    arguments = ["sync", "-w", str(root), "--to", str(tmp_path / "b"), "--dry-run", "--gate", text]
    monkeypatch.setattr(sys, "argv", ["ls-retrieval", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2


@pytest.mark.parametrize("floor", [7, float("nan")])
def test_a_floor_that_nothing_can_reach_is_a_sentence(tmp_path: Path, floor: float) -> None:
    with pytest.raises(Unreadable, match="has a floor") as refused:
        syncing.sync(make_workspace(tmp_path / "w"), dry(tmp_path / "b", gates={"coverage": floor}))
    assert refused.value.problems[0].startswith(f"coverage={floor}: ")


def test_a_watch_looks_at_everything_that_data_are_made_of_and_at_no_lock(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    before = syncing._inputs(workspace)
    (workspace.judgments / "7" / ".lock").touch()
    assert syncing._inputs(workspace) == before
    seen = [before]
    (workspace.root / "queries.live").mkdir()
    for path in (workspace.frozen, workspace.root / "queries.live" / "0.json", workspace.judgments / "7" / "9.parquet"):
        path.touch()
        now = syncing._inputs(workspace)
        assert now not in seen
        seen.append(now)


def test_a_dry_run_names_what_would_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_workspace(tmp_path / "w").root
    arguments = ["sync", "-w", str(root), "--to", str(tmp_path / "b"), "--dry-run", "--formats", "trec"]
    for more in ([], ["--json"]):
        monkeypatch.setattr(sys, "argv", ["ls-retrieval", *arguments, *more])
        with pytest.raises(SystemExit):
            cli.main()
    *lines, said = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["+ trec/README.md", "+ trec/qrels.txt", "+ trec/run.txt"]
    assert lines[3].startswith("kept from training: 2 of train: ")
    assert lines[4].endswith("bytes would be written")
    read = json.loads(said)
    assert read["published"]["difference"] == {
        "added": ["trec/README.md", "trec/qrels.txt", "trec/run.txt"],
        "changed": [],
        "removed": [],
    }
    assert read["pulled"] is None
    assert read["leaks"] == {"train": 2}
    assert f"version {read['published']['version']} in" in lines[4]


def test_one_sync_of_a_workspace_runs_at_a_time(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "w")
    with (
        files.locked(workspace.root / ".sync.lock", "syncing this workspace"),
        pytest.raises(Mendable, match="Another process is syncing this workspace already"),
    ):
        syncing.sync(workspace, Wanted("main", str(tmp_path / "b"), ["trec"]))


def test_answers_that_could_not_be_read_end_with_4_after_all_is_done() -> None:
    refuse_unread(None)
    refuse_unread(Pulled(new=3))
    with pytest.raises(PartlyDone, match="2 answers could not be read") as told:
        refuse_unread(Pulled(problems=["one", "two"]))
    assert told.value.exit_code == 4


def test_whoever_waits_is_woken_by_the_bell(tmp_path: Path) -> None:
    wake.ring(tmp_path)
    listener, begun = wake.Listener(tmp_path), time.monotonic()
    threading.Timer(0.2, wake.ring, [tmp_path]).start()
    listener.wait(60, threading.Event())
    listener.wait(0.01, threading.Event())  # what rang before is past
    stop = threading.Event()
    stop.set()
    listener.wait(60, stop)
    assert time.monotonic() - begun < 30


@contextmanager
def watching(*arguments: object) -> Iterator["subprocess.Popen[str]"]:
    command = [str(PROGRAM), "sync", "--watch", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def reads(bucket: Path, judgments: int) -> str:
    """The version in the bucket, once it is of so many judgments."""
    for _ in range(600):
        if (bucket / "latest.json").exists():
            latest = json.loads((bucket / "latest.json").read_text())
            if json.loads((bucket / latest["manifest"]).read_text())["figures"]["judgments"] == judgments:
                return str(latest["version"])
        time.sleep(0.1)
    raise AssertionError("the bucket did not come to hold it")


def test_a_watch_publishes_answers_as_they_come_and_ends_when_asked(
    studio: Studio, sdk: Callable[[Account], LabelStudio], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, bucket = make_workspace(tmp_path / "w", candidates="text", labelled=False), tmp_path / "bucket"
    monkeypatch.setenv("LABEL_STUDIO_URL", studio.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", studio.admin.token)
    for command in (["init", "--candidates", "text"], ["push"]):
        subprocess.run([str(PROGRAM), *command, "-w", str(workspace.root), "-p", "live"], check=True)
    client, project = sdk(studio.admin), Workspace(workspace.root).project("live").id
    tasks = [(task["id"], len(task["data"]["candidates"])) for task in listing(client, project)]
    answer = [(task, tiny.graded_answer(dict.fromkeys(range(count), 3))) for task, count in tasks]
    with watching("-w", workspace.root, "-p", "live", "--to", bucket, "--formats", "trec", "--every", 3600) as process:
        assert process.stderr is not None
        assert "has no grades yet" in process.stderr.readline()  # it says so, and goes on
        published = []
        for number, (task, result) in enumerate(answer[:2]):
            client.annotations.create(task, result=result)
            wake.ring(workspace.root)
            published.append(reads(bucket, sum(len(given) for _, given in answer[: number + 1])))
        wake.ring(workspace.root)
        time.sleep(2)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert [line.split()[1].rstrip(":") for line in out.splitlines()] == published
    assert "no grades" not in err
    assert len(os.listdir(bucket / "history")) == 2


def test_a_version_does_not_change_with_the_order_of_pulls(tmp_path: Path) -> None:
    versions = []
    for name in ("a", "b"):
        workspace = make_workspace(tmp_path / name)
        more = [grade("q3", "d3", 2, annotation_id=30), grade("q2", "d1", 1, annotation_id=31)]
        for judgment in more if name == "a" else reversed(more):
            table = Table(workspace.judgments / "7")
            table.append([judgment], table.known())
        versions.append(syncing.sync(workspace, dry(tmp_path / "bucket")).published.version)
    assert versions[0] == versions[1]


def test_the_answers_of_every_project_that_has_a_part_in_the_data_are_pulled_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = make_workspace(tmp_path / "w", candidates="text", labelled=False)
    with workspace.settings_path.open("a") as settings:
        settings.write('[projects.judges]\nid = 8\npurpose = "adjudication"\nadjudicates = "main"\n')
        settings.write('[projects.recheck]\nid = 9\npurpose = "recheck"\nrechecks = "main"\n')
        settings.write('[projects.pairs]\nid = 10\n[consensus]\nmethod = "fused"\nbeside = ["pairs"]\n')
        settings.write("[projects.other]\nid = 11\n")
    world = World()
    world.annotate(world.add("q1"), "310")
    with serving(world) as url:
        monkeypatch.setenv("LABEL_STUDIO_URL", url)
        monkeypatch.setenv("LABEL_STUDIO_API_KEY", "a legacy token")
        done = syncing.sync(Workspace(workspace.root), Wanted("main", str(tmp_path / "b"), ["trec"]))
    assert done.pulled == Pulled(new=4)
    assert done.pulled.held == 4
    pulled = [project for project in range(7, 12) if Table(workspace.judgments / str(project)).current()]
    assert pulled == [7, 8, 9, 10]


def published(workspace: Workspace, to: Path, as_of: str = "") -> syncing.Synced:
    """Publish what the workspace holds, without asking Label Studio."""
    return syncing.sync(workspace, Wanted("main", str(to), ["trec", "beir"], as_of=as_of or "2999-01-01"))


def test_any_past_version_is_rebuilt_to_the_same_bytes(tmp_path: Path) -> None:
    workspace, bucket = make_workspace(tmp_path / "w"), tmp_path / "bucket"
    table = Table(workspace.judgments / "7")
    first = published(workspace, bucket).published.version
    table.append([grade("q3", "d3", 2, annotation_id=30)], table.known())
    second = published(workspace, bucket).published.version
    pools.append(workspace.pools, [replace(pool("q3", [("d6", "candidate", "dense", 2.0)]), round=2)])
    third = published(workspace, bucket).published.version
    table.append([grade("q3", "d3", 0, annotation_id=30)], table.known())
    table.append([grade("q1", "d1", 0, annotation_id=10)], table.known(), deleted=True)
    fourth = published(workspace, bucket).published.version
    assert len({first, second, third, fourth}) == 4
    for version in (first, second, third, fourth, first):
        before = set(os.listdir(bucket / "parts"))
        again = published(workspace, bucket, version).published
        assert again.version == version
        assert set(os.listdir(bucket / "parts")) == before
    assert json.loads((bucket / "latest.json").read_text())["version"] == first


def test_a_time_before_everything_has_no_grades(tmp_path: Path) -> None:
    with pytest.raises(Mendable, match="has no grades yet"):
        published(make_workspace(tmp_path / "w"), tmp_path / "b", "2001-01-01")


@pytest.mark.parametrize(("as_of", "said"), [("yesterday", "is no time"), ("0123456789abcdef", "no version 0123")])
def test_what_is_neither_a_time_nor_a_version_is_a_sentence(as_of: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(Mendable, match=said):
        published(make_workspace(tmp_path / "w"), tmp_path / "b", as_of)


def test_the_documentations_way_to_read_a_bucket_works_as_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).resolve().parent.parent / "docs" / "sync.md").read_text("utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    published(make_workspace(tmp_path / "photos"), tmp_path / "photos" / "bucket")
    monkeypatch.chdir(tmp_path)
    exec(example)  # noqa: S102
    said = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [name for name, _, _ in said][:3] == ["beir/README.md", "beir/corpus.jsonl", "beir/qrels/dev.tsv"]
    assert all(Path(part).exists() for _, _, part in said)
    assert [rows for _, rows, _ in said][:2] == ["-", "6"]
