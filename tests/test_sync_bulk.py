"""Tasks read many at a time say what they say one by one: the same parts to the byte, the same counts and problems."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pytest
from asked import RULES, annotation, made, stored
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from test_configs_forms import editors, submitted, work
from test_configs_total import JSON, almost

from label_configs.errors import Unreadable
from label_configs.forms import READINGS, answers
from store import json_array, judgments
from store.judgments import Table
from store.settings import Project
from sync import crew, export_file
from sync.pull import Pulled

PROJECT = Project(id=7, candidates="text")
MANY = pytest.mark.parametrize("name", READINGS)


def contents(table: Table) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in table.folder.glob("*.parquet")}


def read(
    tasks: Sequence[Any], folder: Path, *, lines: bool = False, helpers: int = 0
) -> tuple[object, str, dict[str, bytes]]:
    path, table = folder / "export.json", Table(folder / "judgments" / "7")
    path.write_text("\n".join(map(json.dumps, tasks)) if lines else json.dumps(tasks), "utf-8")
    try:
        pulled = export_file.pull(path, PROJECT, table, {RULES.hash: RULES}.get, "key", helpers=helpers)
    except Unreadable as error:
        return error.problems, str(error).replace(str(folder), ""), contents(table)
    return pulled, "", contents(table)


def both(*exports: Sequence[Any], lines: bool = False) -> tuple[Any, Any]:
    """Exports after each other, read many at a time, and one by one."""
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        many = [read(tasks, Path(one), lines=lines) for tasks in exports]
        with patch.object(export_file, "_many", lambda *given: iter(())):
            return many, [read(tasks, Path(other), lines=lines) for tasks in exports]


@st.composite
def answered(draw: st.DrawFn, name: str, number: int) -> dict[str, Any]:
    """A task, answered as people answer, or by what nearly is an answer."""
    data = draw(st.data())
    editor, size = draw(editors(name))
    task = {**stored(made(name, size)[0]), "id": number, "project": 7, "updated_at": "2026-11-22T10:00:00.000000Z"}
    if draw(st.booleans()):
        editor.prefill(task.get("predictions", ()))
    work(data, editor)
    result = submitted(data, editor) + draw(st.lists(almost(name), max_size=draw(st.sampled_from([0, 0, 0, 2]))))
    task["annotations"] = [
        {**annotation(result), "id": 10 * number + n, "completed_by": draw(st.sampled_from([1, {"id": 2}, None]))}
        for n in range(draw(st.integers(0, 2)))
    ]
    if task["annotations"]:
        given: dict[str, st.SearchStrategy[Any]] = {
            "was_cancelled": st.booleans(),
            "lead_time": st.floats() | st.none(),
            "id": st.integers(8, 40),
        }
        given |= {
            "updated_at": st.sampled_from(["2026-11-22T10:00:00Z", "2026-11-21T10:00:00.000000Z"]),
            "result": JSON,
        }
        task["annotations"][0] |= draw(st.fixed_dictionaries({}, optional=given) | st.just({}))
    counted = len(task["annotations"]) + draw(st.integers(-1, 1))
    return {**task, "total_annotations": counted, "cancelled_annotations": 0}


def damaged(data: st.DataObject, task: dict[str, Any]) -> dict[str, Any]:
    """With something else in one place."""
    ours = task["meta"]["ls_retrieval"]
    places = [task, task["data"], task["meta"], ours, ours["docs"], *task["data"]["candidates"], *task["annotations"]]
    place = data.draw(st.sampled_from([place for place in places if place]))
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(JSON)
    return task


@MANY
@settings(deadline=None, max_examples=60, phases=[Phase.generate])
@given(data=st.data(), lines=st.booleans())
def test_whatever_is_answered_says_the_same(name: str, data: st.DataObject, lines: bool) -> None:
    tasks = [data.draw(answered(name, number)) for number in range(1, data.draw(st.integers(2, 4)))]
    again = deepcopy(tasks)
    for task in again:
        if data.draw(st.booleans()):
            damaged(data, task)
        elif task["annotations"] and data.draw(st.booleans()):
            task["annotations"].pop()
            task["total_annotations"] = len(task["annotations"])
    many, one_by_one = both(tasks, again, lines=lines)
    assert [one[:2] for one in many] == [one[:2] for one in one_by_one]
    assert many == one_by_one


def plainly(name: str, tasks: int) -> list[dict[str, Any]]:
    """Tasks answered as people answer most, and things in them that look like the next task."""
    chance, rows = random.Random(0), []
    for number in range(1, tasks + 1):
        task = stored(made(name, 4)[0])
        result = submitted_plainly(name, task, chance)
        time_ = f"2026-11-22T10:{number // 60 % 60:02}:{number % 60:02}.000000Z"
        answer = {**annotation(result), "id": number, "completed_by": number % 3, "updated_at": time_}
        beside = {"text": "x" * chance.randrange(3000), "as": [{"id": 1, "annotations": [[]]}] * chance.randrange(3)}
        task = {**task, "id": number, "beside": beside, "project": 7}
        rows.append({"id": number, "annotations": [answer], **task})
    return rows


def submitted_plainly(name: str, task: dict[str, Any], chance: random.Random) -> list[dict[str, Any]]:
    cards = [one["id"] for one in task["data"]["candidates"]]
    chance.shuffle(cards)
    if name == "graded":
        return [answers.region(f"rel_{n}", "choices", [chance.choice("0123")]) for n in range(4)]
    if name == "buckets":
        lists = {"_": cards[:1], "3": cards[1:3], "0": cards[3:]}
        return [answers.region("buckets", "ranker", lists)]
    if name == "ranking":
        confirmed = answers.region("checked", "choices", ["order_checked"])
        return [answers.region("ranking", "ranker", {"ranking": cards}), confirmed]
    return [answers.region("pick", "choices", [chance.choice([cards[0], "tie"])])]


@MANY
def test_what_people_answer_most_leaves_nothing_to_read_one_by_one(name: str, tmp_path: Path) -> None:
    per_screen = [{**task, "annotations": task["annotations"]} for task in plainly(name, 20)]
    path = tmp_path / "export.json"
    path.write_text(json.dumps(per_screen))
    told = list(crew.told(path, 7, {RULES.hash: RULES}.get, heads=False, helpers=0))
    assert sum(one.count for one in told) == 20
    assert [one.tasks for one in told] == [[]] * len(told)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stretches and parts so small that there are many."""
    monkeypatch.setattr(json_array, "AHEAD", 9_000)
    monkeypatch.setattr(crew, "_TOGETHER", 20_000)
    monkeypatch.setattr(judgments, "_ROWS", 70)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("lines", [False, True])
