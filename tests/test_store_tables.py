"""Columns, pools and judgments: parts are only ever added, and what stands is read from all of them."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from label_configs.records import Candidate, Item, Judgment, Modality, Pool, Query, ScoredDoc
from store import columns, judgments, pools
from store.judgments import Known, Table, Writer
from store.pools import Fitting
from store.settings import Project

SCHEMA = pa.schema([("id", pa.string()), ("n", pa.int64())])
POOL = Pool(
    query_id="q1",
    candidates=(
        Candidate(doc_id="b", source="dense", score=0.25, rank=1, reason="near"),
        Candidate(doc_id="a", source="gold", role="control", score=-1.5),
        Candidate(doc_id="c", source="audit:near", role="audit", drawn=1, drawn_from=40),
    ),
    encoder="e1",
    index="i1",
    seed=7,
    folded=(Candidate(doc_id="b2", source="near-duplicate", twin="b"),),
)
GRADE = Judgment(
    kind="grade",
    project=7,
    task_id=42,
    annotation_id=9,
    updated_at="2026-11-22T10:00:00.000000Z",
    query_id="q1",
    doc_id="a",
    value="0",
    annotator="ann",
    rules_hash="r",
    pool_id="p",
    form="graded",
    round=1,
    position=0,
)
FULL = replace(
    GRADE,
    annotation_id=10,
    other_doc_id="b",
    rank=0,
    start=0.0,
    end=1.5,
    reasons=("colour", "größe"),
    flags=("unsure",),
    side="left",
    lead_time=0.0,
    origin="prediction",
    untouched=True,
)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path / "judgments" / "7")


# --- columns


def test_no_parts_are_an_empty_table_of_the_schema(tmp_path: Path) -> None:
    empty = columns.read([], SCHEMA)
    assert (empty.num_rows, empty.schema) == (0, SCHEMA)


def test_parts_are_read_in_the_order_given(tmp_path: Path) -> None:
    for name in "ab":
        columns.write(columns.table([{"id": name, "n": 1, "unknown": 2}], SCHEMA), tmp_path / name)
    assert columns.read([tmp_path / "b", tmp_path / "a"], SCHEMA)["id"].to_pylist() == ["b", "a"]


def test_a_row_that_lacks_a_field_is_an_error() -> None:
    with pytest.raises(KeyError, match="n"):
        columns.table([{"id": "a"}], SCHEMA)


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        columns.write(columns.table([{"id": "x", "n": None}], SCHEMA), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


# --- pools


def test_without_pools_nothing_is_written_and_nothing_found(tmp_path: Path) -> None:
    pools.append(tmp_path / "pools", [])
    assert not (tmp_path / "pools").exists()
    assert (pools.load(tmp_path / "pools"), pools.run(tmp_path / "pools")) == ({}, [])


def test_pools_come_back_whole_and_in_display_order(tmp_path: Path) -> None:
    other = replace(POOL, query_id="q2", candidates=POOL.candidates[::-1])
    pools.append(tmp_path, [POOL, other])
    assert pools.load(tmp_path) == {POOL.pool_id: POOL, other.pool_id: other}


def test_writing_the_same_pools_again_changes_no_byte(tmp_path: Path) -> None:
    pools.append(tmp_path, [POOL])
    before = contents(tmp_path)
    pools.append(tmp_path, [POOL])
    assert len(before) == 1
    assert contents(tmp_path) == before


def test_a_new_round_is_a_new_part_and_becomes_the_latest(tmp_path: Path) -> None:
    again = replace(POOL, round=2)
    alone = replace(POOL, query_id="q2")
    pools.append(tmp_path, [again])
    pools.append(tmp_path, [POOL, alone])
    found = pools.load(tmp_path)
    assert list(found.values()) == [POOL, alone, again]
    assert list(pools.each(tmp_path)) == [POOL, alone, again]


def test_pools_of_several_rounds_are_written_at_once_each_with_its_run(tmp_path: Path) -> None:
    again = replace(POOL, query_id="q2", round=2)
    pools.append(tmp_path, [again, POOL], [ScoredDoc("q1", "a", 0.5), ScoredDoc("q2", "b", 0.25)])
    assert list(pools.load(tmp_path).values()) == [POOL, again]
    assert [path.name[:4] for path in sorted((tmp_path / "runs").iterdir())] == ["0001", "0002"]


def fitting(*there: str, query: str = "q1", modality: Modality = "image") -> Fitting:
    items = [Item(doc_id=doc_id, modality=modality) for doc_id in there]
    return pools.fitting(Project(id=1), [Query(query_id=query, text="red")], items)


def test_a_query_is_known_by_its_last_round_and_by_all_that_was_named(tmp_path: Path) -> None:
    fits = fitting("a", "b", "c", "d")
    assert pools.rounds(tmp_path, fits) == {}
    later = replace(POOL, round=2, index="i2", candidates=(Candidate(doc_id="d", source="dense"),), folded=())
    pools.append(tmp_path, [later, POOL])
    assert pools.rounds(tmp_path, fits) == {"q1": pools.Rounds(2, "i2", frozenset({"a", "b", "b2", "c", "d"}))}
    assert pools.rounds(tmp_path, fitting("a", query="another")) == {}


def test_every_round_is_put_before_people_and_of_each_what_was_written_last() -> None:
    """A round is written again where it is arranged anew for display."""
    second = replace(POOL, round=2)
    arranged = replace(POOL, candidates=POOL.candidates[::-1])
    assert pools.latest([POOL, second, arranged], fitting("a", "b", "c")) == [arranged, second]


def test_what_was_withdrawn_is_not_put_before_people() -> None:
    (left,) = pools.latest([POOL], fitting("a", "c", "another"))
    assert [c.doc_id for c in left.candidates] == ["a", "c"]
    assert left.pool_id != POOL.pool_id
    assert pools.latest([POOL], fitting("another")) == []


def test_items_are_remembered_by_name_as_they_were_first(tmp_path: Path) -> None:
    assert pools.remembered(tmp_path, "v1") == frozenset()
    pools.remember(tmp_path, "v1", ["b", "a"])
    pools.remember(tmp_path, "v1", ["c"])
    pools.remember(tmp_path, "v2", [])
    assert pools.remembered(tmp_path, "v1") == {"a", "b"}
    assert pools.remembered(tmp_path, "v2") == frozenset()
    assert (pools.load(tmp_path), pools.run(tmp_path)) == ({}, [])


def test_a_pool_that_is_known_keeps_what_was_known_of_it(tmp_path: Path) -> None:
    later = replace(POOL, index="another", candidates=tuple(replace(c, score=0.0) for c in POOL.candidates))
    assert later.pool_id == POOL.pool_id
    for companions in ([], *([replace(POOL, query_id=f"q{n}")] for n in range(9))):
        pools.append(tmp_path, [POOL, *companions])
        pools.append(tmp_path, [later, *companions])
        pools.append(tmp_path, [later])
        assert pools.load(tmp_path)[POOL.pool_id] == POOL


def test_a_run_is_of_each_query_the_one_written_last_in_the_highest_round(tmp_path: Path) -> None:
    first = [ScoredDoc("q1", "a", 0.5), ScoredDoc("q1", "b", 0.25), ScoredDoc("q2", "a", 1.0)]
    second = [ScoredDoc("q1", "c", 0.75)]
    pools.append(tmp_path, [replace(POOL, round=2)], second)
    pools.append(tmp_path, [POOL], first)
    assert pools.run(tmp_path) == [*second, ScoredDoc("q2", "a", 1.0)]
    for n in range(9):
        last = [ScoredDoc("q2", f"d{n}", 1.0)]
        pools.append(tmp_path, [replace(POOL, query_id="q2", seed=n)], last)
        assert pools.run(tmp_path) == [*second, *last]


def test_who_dies_between_run_and_pools_leaves_no_pool_without_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, write = [ScoredDoc("q1", "a", 0.5)], columns.write

    def dies(data: pa.Table, path: Path) -> None:
        write(data, path)
        raise KeyboardInterrupt

    monkeypatch.setattr(columns, "write", dies)
    with pytest.raises(KeyboardInterrupt):
        pools.append(tmp_path, [POOL], run)
    assert (pools.load(tmp_path), pools.run(tmp_path)) == ({}, run)
    monkeypatch.undo()
    pools.append(tmp_path, [POOL], run)
    assert (pools.load(tmp_path), pools.run(tmp_path)) == ({POOL.pool_id: POOL}, run)


def test_pools_and_runs_of_other_modalities_are_those_of_other_projects(tmp_path: Path) -> None:
    queries = [Query(query_id="q1", text="red"), Query(query_id="q2", modality="image", uri="x.png")]
    pictures, words = POOL, replace(POOL, candidates=(Candidate(doc_id="word", source="dense"),))
    items = [Item(doc_id=c.doc_id, modality="image") for c in POOL.candidates] + [Item(doc_id="word", text="red")]
    alike = replace(POOL, query_id="q2")
    top = POOL.candidates[0].doc_id
    pools.append(tmp_path, [pictures, alike], [ScoredDoc("q1", top, 1.0), ScoredDoc("q2", top, 1.0)])
    pools.append(tmp_path, [words], [ScoredDoc("q1", "word", 2.0)])
    for project, pool, hit in (
        (Project(id=1, query="text", candidates="image"), pictures, ScoredDoc("q1", top, 1.0)),
        (Project(id=2, query="text", candidates="text"), words, ScoredDoc("q1", "word", 2.0)),
        (Project(id=3, query="image", candidates="image"), alike, ScoredDoc("q2", top, 1.0)),
    ):
        fits = pools.fitting(project, queries, items)
        assert pools.latest(pools.load(tmp_path).values(), fits) == [pool]
        assert pools.run(tmp_path, fits) == [hit]


# --- judgments


def test_a_table_that_was_never_written_is_empty(table: Table) -> None:
    table.append([], {})
    assert (table.known(), table.current(), table.cursor()) == ({}, [], None)
    assert not table.folder.exists()


def test_judgments_come_back_as_they_were_with_nothing_and_with_everything_set(table: Table) -> None:
    table.append([GRADE, FULL], {})
    assert table.current() == [GRADE, FULL]


def test_an_edit_is_a_new_revision_that_replaces_every_row_of_its_annotation(table: Table) -> None:
    second = replace(GRADE, doc_id="b", position=1)
    edited = replace(GRADE, value="3", updated_at="2026-11-22T11:00:00.000000Z")
    known = table.known()
    table.append([GRADE, second, FULL], known)
    table.append([edited], known)
    assert table.current() == [edited, FULL]
    assert table.known() == known
    assert known[9] == Known(
        task_id=42, updated_at="2026-11-22T11:00:00.000000Z", revision=2, deleted=False, there=True
    )
    assert known[10].revision == 1


def test_a_deletion_is_a_revision_that_leaves_nothing_standing(table: Table) -> None:
    known = table.known()
    table.append([GRADE, FULL], known)
    table.append([replace(GRADE, value="deleted", kind="flag")], known, deleted=True)
    assert table.current() == [FULL]
    assert (known[9].revision, known[9].deleted) == (2, True)
    assert table.known() == known


def test_an_annotation_that_comes_back_after_its_deletion_stands_again(table: Table) -> None:
    known = table.known()
    for deleted in (False, True, False):
        table.append([GRADE], known, deleted=deleted)
    assert table.current() == [GRADE]
    assert (known[9].revision, known[9].deleted) == (3, False)


def test_parts_that_are_there_are_never_written_again(table: Table) -> None:
    known = table.known()
    table.append([GRADE], known)
    before = contents(table.folder)
    table.append([FULL], known)
    after = contents(table.folder)
    assert sorted(after) == ["000001-000001.parquet", "000002-000002.parquet"]
    assert after["000001-000001.parquet"] == before["000001-000001.parquet"]


def test_the_order_of_revisions_holds_past_the_tenth_part(table: Table) -> None:
    known = table.known()
    for n in range(12):
        table.append([replace(GRADE, value=str(n))], known)
    assert [j.value for j in table.current()] == ["11"]
    assert table.known()[9].revision == 12


def test_after_a_part_that_could_not_be_written_nothing_is(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judgments, "_ROWS", 1)
    writer = Writer(table, {})
    table.folder.parent.mkdir(parents=True)
    table.folder.write_text("a file where the folder belongs")
    writer.add([GRADE])
    with pytest.raises(OSError, match=r"exists|directory"):
        writer.flush()
    table.folder.unlink()
    writer.bookmark("2026-11-22T10:00:00.000000Z")
    for _ in range(2):
        with pytest.raises(OSError, match=r"exists|directory"):
            writer.flush()
    assert not table.folder.exists()


def test_the_cursor_is_the_last_bookmark(table: Table) -> None:
    table.bookmark("2026-11-22T10:00:00.000000Z")
    table.bookmark("2026-11-22T11:00:00.000000Z")
    assert table.cursor() == "2026-11-22T11:00:00.000000Z"
    assert table.current() == []
