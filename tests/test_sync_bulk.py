"""Tasks read many at a time say what they say one by one: the same parts, byte for byte, the same counts and problems."""

import json
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
from label_configs.forms import READINGS
from store.judgments import Table
from store.settings import Project
from sync import export_file

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
def answers(draw: st.DrawFn, name: str, number: int) -> dict[str, Any]:
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
        given = {"was_cancelled": st.booleans(), "lead_time": st.floats() | st.none(), "id": st.integers(8, 40)}
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
    tasks = [data.draw(answers(name, number)) for number in range(1, data.draw(st.integers(2, 4)))]
    again = deepcopy(tasks)
    for task in again:
        if data.draw(st.booleans()):
            damaged(data, task)
        elif task["annotations"] and data.draw(st.booleans()):
            task["annotations"].pop()
            task["total_annotations"] = len(task["annotations"])
    many, one_by_one = both(tasks, again, lines=lines)
    assert many == one_by_one
