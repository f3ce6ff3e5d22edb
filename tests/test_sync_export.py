"""Exports and storages of Label Studio, read into the table: as the API gives them, or refused with the reason."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from obstore.store import ObjectStore
from sync_world import RULES, make_workspace
from task_server import World, client_within

from label_configs.errors import Mendable, Unreadable
from ls_retrieval.cli import app
from store.judgments import Table
from store.settings import Project
from sync import export_file, export_storage, pull
from sync.pull import Pulled

PROJECT = Project(id=7, candidates="text")
Read = Callable[[object], Pulled]


@pytest.fixture
def world() -> World:
    """Three tasks: answered twice, skipped, unanswered."""
    world = World()
    twice, skipped, _ = (world.add(f"q{n}") for n in range(3))
    world.annotate(twice, "310", user=1)
    world.annotate(twice, "300", user=2)
    world.annotate(skipped, "", was_cancelled=True)
    return world


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path / "judgments" / "7")


@pytest.fixture
def read(tmp_path: Path, table: Table) -> Read:
    def read(content: object, into: Table = table) -> Pulled:
        path = tmp_path / "export.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
        return export_file.pull(path, PROJECT, into, {RULES.hash: RULES}.get, "key")

    return read


def by_api(world: World, table: Table) -> Pulled:
    with client_within(world) as client:
        return pull.pull(client, PROJECT, table, {RULES.hash: RULES}.get, "key")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.parquet")}


# export files


def test_an_export_gives_the_same_judgments_as_the_api(world: World, read: Read, table: Table, tmp_path: Path) -> None:
    assert read(world.export()) == Pulled(new=3)
    api = Table(tmp_path / "api" / "7")
    by_api(world, api)
    assert table.current() == api.current() != []
    assert table.cursor() is None


def test_a_list_and_lines_are_read_alike_and_again_adds_nothing(world: World, read: Read, table: Table) -> None:
    read(world.export())
    before = contents(table.folder)
    assert read(world.export()) == Pulled(unchanged=3)
    assert read("".join(json.dumps(row) + "\n" for row in world.export())) == Pulled(unchanged=3)
    assert contents(table.folder) == before


def test_api_and_export_take_turns_without_doubling(world: World, read: Read, table: Table) -> None:
    by_api(world, table)
    assert read(world.export()) == Pulled(unchanged=3)
    world.edit(1, 4, "000")
    assert read(world.export()).edited == 1
    assert by_api(world, table).edited == 0


def test_an_export_that_is_older_than_the_table_takes_nothing_back(world: World, read: Read, table: Table) -> None:
    old = deepcopy(world.export())
    by_api(world, table)
    world.edit(1, 4, "000")
    world.delete(1, 5)
    world.annotate(3, "222")
    by_api(world, table)
    before = table.current()
    assert read(old) == Pulled(unchanged=3)
    assert table.current() == before


def test_what_only_an_old_export_still_had_goes_with_the_next_pull_from_the_api(
    world: World, read: Read, table: Table
) -> None:
    old = deepcopy(world.export())
    world.delete(1, 5)
    by_api(world, table)
    assert read(old).new == 1
    assert by_api(world, table).deleted == 1
    assert {j.annotation_id for j in table.current()} == {4, 6}


def test_an_annotation_is_deleted_where_its_task_lists_all_and_not_where_some_were_left_out(
    world: World, read: Read, table: Table
) -> None:
    read(world.export())
    world.touch(1)
    whole = world.export()
    filtered = [{**row, "annotations": row["annotations"][:1]} for row in whole]
    assert read(filtered).deleted == 0
    world.delete(1, 5)
    assert read(world.export()).deleted == 1
    assert {j.annotation_id for j in table.current()} == {4, 6}
    assert read([]) == Pulled()


def test_users_as_records_are_the_same_annotators(world: World, read: Read, table: Table) -> None:
    read(world.export())
    named = {j.annotation_id: j.annotator for j in table.current()}
    table.folder.rename(table.folder.with_name("other"))
    rows = world.export()
    for row in rows:
        for one in row["annotations"]:
            one["completed_by"] = {"id": one["completed_by"], "email": "x@example.org", "first_name": "X"}
    read(rows)
    assert {j.annotation_id: j.annotator for j in table.current()} == named


@pytest.mark.parametrize("odd", [None, 5, "task", [], {}, {"id": 9, "annotations": [{"id": 9}]}])
def test_what_is_no_task_is_named_and_the_rest_goes_on(world: World, read: Read, table: Table, odd: object) -> None:
    pulled = read([odd, *world.export()])
    assert pulled.new == 3
    assert len(pulled.problems) == (odd != {})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", None),
        ("id", "x"),
        ("id", True),
        ("id", -1),
        ("id", 2**63),
        ("updated_at", None),
        ("updated_at", "lately"),
        ("updated_at", 5),
        ("result", "x"),
        ("result", [None]),
        ("completed_by", {"id": [1]}),
        ("lead_time", "long"),
    ],
)
def test_an_annotation_of_any_shape_is_read_or_named(
    world: World, read: Read, table: Table, name: str, value: object
) -> None:
    rows = world.export()
    rows[0]["annotations"][0][name] = value
    pulled = read(rows)
    assert pulled.new == 3 or (pulled.new == 2 and len(pulled.problems) == 1)
    assert all("project 7, task 1" in problem for problem in pulled.problems)


@pytest.mark.parametrize("annotations", [None, "x", {"a": 1}, [None], [[]], 7])
def test_annotations_of_any_shape_are_read_or_named(
    world: World, read: Read, table: Table, annotations: object
) -> None:
    pulled = read([{**world.export()[0], "annotations": annotations}])
    assert pulled.new == 0
    assert len(pulled.problems) == (annotations is not None)


def test_json_min_is_refused_with_the_reason(read: Read, table: Table) -> None:
    row = {"id": 1, "query": "red", "annotator": 1, "annotation_id": 4, "lead_time": 3.0, "updated_at": "2026-01-01"}
    with pytest.raises(Unreadable, match="JSON_MIN") as refused:
        read([row])
    assert "drops the answers of repeated controls" in refused.value.why
    assert not contents(table.folder)


def test_csv_is_refused_with_the_reason(read: Read) -> None:
    with pytest.raises(Unreadable, match="CSV") as refused:
        read("annotation_id,annotator,rel_0\n4,1,3\n")
    assert refused.value.mend == 'Export the project as "JSON".'


def test_an_export_of_another_project_is_refused(world: World, read: Read, table: Table) -> None:
    with pytest.raises(Unreadable, match="is of the project 8, and this is project 7"):
        read([{**world.export()[0], "project": 8}])
    assert not contents(table.folder)


def test_of_an_export_that_is_cut_off_what_came_before_is_read(world: World, read: Read, table: Table) -> None:
    whole = json.dumps(world.export())
    with pytest.raises(Unreadable, match="cut off"):
        read(whole[:-20])
    assert read(whole).new + len({j.annotation_id for j in table.current()}) >= 3
    assert {j.annotation_id for j in table.current()} == {4, 5, 6}


# export storages


def objects(world: World) -> dict[str, dict[str, Any]]:
    """What Label Studio's export storage writes: one object an annotation, its task inside."""
    found = {}
    for row in world.export():
        task = {name: value for name, value in row.items() if name != "annotations"}
        for one in row["annotations"]:
            user = {"id": one["completed_by"], "email": "x@example.org"}
            found[str(one["id"])] = {**one, "completed_by": user, "task": task, "project": 7}
    return found


