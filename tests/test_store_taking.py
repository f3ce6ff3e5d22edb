"""What teams have already becomes known positives: BEIR, TREC qrels, triplets; and what `export` wrote comes back."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sync_world import COLORS, QUERIES, make_workspace

from label_configs import rules as rules_file
from label_configs.errors import Mendable, Unreadable
from store import files
from store.taking import SOURCES, Taken, take
from store.workspace import Workspace
from sync.dataset import load
from sync.export import export

TRAIN = "[splits]\ndev = 0\ntest = 0\n"
POSITIVES = {"q1": ("d1", "d2", "d4"), "q2": (), "q3": ()}


def fresh(root: Path, *, records: bool = True) -> Workspace:
    """A workspace that nobody has labelled in, with or without corpus and queries."""
    workspace = Workspace(root)
    files.write(workspace.rules_path, rules_file.preset())
    files.write(workspace.settings_path, "")
    if records:
        rows = [{"_id": d, "title": d.upper(), "text": f"It is {color}."} for d, color in COLORS.items()]
        files.write(workspace.corpus, "".join(json.dumps(row) + "\n" for row in rows))
        asked = [{"_id": q, "text": text} for q, text in QUERIES.items()]
        files.write(workspace.queries, "".join(json.dumps(row) + "\n" for row in asked))
    return workspace


def known(workspace: Workspace) -> dict[str, tuple[str, ...]]:
    return {query.query_id: query.positives for query in workspace.read_queries().records}


def beir(folder: Path, *rows: str, split: str = "test") -> Path:
    files.write(folder / "qrels" / f"{split}.tsv", "query-id\tcorpus-id\tscore\n" + "".join(f"{row}\n" for row in rows))
    return folder


def qrels(tmp_path: Path, *rows: str) -> Path:
    files.write(tmp_path / "foreign.qrels", "".join(f"{row}\n" for row in rows))
    return tmp_path / "foreign.qrels"


def problems(taking: Callable[[], Taken]) -> tuple[str, ...]:
    with pytest.raises(Unreadable) as caught:
        taking()
    return caught.value.problems


# round trips


@pytest.mark.parametrize("source", SOURCES)
def test_what_was_exported_comes_back_as_the_same_positives(tmp_path: Path, source: str) -> None:
    judged = load(make_workspace(tmp_path / "w", candidates="text", settings=TRAIN), "main")
    export(judged, [source], tmp_path / "out")
    workspace = fresh(tmp_path / "fresh")
    done = take(workspace, source, tmp_path / "out" / source)
    found = known(workspace)
    assert found == POSITIVES
    assert {(q, d) for q, of in found.items() for d in of} == {
        (q, d) for q, d, grade in judged.qrels if grade in judged.rules.positive
    }
    assert (done.positives, done.queries, done.left_out) == (3, 1, [])


def test_a_beir_folder_brings_its_corpus_and_queries_where_there_are_none(tmp_path: Path) -> None:
    judged = load(make_workspace(tmp_path / "w", settings=TRAIN), "main")
    export(judged, ["beir"], tmp_path / "out")
    workspace = fresh(tmp_path / "fresh", records=False)
    assert take(workspace, "beir", tmp_path / "out" / "beir").copied == ["corpus", "queries"]
    assert known(workspace) == {"q1": POSITIVES["q1"], "q2": ()}
    assert {i.doc_id: (i.modality, i.uri) for i in workspace.read_items().records} == {
        i.doc_id: (i.modality, i.uri) for i in judged.items.values()
    }
    assert take(workspace, "beir", tmp_path / "out" / "beir").copied == []


def test_ids_that_trec_cannot_hold_come_back_by_their_map(tmp_path: Path) -> None:
    workspace = fresh(tmp_path / "w")
    with workspace.queries.open("a") as file:
        file.write('{"_id": "a b", "text": "two words"}\n')
    folder = tmp_path / "trec"
    files.write(folder / "qrels.txt", "a%20b 0 d1 3\n")
    files.write(folder / "ids.tsv", 'a%20b\t"a b"\n')
    take(workspace, "trec", folder)
    assert known(workspace)["a b"] == ("d1",)


# known.tsv


def test_taking_twice_changes_nothing_and_a_later_grade_stands(tmp_path: Path) -> None:
    workspace = fresh(tmp_path / "w")
    take(workspace, "trec", qrels(tmp_path, "q1 0 d1 3", "q1 0 d2 0"))
    first = workspace.known.read_bytes()
    assert first.decode() == "query_id\tdoc_id\tgrade\nq1\td1\t3\nq1\td2\t0\n"
    take(workspace, "trec", qrels(tmp_path, "q1 0 d2 0", "q1 0 d1 3"))
    assert workspace.known.read_bytes() == first
    take(workspace, "trec", qrels(tmp_path, "q1 0 d2 2"))
    assert known(workspace)["q1"] == ("d1", "d2")


def test_what_a_query_names_itself_stays_in_front(tmp_path: Path) -> None:
    workspace = fresh(tmp_path / "w")
    files.write(workspace.queries, '{"_id": "q1", "text": "red", "positives": ["d4", "d1"]}\n')
    take(workspace, "trec", qrels(tmp_path, "q1 0 d2 3", "q1 0 d1 3"))
    assert known(workspace) == {"q1": ("d4", "d1", "d2")}


def test_ids_with_tabs_and_line_breaks_are_kept(tmp_path: Path) -> None:
    workspace = fresh(tmp_path / "w")
    odd = 'a\t"b"\nc'
    files.write(workspace.queries, json.dumps({"_id": odd, "text": "odd"}) + "\n")
    rows = json.dumps({"query_id": odd, "positive_id": "d1"})
    files.write(tmp_path / "odd.jsonl", f"{rows}\n")
    take(workspace, "triplets", tmp_path / "odd.jsonl")
    assert known(workspace) == {odd: ("d1",)}


def test_a_known_file_that_is_wrong_names_every_line(tmp_path: Path) -> None:
    workspace = fresh(tmp_path / "w")
    files.write(workspace.known, "query_id\tdoc_id\tgrade\nq1\td1\t3\nq1\td2\nq1\td3\t7\nq1\td3\t-1\n")
    with pytest.raises(Unreadable) as caught:
        workspace.read_queries()
    assert caught.value.problems == (
        "line 3: it has 2 cells, not 3",
        "line 4: '7' is no grade of the rules: 0, 1, 2, 3",
        "line 5: '-1' is no grade of the rules: 0, 1, 2, 3",
    )


# grades of other scales


@pytest.mark.parametrize(
    ("grades", "positives"),
    [({1: 3}, ("d1",)), ({1: 2, 0: 1}, ("d1",)), ({0: 3, 1: 0}, ("d2",)), ({0: 2, 1: 2}, ("d1", "d2"))],
)
def test_a_scale_of_another_kind_is_translated(
    tmp_path: Path, grades: Mapping[int, int], positives: tuple[str, ...]
) -> None:
    workspace = fresh(tmp_path / "w")
    take(workspace, "beir", beir(tmp_path / "foreign", "q1\td1\t1", "q1\td2\t0"), grades)
    assert known(workspace)["q1"] == positives


def test_a_scale_without_positives_is_asked_about(tmp_path: Path) -> None:
    workspace = fresh(tmp_path / "w")
    with pytest.raises(Mendable, match="its grades are 0: 1, 1: 2; positive are 2, 3") as asked:
        take(workspace, "trec", qrels(tmp_path, "q1 0 d1 1", "q1 0 d2 1", "q2 0 d1 0"))
    assert "--grades 1=3,0=0" in asked.value.mend
    assert not workspace.known.exists()


# what does not fit


def test_all_that_does_not_fit_is_named_at_once_and_nothing_written(tmp_path: Path) -> None:
    rows = ("q1\td1\t3", "q9\td1\t3", "q1\td9\t9", "q1\td1\t2", "q1\td1", "q1\td1\tmuch")
    workspace = fresh(tmp_path / "w")
    assert problems(lambda: take(workspace, "beir", beir(tmp_path / "foreign", *rows))) == (
        "test.tsv, line 3: there is no query 'q9'",
        "test.tsv, line 4: there is no item 'd9'",
        "test.tsv, line 4: 9 is no grade of the rules: 0, 1, 2, 3",
        "test.tsv, line 5: query 'q1' and item 'd1' have another grade in an earlier row",
        "test.tsv, line 6: it has 2 cells, not 3",
        "test.tsv, line 7: 'much' is no grade",
    )
    assert not workspace.known.exists()


def test_as_much_as_settings_allow_is_left_out_and_named(tmp_path: Path) -> None:
    workspace = fresh(tmp_path / "w")
    files.write(workspace.settings_path, "[corpus]\nmax_broken = 0.5\n")
    done = take(workspace, "trec", qrels(tmp_path, "q1 0 d1 3", "q9 0 d1 3"))
    assert done.left_out == ["foreign.qrels, line 2: there is no query 'q9'"]
    assert known(workspace)["q1"] == ("d1",)


def test_a_corpus_that_is_broken_is_not_taken(tmp_path: Path) -> None:
    folder = beir(tmp_path / "foreign", "q1\td1\t3")
    files.write(folder / "corpus.jsonl", '{"_id": "d1"}\n')
    files.write(folder / "queries.jsonl", '{"_id": "q1", "text": "red"}\n')
    workspace = fresh(tmp_path / "w", records=False)
    assert problems(lambda: take(workspace, "beir", folder)) == (
        "corpus.jsonl, line 1: item 'd1' has neither text nor image, audio or video",
    )
    assert not workspace.corpus.exists()
    assert not workspace.known.exists()


@pytest.mark.parametrize("source", SOURCES)
def test_what_is_not_there_is_refused(tmp_path: Path, source: str) -> None:
    workspace = fresh(tmp_path / "w")
    for path in (tmp_path / "none", tmp_path / "w" / "empty"):
        (tmp_path / "w" / "empty").mkdir(exist_ok=True)
        with pytest.raises(Unreadable):
            take(workspace, source, path)


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    workspace = fresh(tmp_path / "w")
    done = take(workspace, "trec", qrels(tmp_path, "q1 0 d1 3"), dry_run=True)
    assert (done.positives, dict(done.grades)) == (1, {3: 1})
    assert not workspace.known.exists()


def test_bytes_that_are_no_text_are_a_row_that_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "foreign.qrels").write_bytes(b"q1 0 d1 3\nq1 0 \xff 3\n")
    (problem,) = problems(lambda: take(fresh(tmp_path / "w"), "trec", tmp_path / "foreign.qrels"))
    assert problem.startswith("foreign.qrels, line 2:")


# triplets of others


def _jsonl(path: Path, rows: list[dict[str, str]]) -> Path:
    files.write(path.with_suffix(".jsonl"), "".join(json.dumps(row) + "\n" for row in rows))
    return path.with_suffix(".jsonl")


def _csv(path: Path, rows: list[dict[str, str]], delimiter: str = ",") -> Path:
    lines = [delimiter.join(rows[0]), *(delimiter.join(row.values()) for row in rows)]
    files.write(path.with_suffix({",": ".csv", "\t": ".tsv"}[delimiter]), "\n".join(lines))
    return path.with_suffix({",": ".csv", "\t": ".tsv"}[delimiter])


def _parquet(path: Path, rows: list[dict[str, str]]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


WRITERS: list[Callable[[Path, list[dict[str, str]]], Path]] = [_jsonl, _csv, lambda p, r: _csv(p, r, "\t"), _parquet]


@pytest.mark.parametrize("written", WRITERS)
def test_texts_are_looked_up_and_negatives_passed_over(
    tmp_path: Path, written: Callable[[Path, list[dict[str, str]]], Path]
) -> None:
    rows = [
        {"anchor": "something  red", "positive": "It is red.", "negative": "It is blue."},
        {"anchor": "something blue", "positive": "D3 It is blue.", "negative": "nobody knows this one"},
    ]
    workspace = fresh(tmp_path / "w")
    done = take(workspace, "triplets", written(tmp_path / "foreign", rows))
    assert known(workspace) == {"q1": ("d1",), "q2": ("d3",), "q3": ()}
    assert dict(done.grades) == {3: 2}  # as the best grade


def test_numbers_are_ids_as_well(tmp_path: Path) -> None:
    workspace = fresh(tmp_path / "w")
    files.write(workspace.queries, '{"_id": 7, "text": "red"}\n')
    files.write(tmp_path / "t.jsonl", '{"query_id": 7, "positive_id": "d1"}\n')
    take(workspace, "triplets", tmp_path / "t.jsonl")
    assert known(workspace) == {"7": ("d1",)}


def test_triplets_that_name_nothing_known_are_told_each(tmp_path: Path) -> None:
    files.write(
        tmp_path / "t.jsonl",
        '{"anchor": "something red", "positive": "It is pink."}\n[1]\n{"anchor": "", "positive": "It is red."}\n{\n',
    )
    told = problems(lambda: take(fresh(tmp_path / "w"), "triplets", tmp_path / "t.jsonl"))
    assert told[:2] == (
        "t.jsonl, row 1: there is no item with the text 'It is pink.'",
        "t.jsonl, row 2: it is no JSON object",
    )
    assert len(told) == 4


@pytest.mark.parametrize("name", ["t.parquet", "t.csv"])
def test_a_damaged_table_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x00\xff\xfeno table")
    with pytest.raises(Unreadable):
        take(fresh(tmp_path / "w"), "triplets", tmp_path / name)