def test_the_parts_are_the_same_however_many_processes_read(tmp_path: Path, lines: bool) -> None:
    tasks = plainly("buckets", 150)
    tasks[70]["annotations"][0]["result"] = [None]
    found = []
    for helpers in (0, 1, 2):
        (tmp_path / str(helpers)).mkdir()
        found.append(read(tasks, tmp_path / str(helpers), lines=lines, helpers=helpers))
    assert found[0] == found[1] == found[2]
    assert found[0][0].new == 150  # type: ignore[attr-defined]
    assert len(found[0][2]) == 7


@pytest.mark.usefixtures("small")
def test_what_a_helper_dies_of_is_read_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "_START", "import sys; sys.stdin.buffer.read(9); raise SystemExit(3)")
    pulled, _, _ = read(plainly("buckets", 150), tmp_path, helpers=2)
    assert pulled == Pulled(new=150)


@pytest.mark.usefixtures("small")
def test_of_a_file_that_ends_too_early_what_came_before_is_read(tmp_path: Path) -> None:
    tasks = plainly("buckets", 60)
    path, table = tmp_path / "export.json", Table(tmp_path / "judgments" / "7")
    path.write_text(json.dumps(tasks)[:-20])
    with pytest.raises(Unreadable, match="cut off"):
        export_file.pull(path, PROJECT, table, {RULES.hash: RULES}.get, "key", helpers=1)
    assert {j.annotation_id for j in table.current()} >= set(range(1, 55))


READ = """
import sys, time
from pathlib import Path
from asked import RULES
from sync import crew
told = crew.told(Path(sys.argv[1]), 7, {RULES.hash: RULES}.get, heads=False, helpers=2)
next(told)
print("begun", flush=True)
time.sleep(60)
"""


def children(pid: int) -> list[int]:
    found = [path / "stat" for path in Path("/proc").iterdir() if path.name.isdigit()]
    stats = [[*path.read_text().rpartition(")")[2].split(), path.parent.name] for path in found if path.exists()]
    return [int(one[-1]) for one in stats if int(one[1]) == pid]


def test_helpers_end_with_the_process_that_they_help(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    path.write_text(json.dumps(plainly("buckets", 50)))
    paths = os.pathsep.join(sys.path)
    with subprocess.Popen(
        [sys.executable, "-c", READ, str(path)], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": paths}
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"begun\n"
        helpers = children(process.pid)
        process.kill()
    assert len(helpers) == 2
    for _ in range(200):
        if not any(Path(f"/proc/{pid}").exists() for pid in helpers):
            return
        time.sleep(0.05)
    raise AssertionError("helpers live on")
