"""Revisions, earlier states, merged parts, and what is erased from all of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from sync_world import GRADES, RULES, grade, make_workspace, pool
from task_server import World, client_within

from label_configs.errors import Mendable
from label_configs.records import Judgment
from ls_retrieval import forget
from ml_backend.vectors import VectorStore, key
from store import forgotten, parts, pools, times
from store.forgotten import Forgotten
from store.judgments import FORGOTTEN, Table
from store.media import Media
from store.settings import Project
from store.workspace import Workspace
from sync import pull
from sync.pull import pseudonym

NOON, ONE, TWO, THREE = (f"2026-03-01T{hour}:00:00.000000Z" for hour in (12, 13, 14, 15))


def said(annotation: int, value: str, at: str, doc_id: str = "d1", **more: Any) -> Judgment:
    return grade("q1", doc_id, value, annotation_id=annotation, updated_at=at, **more)


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path / "judgments" / "7")


def values(table: Table, as_of: str | None = None) -> dict[int, str]:
    return {j.annotation_id: j.value for j in table.current(as_of)}


def history(table: Table) -> list[dict[str, Any]]:
    return [row for path in sorted(table.folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


# earlier states


def test_a_state_is_what_was_known_at_that_time(table: Table) -> None:
    known = table.known()
    table.append([said(1, "3", NOON), said(2, "2", ONE)], known)
    table.append([said(1, "0", TWO)], known)
    table.append([said(2, "deleted", THREE)], known, deleted=True)
    assert values(table, "2026-03-01T11:59:59") == {}
    assert values(table, NOON) == {1: "3"}
    assert values(table, ONE) == {1: "3", 2: "2"}
    assert values(table, TWO) == {1: "0", 2: "2"}
    assert values(table, THREE) == values(table) == {1: "0"}
    assert values(table, "2026-03-02") == {1: "0"}
    assert values(table, "2026-03-01T14:30:00+01:00") == {1: "3", 2: "2"}


def test_what_comes_late_changes_no_state_that_was_there_before(table: Table) -> None:
    known = table.known()
    table.append([said(1, "3", TWO)], known)
    then, name = table.standing(), table.latest()
    table.append([said(2, "1", NOON)], known)  # made before, read after
    assert name == TWO
    assert table.standing(name).equals(then)
    assert values(table, table.latest()) == {1: "3", 2: "1"}
    assert table.latest() == times.after(TWO)


def test_within_one_pull_every_row_stands_since_it_was_made(table: Table) -> None:
    with table.writing() as writer:
        writer.add([said(1, "3", TWO)])
        writer.flush()
        writer.add([said(2, "1", NOON)])
    assert values(table, NOON) == {2: "1"}


def test_a_time_that_is_none_says_how_to_write_one(table: Table) -> None:
    with pytest.raises(Mendable, match="'yesterday' is no time") as refused:
        table.current("yesterday")
    assert "2026-11-25" in refused.value.mend


@pytest.mark.parametrize(
    ("text", "stamp"),
    [
        ("2026-03-01", "2026-03-01T00:00:00.000000Z"),
        ("2026-03-01T12:00:00Z", NOON),
        ("2026-03-01T13:00:00.000000+01:00", NOON),
        ("2026-03-01 12:00", NOON),
    ],
)
def test_times_are_written_one_way(text: str, stamp: str) -> None:
    assert times.given(text) == stamp


def test_the_end_of_time_has_no_next_microsecond(table: Table) -> None:
    end = "9999-12-31T23:59:59.999999Z"
    assert times.after(end) == end
    for value in "12":
        table.append([said(1, value, end)], table.known())
    assert values(table) == {1: "2"}


# merged parts


def test_many_small_parts_become_one_with_the_same_rows(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_MANY", 4)
    for n in range(9):
        with table.writing() as writer:
            writer.add([said(1 + n % 2, str(n), times.stamp(f"2026-03-01T12:00:{n:02d}Z"))])
    assert sorted(path.name for path in table.folder.glob("*.parquet")) == [
        "000001-000007.parquet",
        "000008-000008.parquet",
        "000009-000009.parquet",
    ]
    assert [row["value"] for row in history(table)] == [str(n) for n in range(9)]
    assert values(table) == {1: "8", 2: "7"}


def test_killed_between_merging_and_sweeping_every_row_counts_once(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_MANY", 2)
    table.append([said(1, "1", NOON)], table.known())
    first = (table.folder / "000001-000001.parquet").read_bytes()
    with table.writing() as writer:
        writer.add([said(2, "2", ONE)])
    (table.folder / "000001-000001.parquet").write_bytes(first)
    assert [part.path.name for part in table.parts.listed()] == ["000001-000002.parquet"]
    assert values(table) == {1: "1", 2: "2"}
    with table.writing():
        pass
    assert len(list(table.folder.glob("*.parquet"))) == 1


# what is erased


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path / "w")


def everything(root: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file())


def test_an_annotator_is_erased_from_all_of_history(workspace: Workspace) -> None:
    table = Table(workspace.judgments / "7")
    ada, known = pseudonym("test key", 1), table.known()
    table.append([said(90, "3", NOON, annotator=ada), said(90, "2", NOON, "d2", annotator=ada)], known)
    table.append([said(90, "1", ONE, annotator=ada)], known)
    others = [j for j in table.current() if j.annotator != ada]
    assert "judgments of project 7: 3 rows" in list(forget.annotator(workspace, "1", dry_run=True))
    assert len(table.current()) == len(others) + 1
    lines = list(forget.annotator(workspace, "1"))
    assert "judgments of project 7: 3 rows" in lines
    assert "sync --prune" in lines[-1]
    assert table.current() == others
    assert ada not in {row["annotator"] for row in history(table)}
    bare = [row for row in history(table) if row["annotation_id"] == 90]
    assert [(row["revision"], row["value"], row["deleted"]) for row in bare] == [
        (1, FORGOTTEN, True),
        (2, FORGOTTEN, True),
    ]
    assert next(iter(forget.annotator(workspace, ada))) == "judgments of project 7: 0 rows"


def test_an_item_that_nothing_tells_of_is_taken_for_a_slip(workspace: Workspace) -> None:
    with pytest.raises(Mendable, match="Nothing here tells of an item 'd33'"):
        list(forget.item(workspace, "d33"))
    assert not list(workspace.judgments.glob("*forgotten*"))


def test_an_item_goes_from_the_pools_of_every_project(workspace: Workspace) -> None:
    pools.append(
        workspace.pools / "9", [pool("q1", [("d3", "candidate", "dense", 1.0), ("d4", "control", "gold", 1.0)])]
    )
    assert "pools: 5 rows" in list(forget.item(workspace, "d3"))
    (left,) = pools.load(workspace.pools / "9").values()
    assert [c.doc_id for c in left.candidates] == ["d4"]


def test_an_item_is_erased_from_judgments_pools_media_and_vectors(workspace: Workspace) -> None:
    media = Media(workspace.root, workspace.settings.media)
    items = {item.doc_id: item for item in workspace.read_items().records}
    thumbs = {doc_id: media.thumbnail(item) for doc_id, item in items.items()}
    stored = VectorStore(workspace.embeddings / "f")
    keys = {doc_id: key(item.modality, media.content(item)) for doc_id, item in items.items()}
    with stored.writing():
        stored.add(list(keys.values()), np.eye(len(keys), dtype=np.float32))
    (workspace.exports / "trec").mkdir(parents=True)
    made = pools.newest(workspace.pools)
    lines = list(forget.item(workspace, "d3"))
    assert pools.newest(workspace.pools) == made  # and as of which time is not forgotten
    gone = sum(doc_id == "d3" for _, doc_id in GRADES) * 2
    assert lines[:5] == [
        f"judgments of project 7: {gone} rows",
        "pools: 4 rows",
        "media: 1 files below media/thumbs and media/cache",
        "embeddings: 1 vectors",
        "exports: trec",
    ]
    for folder in (workspace.judgments, workspace.pools):
        for path in folder.rglob("*.parquet"):
            assert "d3" not in {row.get("doc_id") for row in pq.read_table(path).to_pylist()}
    assert not thumbs["d3"].exists()
    assert all(path.exists() for doc_id, path in thumbs.items() if doc_id != "d3")
    again = VectorStore(workspace.embeddings / "f")
    assert [doc_id for doc_id, k in keys.items() if k in again] == [doc_id for doc_id in keys if doc_id != "d3"]
    assert again.get([keys["d4"]])[0].tolist() == [0, 0, 0, 1, 0, 0]
    assert len(Table(workspace.judgments / "7").current()) == 2 * len(GRADES) - gone


def test_an_item_may_be_erased_for_one_query_alone(workspace: Workspace) -> None:
    assert list(forget.item(workspace, "d2", "q1"))[:2] == ["judgments of project 7: 2 rows", "pools: 2 rows"]
    left = {(j.query_id, j.doc_id) for j in Table(workspace.judgments / "7").current()}
    assert left == GRADES.keys() - {("q1", "d2")}


def test_a_dry_run_touches_nothing(workspace: Workspace) -> None:
    before = everything(workspace.root)
    list(forget.item(workspace, "d3", dry_run=True))
    list(forget.annotator(workspace, "1", dry_run=True))
    assert everything(workspace.root) == before


@contextmanager
def pulling(world: World, table: Table) -> Iterator[pull.Pulled]:
    with client_within(world) as client:
        yield pull.pull(client, Project(id=7), table, {RULES.hash: RULES}.get, "test key")


def test_what_was_erased_does_not_come_back_and_costs_no_pull_more(tmp_path: Path) -> None:
    workspace, world = make_workspace(tmp_path / "w", labelled=False), World()
    table = Table(workspace.judgments / "7")
    first, second = world.add("q1"), world.add("q2")
    by_ada = world.annotate(first, "310", user=1)
    world.annotate(first, "300", user=2)
    world.annotate(second, "3", user=2)
    with pulling(world, table) as pulled:
        assert pulled.new == 3
    list(forget.annotator(workspace, "1"))
    list(forget.item(workspace, "d1"))
    assert [(j.annotation_id, j.doc_id) for j in table.current()] == [(by_ada + 1, "d2"), (by_ada + 1, "d3")]
    world.edit(first, by_ada, "333")
    world.annotate(second, "12", user=1)
    world.annotate(second, "11", user=3)
    with pulling(world, table) as pulled:
        assert (pulled.new, pulled.edited) == (1, 0)
    assert {(j.annotator, j.doc_id) for j in table.current()} == {
        (pseudonym("test key", 2), "d2"),
        (pseudonym("test key", 2), "d3"),
        (pseudonym("test key", 3), "d2"),
    }
    world.asked.clear()
    with pulling(world, table):
        assert len(world.asked) == 2
    (table.folder / "state.json").unlink()
    with pulling(world, table) as pulled:
        assert (pulled.new, pulled.edited) == (0, 0)


def test_the_list_of_what_was_erased_names_nothing(tmp_path: Path) -> None:
    made = Forgotten("key").with_annotator(pseudonym("key", 1)).with_item("secret-doc").with_item("other", "a query")
    forgotten.save(tmp_path, made)
    content = (tmp_path / "forgotten.json").read_text()
    assert not any(word in content for word in ("secret", "other", "query"))
    assert forgotten.load(tmp_path, "key") == made
    assert (made.holds("secret-doc", "any"), made.holds("other", "a query"), made.holds("other", "b")) == (
        True,
        True,
        False,
    )
    assert not replace(made, key="another").holds("secret-doc", "any")