def store(folder: Path, named: dict[str, dict[str, Any]]) -> None:
    folder.mkdir(exist_ok=True)
    for name, one in named.items():
        (folder / name).write_text(json.dumps(one), "utf-8")


def from_storage(url: object, table: Table) -> Pulled:
    return export_storage.pull(str(url), PROJECT, table, {RULES.hash: RULES}.get, "key")


def test_a_storage_gives_the_same_judgments_as_the_api(world: World, table: Table, tmp_path: Path) -> None:
    store(tmp_path / "out", objects(world))
    assert from_storage(tmp_path / "out", table) == Pulled(new=3)
    api = Table(tmp_path / "api" / "7")
    by_api(world, api)
    assert table.current() == api.current()


def test_of_a_storage_only_what_changed_is_read_again(world: World, table: Table, tmp_path: Path) -> None:
    store(tmp_path / "out", objects(world))
    from_storage(tmp_path / "out", table)
    assert from_storage(tmp_path / "out", table) == Pulled()
    world.edit(1, 4, "000")
    store(tmp_path / "out", {"4": objects(world)["4"]})
    assert from_storage(tmp_path / "out", table) == Pulled(edited=1)


def test_a_storage_may_hold_tasks_and_what_is_neither_is_named(world: World, table: Table, tmp_path: Path) -> None:
    store(tmp_path / "out", {f"{row['id']}.json": row for row in world.export()})
    (tmp_path / "out" / "notes.txt").write_text("hello")
    (tmp_path / "out" / "other.json").write_text(json.dumps({**world.export()[0], "project": 8}))
    pulled = from_storage(tmp_path / "out", table)
    assert pulled.new == 3
    reasons = [problem.split(": ")[1][:20] for problem in pulled.problems]
    assert reasons == ["it is no JSON", "it is of the project"]


def test_a_storage_in_a_bucket_is_read_like_a_folder(world: World, table: Table, bucket: ObjectStore) -> None:
    for name, one in objects(world).items():
        bucket.put(f"answers/{name}", json.dumps(one).encode())
    assert from_storage("s3://media/answers", table) == Pulled(new=3)
    assert from_storage("s3://media/answers", table) == Pulled()


def test_a_storage_that_cannot_be_read_says_so(table: Table, bucket: ObjectStore) -> None:
    with pytest.raises(Mendable, match="s3://nowhere/answers cannot be read"):
        from_storage("s3://nowhere/answers", table)


def test_the_table_never_holds_an_address(world: World, read: Read, table: Table) -> None:
    rows = world.export()
    rows[0]["annotations"][0]["completed_by"] = {"id": 1, "email": "ada@example.org"}
    read(rows)
    told = [row for path in table.folder.glob("*.parquet") for row in pq.read_table(path).to_pylist()]
    assert not any("@" in str(value) for row in told for value in row.values())


# the command


def test_the_command_reads_exports_and_storages_and_forgets(world: World, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    workspace, export = make_workspace(tmp_path / "w", labelled=False), tmp_path / "export.json"
    export.write_text(json.dumps(world.export()), "utf-8")
    store(tmp_path / "out", objects(world))

    def run(*words: object) -> str:
        done = CliRunner().invoke(app, [*map(str, words), "--workspace", str(workspace.root)])
        assert done.exit_code == 0, done.output
        return done.stdout

    counted = "{} new answers, 0 edited, 0 deleted, {} as they were; 0 unreadable; 3 held in all\n"
    assert run("pull", "--from-export", export) == counted.format(3, 0)
    assert run("pull", "--from-storage", tmp_path / "out") == counted.format(0, 3)
    assert "would touch judgments of project 7: 3 rows\n" in run("forget", "--annotator", 2, "--dry-run")
    assert "judgments of project 7: 3 rows\n" in run("forget", "--annotator", 2)
    assert {j.annotation_id for j in Table(workspace.judgments / "7").current()} == {4, 6}
    assert CliRunner().invoke(app, ["forget", "--workspace", str(workspace.root)]).exit_code == 2
    both = ["pull", "--from-export", str(export), "--from-storage", "x", "--workspace", str(workspace.root)]
    assert CliRunner().invoke(app, both).exit_code == 2
