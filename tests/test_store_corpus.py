"""Corpus and queries: BEIR's files as they are; every bad line named at once."""

import base64
import csv
import gzip
import io
import json
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset
from hypothesis import given, settings
from hypothesis import strategies as st

from label_configs.errors import Unreadable
from label_configs.records import Item, Query, digest
from store import corpus
from store.corpus import FILES, rows
from store.media import Media
from store.settings import Media as MediaSettings
from store.workspace import Workspace


def lines(folder: Path, *rows: dict[str, object] | str) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), "utf-8")
    return path


def item_problems(path: Path) -> tuple[str, ...]:
    with pytest.raises(Unreadable) as caught:
        corpus.items(path)
    return caught.value.problems


def query_problems(path: Path) -> tuple[str, ...]:
    with pytest.raises(Unreadable) as caught:
        corpus.queries(path)
    return caught.value.problems


def test_a_missing_file_is_refused_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=str(tmp_path / "none.jsonl")):
        corpus.items(tmp_path / "none.jsonl")


@pytest.mark.parametrize("content", [b"", b"\n  \n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_a_file_without_rows_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    assert item_problems(path) == ("it is empty",)


def test_beirs_corpus_is_read_as_it_is(tmp_path: Path) -> None:
    path = lines(tmp_path, {"_id": "MED-10", "title": "Statins", "text": "They help.", "metadata": {"url": "http://x"}})
    [item] = corpus.items(path).records
    assert item == Item(doc_id="MED-10", title="Statins", text="They help.", metadata={"url": "http://x"})


def test_media_columns_stand_beside_the_text_which_becomes_the_caption(tmp_path: Path) -> None:
    path = lines(
        tmp_path,
        {"_id": 1, "image": "a.png", "text": "a bus", "licence": "CC0"},
        "",
        {"_id": "2", "audio": "b.mp3", "start": 1, "end": 2.5},
        {"_id": "3", "video": "c.mp4"},
    )
    assert corpus.items(path).records == [
        Item(doc_id="1", modality="image", uri="a.png", text="a bus"),
        Item(doc_id="2", modality="audio", uri="b.mp3", start=1.0, end=2.5),
        Item(doc_id="3", modality="video", uri="c.mp4"),
    ]


def test_a_byte_order_mark_and_crlf_are_no_part_of_the_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"_id": "a", "text": "x"}\r\n\r\n{"_id": "b", "text": "y"}')
    assert [item.doc_id for item in corpus.items(path).records] == ["a", "b"]


def test_every_bad_line_is_told_together_with_its_number(tmp_path: Path) -> None:
    deep = '{"_id": "deep", "text": "x", "metadata": {"a": ' + "[" * 5000 + "]" * 5000 + "}}"
    path = lines(
        tmp_path,
        {"_id": "a", "text": "fine"},
        {"text": "no id"},
        {"_id": "  ", "text": "blank id"},
        {"_id": "b", "text": " ", "title": ""},
        {"_id": "c", "image": "x.png", "audio": "x.mp3"},
        '{"_id": "d", ',
        "",
        {"_id": "a", "text": "again"},
        {"_id": "e", "text": None},
        '["f"]',
        '{"_id": "\\ud800", "text": "half a character"}',
        deep,
    )
    problems = item_problems(path)
    assert problems[:4] == (
        "rows.jsonl, line 2: the row has no _id",
        "rows.jsonl, line 3: the row has no _id",
        "rows.jsonl, line 4: item 'b' has neither text nor image, audio or video",
        "rows.jsonl, line 5: more than one medium: image, audio",
    )
    assert problems[4].startswith("rows.jsonl, line 6: ")
    assert problems[5] == "rows.jsonl, line 8: doc_id 'a' stands in rows.jsonl, line 1 already"
    assert [p.partition(":")[0] for p in problems[6:]] == [f"rows.jsonl, line {number}" for number in (9, 10, 11, 12)]


def test_the_numbers_one_and_text_one_are_the_same_id(tmp_path: Path) -> None:
    path = lines(tmp_path, {"_id": 1, "text": "x"}, {"_id": "1", "text": "y"})
    assert item_problems(path) == ("rows.jsonl, line 2: doc_id '1' stands in rows.jsonl, line 1 already",)


@pytest.mark.parametrize("given", ["a\0b", "a\nb", "a\x1b[2J", "a\x9f"])
def test_ids_of_items_hold_no_control_characters(tmp_path: Path, given: str) -> None:
    path = lines(tmp_path, {"_id": given, "text": "x"})
    assert item_problems(path) == (f"rows.jsonl, line 1: the _id {given!r} has control characters",)


def test_of_very_many_problems_twenty_are_shown_and_the_rest_counted(tmp_path: Path) -> None:
    problems = item_problems(lines(tmp_path, *["{"] * 25))
    assert (len(problems), problems[-1]) == (21, "and 5 more")


def test_a_query_is_read_with_everything_that_is_said_about_it(tmp_path: Path) -> None:
    said = {name: name.upper() for name in ("title", "description", "narrative", "granularity", "domain", "lang")}
    path = lines(tmp_path, {"_id": "q1", "text": " a red bus ", "positives": ["d1", 2], **said})
    [query] = corpus.queries(path).records
    assert (query.query_id, query.content, query.positives) == ("q1", "a red bus", ("d1", "2"))
    assert {name: getattr(query, name) for name in said} == said


def test_a_query_without_id_is_named_by_its_content(tmp_path: Path) -> None:
    path = lines(tmp_path, {"text": " a red bus "}, {"_id": "", "image": "bus.png"})
    assert [query.query_id for query in corpus.queries(path).records] == [
        f"q{digest('a red bus')}",
        f"q{digest('bus.png')}",
    ]
    assert corpus.bare_query_id(" a red bus\n") == f"q{digest('a red bus')}"
    stretches = [corpus.bare_query_id("v.mp4", *ends) for ends in ((), (0.0, 2.0), (2.0, None), (None, 2.0))]
    assert len(set(stretches)) == 4


def test_empty_and_doubled_queries_are_refused(tmp_path: Path) -> None:
    path = lines(tmp_path, {"text": "bus"}, {"_id": "q", "text": " "}, {"title": "only"}, {"text": "bus "})
    assert query_problems(path) == (
        "rows.jsonl, line 2: query 'q' is empty",
        "rows.jsonl, line 3: the query is empty",
        f"rows.jsonl, line 4: query_id 'q{digest('bus')}' stands in rows.jsonl, line 1 already",
    )


def test_live_queries_come_after_the_given_ones_which_win(tmp_path: Path) -> None:
    path = lines(tmp_path, {"_id": "q1", "text": "given"})
    corpus.add_live(path, Query(query_id="q1", text="live"))
    for _ in range(2):
        corpus.add_live(path, Query(query_id='../"é\n', text="größer 👩"))
    corpus.add_live(path, Query(query_id="q3", modality="image", uri="a.png"))
    first, *live = corpus.queries(path).records
    assert first == Query(query_id="q1", text="given")
    assert sorted(live, key=lambda query: query.query_id) == [
        Query(query_id='../"é\n', text="größer 👩"),
        Query(query_id="q3", modality="image", uri="a.png"),
    ]
    assert {p.name for p in tmp_path.iterdir()} == {"rows.jsonl", "queries.live"}


# --- what is broken


def test_a_few_broken_rows_are_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    good = [{"_id": n, "text": "x"} for n in range(99)]
    path = lines(tmp_path, *good[:50], "{", *good[50:])
    read = corpus.items(path, max_broken=0.01)
    assert [item.doc_id for item in read.records] == [str(n) for n in range(99)]
    assert [problem.partition(":")[0] for problem in read.broken] == ["rows.jsonl, line 51"]
    with pytest.raises(Unreadable, match="1 of 100 rows are broken") as caught:
        corpus.items(path, max_broken=0.009)
    assert "max_broken" in caught.value.mend


def test_rows_that_are_all_broken_stop_whatever_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="1 of 1 rows"):
        corpus.items(lines(tmp_path, "{"), max_broken=1.0)


def test_of_two_rows_of_one_id_the_first_counts(tmp_path: Path) -> None:
    path = lines(tmp_path, {"_id": "a b", "text": "first"}, {"_id": "a b", "text": "second"})
    read = corpus.items(path, max_broken=0.5)
    assert [(item.doc_id, item.text) for item in read.records] == [("a b", "first")]
    assert read.broken == ["rows.jsonl, line 2: doc_id 'a b' stands in rows.jsonl, line 1 already"]


@pytest.mark.parametrize(
    ("stretch", "problem"),
    [
        ({"start": -0.1}, "start is -0.1, no second of a medium"),
        ({"end": 0}, "end 0 is not behind start 0"),
        ({"start": 2, "end": 2}, "end 2 is not behind start 2"),
        ({"start": 3, "end": 2.5}, "end 2.5 is not behind start 3"),
    ],
)
def test_a_stretch_begins_at_zero_or_later_and_ends_behind_that(
    tmp_path: Path, stretch: dict[str, object], problem: str
) -> None:
    path = lines(tmp_path, {"_id": "a", "video": "a.mp4", **stretch})
    assert item_problems(path) == (f"rows.jsonl, line 1: {problem}",)
    assert query_problems(path) == (f"rows.jsonl, line 1: {problem}",)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "true", '"1"'])
def test_what_is_no_number_of_seconds_breaks_its_row(tmp_path: Path, number: str) -> None:
    problems = item_problems(lines(tmp_path, f'{{"_id": "a", "video": "a.mp4", "start": {number}}}'))
    assert problems[0].startswith("rows.jsonl, line 1: ")


def test_a_row_longer_than_any_may_be_is_broken_and_not_held(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with path.open("wb") as file:
        file.write(b'{"_id": "long", "text": "' + bytes(rows.LIMIT * 2) + b'"}\n{"_id": "b", "text": "y"}\n')
    read = corpus.items(path, max_broken=0.5)
    assert [item.doc_id for item in read.records] == ["b"]
    assert read.broken == [f"rows.jsonl, line 1: it is longer than {rows.LIMIT} bytes"]


def test_a_positive_that_is_no_item_is_named_or_stops(tmp_path: Path) -> None:
    path, items = tmp_path / "queries.jsonl", [Item(doc_id="d1", text="x")]
    queries = [Query(query_id="q", text="x", positives=("d1", "d2"))]
    assert corpus.check_positives(path, queries, items, 0.5) == ["query 'q': its positive 'd2' is not in the corpus"]
    with pytest.raises(Unreadable, match="1 problem"):
        corpus.check_positives(path, queries, items, 0.49)
    assert corpus.check_positives(path, [Query(query_id="q", text="x")], []) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
)
ROW = st.dictionaries(st.sampled_from(sorted(rows.COLUMNS)), JSON, max_size=6)


@given(st.lists(ROW | st.binary(max_size=30), max_size=8))
@settings(max_examples=200, deadline=None)
def test_whatever_stands_in_a_file_every_row_is_a_record_or_is_named(given_rows: list[Any]) -> None:
    lines_ = [row.replace(b"\n", b"") if isinstance(row, bytes) else json.dumps(row).encode() for row in given_rows]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "corpus.jsonl"
        path.write_bytes(b"\n".join(lines_))
        try:
            read = corpus.items(path, max_broken=1.0)
        except Unreadable as error:
            assert error.problems  # noqa: PT017 - nothing was sound
        else:
            first, *others = path.read_bytes().split(b"\n")
            filled = [line for line in (first.removeprefix(b"\xef\xbb\xbf"), *others) if line.strip()]
            assert len(read.records) + len(read.broken) == len(filled)
            assert len({item.doc_id for item in read.records}) == len(read.records)


# --- which file


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "tsv", "parquet", "label-studio.json"])
def test_the_corpus_is_what_lies_in_the_workspace(tmp_path: Path, suffix: str) -> None:
    workspace, name = Workspace(tmp_path), f"corpus.{suffix}"
    assert workspace.corpus == tmp_path / "corpus.jsonl"
    (tmp_path / name).touch()
    assert workspace.corpus == tmp_path / name
    (tmp_path / "corpus").mkdir()
    with pytest.raises(Unreadable, match=f"more than one corpus: {name}, corpus"):
        _ = workspace.corpus


def test_queries_are_no_folder_and_no_export(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    (tmp_path / "queries").mkdir()
    (tmp_path / "queries.label-studio.json").touch()
    assert workspace.queries == tmp_path / "queries.jsonl"
    (tmp_path / "queries.csv").touch()
    assert workspace.queries == tmp_path / "queries.csv"


# --- tables


def written(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def records(path: Path) -> list[Item]:
    return corpus.items(path).records


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_table_has_the_columns_of_jsonl_under_any_usual_delimiter(tmp_path: Path, delimiter: str) -> None:
    table = '''\ufeff_id,text,image,start,end,metadata.licence,metadata.year,colour
001,a bus,media/a.png,,,CC0,2020,red
a b,,,,,,,
c,"two
lines and a ""quote""",,,,,,
'''
    path = written(tmp_path / "corpus.csv", table.replace(",", delimiter))
    read = corpus.items(path, max_broken=0.5)
    metadata = {"licence": "CC0", "year": "2020"}
    assert read.records == [
        Item(doc_id="001", modality="image", uri="media/a.png", text="a bus", metadata=metadata),
        Item(doc_id="c", text='two\nlines and a "quote"'),
    ]
    assert read.broken == ["corpus.csv, line 3: item 'a b' has neither text nor image, audio or video"]


def test_every_broken_row_of_a_table_is_named_by_the_line_that_it_begins_on(tmp_path: Path) -> None:
    table = b"""_id,video,start,end
a,a.mp4,1,2
b,b.mp4,one,
c,c.mp4,nan,
d,d.mp4
e,e.mp4,1,2,3

f,"f
.mp4",,
"g"x,g.mp4,,
\xff,h.mp4,,
a,i.mp4,,
,j.mp4,,
k,k.mp4,-1,
l,"l.mp4,,
"""
    read = corpus.items(written(tmp_path / "corpus.csv", table), max_broken=1.0)
    assert [item.doc_id for item in read.records] == ["a", "f"]
    assert [problem.removeprefix("corpus.csv, ") for problem in read.broken] == [
        "line 3: could not convert string to float: 'one'",
        "line 4: start is nan, no second of a medium",
        "line 5: it has 2 cells, and the header 4",
        "line 6: it has 5 cells, and the header 4",
        "line 10: ',' expected after '\"'",
        "line 11: it is not UTF-8",
        "line 12: doc_id 'a' stands in corpus.csv, line 2 already",
        "line 13: the row has no _id",
        "line 14: start is -1.0, no second of a medium",
        "line 15: unexpected end of data",
    ]


@pytest.mark.parametrize(
    ("content", "said"), [("a,b\n1,2\n", "'a, b'"), ("\n", "empty"), ("", "empty"), ("_id,text\n", "empty")]
)
def test_a_table_without_known_columns_or_without_rows_is_refused(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        corpus.items(written(tmp_path / "corpus.csv", content))


def test_queries_come_from_tables_too_their_positives_one_id_or_a_json_list(tmp_path: Path) -> None:
    table = '_id,text,positives,domain\nq1,a bus,d 1,art\n,an owl,"[""d1"", 2]",\n'
    queries = corpus.queries(written(tmp_path / "queries.tsv", table)).records
    assert [(q.query_id, q.positives, q.domain) for q in queries] == [
        ("q1", ("d 1",), "art"),
        (corpus.bare_query_id("an owl"), ("d1", "2"), ""),
    ]


def test_parquet_is_read_with_ids_of_any_kind_nulls_and_nested_metadata(tmp_path: Path) -> None:
    columns = {
        "_id": ["a", "b", None],
        "text": ["x", None, "z"],
        "image": [None, "b.png", None],
        "metadata": [{"tags": ["t"]}, None, None],
        "embedding": [[0.1], [0.2], [0.3]],
    }
    pq.write_table(pa.table(columns), tmp_path / "corpus.parquet")
    read = corpus.items(tmp_path / "corpus.parquet", max_broken=0.5)
    assert read.records == [
        Item(doc_id="a", text="x", metadata={"tags": ["t"]}),
        Item(doc_id="b", modality="image", uri="b.png"),
    ]
    assert read.broken == ["corpus.parquet, row 3: the row has no _id"]
    pq.write_table(pa.table({"_id": [7], "video": ["a.mp4"], "start": [float("nan")]}), tmp_path / "nan.parquet")
    assert item_problems(tmp_path / "nan.parquet") == ("nan.parquet, row 1: start is nan, no second of a medium",)


def test_text_in_parquet_that_is_not_utf8_breaks_its_own_row_alone(tmp_path: Path) -> None:
    text = pa.array([b"fine", b"\xff\xfe", b"fine too"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"_id": ["a", "b", "c"], "text": text}), tmp_path / "corpus.parquet")
    read = corpus.items(tmp_path / "corpus.parquet", max_broken=0.5)
    assert [item.doc_id for item in read.records] == ["a", "c"]
    assert [problem.partition(":")[0] for problem in read.broken] == ["corpus.parquet, row 2"]


def test_parquet_that_is_none_or_holds_no_known_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="cannot be read as Parquet"):
        corpus.items(written(tmp_path / "none.parquet", "PAR1 not at all"))
    pq.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    with pytest.raises(Unreadable, match="no column that is known"):
        corpus.items(tmp_path / "a.parquet")
    twice = pa.Table.from_arrays([pa.array(["a"])] * 3, names=["_id", "text", "text"])
    pq.write_table(twice, tmp_path / "b.parquet")
    with pytest.raises(Unreadable, match="more than one column text"):
        corpus.items(tmp_path / "b.parquet")


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary(1), pa.binary_view()])
def test_media_that_lie_in_parquet_as_bytes_are_named_by_column_and_row(tmp_path: Path, kind: pa.DataType) -> None:
    columns = {"_id": ["a", "b"], "image": pa.array([b"x", b"y"], kind), "text": ["an owl", None]}
    pq.write_table(pa.table(columns), tmp_path / "corpus.parquet")
    assert records(tmp_path / "corpus.parquet") == [
        Item(doc_id="a", modality="image", uri="corpus.parquet#image/1", text="an owl"),
        Item(doc_id="b", modality="image", uri="corpus.parquet#image/2"),
    ]


PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==")
HUB = [
    {"bytes": b"x", "path": "a.mp3"},
    {"bytes": None, "path": "media/b.mp3"},
    {"bytes": b"y", "path": None},
    None,
    {"bytes": None, "path": None},
]
NAMED = ["corpus.parquet#audio/1", "media/b.mp3", "corpus.parquet#audio/3", "", ""]


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("statistics", [True, False])
def test_the_hubs_structs_name_their_path_where_they_hold_no_bytes(tmp_path: Path, size: int, statistics: bool) -> None:
    columns = {"_id": range(5), "audio": HUB, "title": ["", "", "", "a title", ""]}
    options = {"row_group_size": size, "write_statistics": statistics}
    pq.write_table(pa.table(columns), tmp_path / "corpus.parquet", **options)
    read = corpus.items(tmp_path / "corpus.parquet", max_broken=0.5)
    assert [item.uri for item in read.records] == NAMED[:4]
    assert [item.modality for item in read.records] == ["audio"] * 3 + ["text"]
    assert read.broken == ["corpus.parquet, row 5: item 4 has neither text nor image, audio or video"]


def test_a_data_set_as_the_hubs_library_writes_it_is_a_corpus(tmp_path: Path) -> None:
    from datasets import Dataset, Features, Image, Value

    written(tmp_path / "a.png", PIXEL)
    features = Features({"_id": Value("string"), "image": Image()})
    rows_ = [{"_id": "a", "image": str(tmp_path / "a.png")}, {"_id": "b", "image": {"bytes": PIXEL, "path": None}}]
    Dataset.from_list(rows_, features=features).to_parquet(tmp_path / "corpus.parquet")
    media = Media(tmp_path, MediaSettings())
    assert [(item.doc_id, media.read(item)) for item in records(tmp_path / "corpus.parquet")] == [
        ("a", PIXEL),
        ("b", PIXEL),
    ]


def test_what_is_broken_among_media_in_parquet_is_named(tmp_path: Path) -> None:
    path = pa.array([b"a.jpg", b"\xff", b"c.jpg", None], pa.binary()).view(pa.string())
    image = pa.StructArray.from_arrays([pa.array([None, None, b"x", b"y"], pa.binary()), path], ["bytes", "path"])
    columns = {"_id": ["a", "b", "c", None], "image": image, "video": [None, None, b"z", None]}
    pq.write_table(pa.table(columns), tmp_path / "corpus.parquet")
    read = corpus.items(tmp_path / "corpus.parquet", max_broken=1.0)
    assert [item.uri for item in read.records] == ["a.jpg"]
    assert read.broken[0].startswith("corpus.parquet, row 2: 'utf-8' codec can't decode")
    assert read.broken[1:] == [
        "corpus.parquet, row 3: more than one medium: image, video",
        "corpus.parquet, row 4: the row has no _id",
    ]
    pq.write_table(pa.table({"_id": ["a", "b"], "image": [1, None]}), tmp_path / "number.parquet")
    assert item_problems(tmp_path / "number.parquet")[0] == (
        "number.parquet, row 1: Expected `str`, got `int` - at `$.image`"
    )


@pytest.mark.parametrize("cell", [[0.1, 0.2], {"array": [0.1], "sampling_rate": 8000}, {"bytes": "text", "path": "a"}])
def test_parquet_of_decoded_media_is_refused_by_the_columns_type(tmp_path: Path, cell: object) -> None:
    pq.write_table(pa.table({"_id": ["a"], "audio": [cell]}), tmp_path / "corpus.parquet")
    with pytest.raises(Unreadable, match=r"its column audio is of the type (list|struct)<") as caught:
        corpus.items(tmp_path / "corpus.parquet")
    assert "bytes and path" in caught.value.mend


def test_a_query_whose_medium_lies_in_parquet_needs_an_id_for_a_rows_number_is_none(tmp_path: Path) -> None:
    pq.write_table(pa.table({"_id": ["q", None], "image": [b"x", b"y"]}), tmp_path / "queries.parquet")
    read = corpus.queries(tmp_path / "queries.parquet", max_broken=0.5)
    assert read.records == [Query(query_id="q", modality="image", uri="queries.parquet#image/1")]
    assert read.broken == ["queries.parquet, row 2: the row has no _id"]
    pq.write_table(pa.table({"image": [b"x"]}), tmp_path / "none.parquet")
    with pytest.raises(Unreadable, match="has no column _id"):
        corpus.queries(tmp_path / "none.parquet")
    pq.write_table(pa.table({"text": ["an owl"]}), tmp_path / "text.parquet")
    assert [query.text for query in corpus.queries(tmp_path / "text.parquet").records] == ["an owl"]


# --- any reader


def table_of(path: Path, ids: Sequence[str | None]) -> Path:
    """A corpus of texts under these ids, in the kind that the name tells."""
    if path.suffix == ".parquet":
        pq.write_table(pa.table({"_id": pa.array(ids, pa.string()), "text": ["x"] * len(ids)}), path)
        return path
    if path.suffix == ".jsonl":
        return written(path, "".join(json.dumps({"_id": i, "text": "x"}) + "\n" for i in ids))
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",").writerows(
            [("_id", "text"), *((i, "x") for i in ids)]
        )
    return path


IDS = ["a b", " a b", "größe/日本 🦉", 'quote"d, with; all|', "-1", "1.0", "NaN", "null", "x" * 5000]


@pytest.mark.parametrize("suffix", FILES)
def test_ids_are_kept_letter_by_letter_with_their_spaces_and_in_any_script(tmp_path: Path, suffix: str) -> None:
    path = table_of(tmp_path / f"corpus{suffix}", IDS)
    assert [item.doc_id for item in records(path)] == IDS
    assert [query.query_id for query in corpus.queries(path).records] == IDS


@pytest.mark.parametrize("suffix", FILES)
def test_ids_that_are_missing_or_there_twice_are_named_by_every_reader(tmp_path: Path, suffix: str) -> None:
    path = table_of(tmp_path / f"corpus{suffix}", ["a b", None, "", " ", "a b", "a  b"])
    read = corpus.items(path, max_broken=0.9)
    assert [item.doc_id for item in read.records] == ["a b", "a  b"]
    first, *places = [f"corpus{suffix}, {'row' if suffix == '.parquet' else 'line'} {n}" for n in PLACES[suffix]]
    missing = [f"{place}: the row has no _id" for place in places[:3]]
    assert read.broken == [*missing, f"{places[3]}: doc_id 'a b' stands in {first} already"]


PLACES = {".jsonl": range(1, 6), ".csv": range(2, 7), ".tsv": range(2, 7), ".parquet": range(1, 6)}


def test_tasks_of_one_id_in_an_export_are_named(tmp_path: Path) -> None:
    tasks = [
        {"id": 1, "data": {"text": "x"}},
        {"id": 1, "data": {"text": "y"}},
        {"id": 2, "data": {"_id": "a b", "t": "z"}},
    ]
    read = corpus.items(written(tmp_path / "corpus.label-studio.json", json.dumps(tasks)), max_broken=0.5)
    assert [item.doc_id for item in read.records] == ["1", "a b"]
    name = "corpus.label-studio.json, task 1"
    assert read.broken == [f"{name}: doc_id '1' stands in {name} already"]


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Whole files of every kind, of twenty texts under ids of one letter, and of others that are no corpus."""
    folder, ids = tmp_path_factory.mktemp("kinds"), "abcdefghijklmnopqrst"
    made = {suffix: table_of(folder / f"corpus{suffix}", [*ids]).read_bytes() for suffix in FILES}
    made[".label-studio.json"] = json.dumps(
        [{"id": n, "data": {"_id": i, "text": "x"}} for n, i in enumerate(ids)]
    ).encode()
    made["/0.tar"] = shard(folder / "0.tar", *((f"{i}.txt", b"x") for i in ids)).read_bytes()
    others = {"png": PIXEL, "gzip": gzip.compress(made[".jsonl"]), "zeros": bytes(3000), "empty": b""}
    return made | others | {"utf-16": made[".csv"].decode().encode("utf-16")}


READ_AS = [*FILES, ".label-studio.json", "/0.tar"]


def outcome(folder: Path, kind: str, content: bytes) -> list[str]:
    """The ids that are read of a file in that kind's name, as far as its rows are sound; none where it is refused."""
    path = written(folder / f"corpus{kind}", content)
    try:
        return [item.doc_id for item in corpus.items(path.parent if kind == "/0.tar" else path, max_broken=1.0).records]
    except Unreadable:
        return []


@pytest.mark.parametrize("kind", READ_AS)
def test_a_file_that_is_not_what_its_name_says_is_refused_or_every_row_named(
    tmp_path: Path, kind: str, kinds: dict[str, bytes]
) -> None:
    assert outcome(tmp_path, kind, kinds[kind]) == [*"abcdefghijklmnopqrst"]
    of_one_kind = {".csv", ".tsv"}  # whose delimiter is found out
    for other in kinds.keys() - {kind} - (of_one_kind if kind in of_one_kind else set()):
        assert outcome(tmp_path, kind, kinds[other]) == [], other


@pytest.mark.parametrize("kind", READ_AS)
def test_of_a_file_that_is_cut_off_anywhere_no_row_is_made_up(
    tmp_path: Path, kind: str, kinds: dict[str, bytes]
) -> None:
    whole = kinds[kind]
    for end in {*range(0, len(whole), len(whole) // 40 + 1), len(whole) - 1}:
        found = outcome(tmp_path, kind, whole[:end])
        assert found == [*"abcdefghijklmnopqrst"][: len(found)]


@pytest.mark.parametrize("kind", READ_AS)
def test_a_file_with_any_bytes_overwritten_is_read_or_refused(
    tmp_path: Path, kind: str, kinds: dict[str, bytes]
) -> None:
    random = Random(kind)
    for _ in range(60):
        content = bytearray(kinds[kind])
        place = random.randrange(len(content))
        content[place : place + 4] = random.randbytes(random.randint(1, 4))
        outcome(tmp_path, kind, bytes(content))


def test_a_long_text_in_a_table_is_read_and_a_quote_that_is_never_closed_stops_at_its_line(tmp_path: Path) -> None:
    path = written(tmp_path / "corpus.csv", f"_id,text\na,{'x' * 1_000_000}\nb,y\n")
    assert [len(item.text) for item in records(path)] == [1_000_000, 1]
    path = written(tmp_path / "corpus.csv", '_id,text\na,x\nb,"open\n' + "c,x\n" * 5_000_000)
    with pytest.raises(Unreadable, match="From line 3 on it cannot be told what a row is"):
        corpus.items(path, max_broken=1.0)


# --- folders and shards


def test_a_folder_of_media_is_a_corpus_its_paths_the_ids(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "owl.jpg": "x",
        "owl.txt": "\ufeff an owl \n",
        "owl.json": '{"year": 2020}',
        "sub/a song.MP3": "x",
        "sub/film.webm": "x",
        "essay.txt": "alone",
        ".hidden.jpg": "x",
        ".git/x.jpg": "x",
    }
    for name, content in files.items():
        written(tmp_path / "corpus" / name, content)
    assert records(tmp_path / "corpus") == [
        Item(doc_id="essay.txt", text="alone"),
        Item(doc_id="owl.jpg", modality="image", uri="corpus/owl.jpg", text="an owl", metadata={"year": 2020}),
        Item(doc_id="sub/a song.MP3", modality="audio", uri="corpus/sub/a song.MP3"),
        Item(doc_id="sub/film.webm", modality="video", uri="corpus/sub/film.webm"),
    ]
    media = Media(tmp_path, MediaSettings())
    assert media.missing(records(tmp_path / "corpus")) == []


def test_what_is_no_medium_in_a_folder_is_named(tmp_path: Path) -> None:
    for name, content in {
        "a.jpg": b"x",
        "a.txt": b"\xff",
        "b.jpg": b"x",
        "b.json": b"[]",
        "c.txt": b" ",
        "d.xyz": b"x",
        "e.jpg": b"x",
        "e.txt": bytes(1_000_001),
    }.items():
        written(tmp_path / "corpus" / name, content)
    problems = item_problems(tmp_path / "corpus")
    assert problems[0].startswith("corpus/a.jpg: 'utf-8' codec can't decode")
    assert problems[1:] == (
        "corpus/b.jpg: its .json: Expected `object`, got `array`",
        "corpus/c.txt: item 'c.txt' has neither text nor image, audio or video",
        "corpus/d.xyz: its suffix is none of a text, a picture, a sound or a film",
        "corpus/e.jpg: its caption or metadata are longer than 1000000 bytes",
    )
    (tmp_path / "empty").mkdir()
    assert item_problems(tmp_path / "empty") == ("it is empty",)


def shard(path: Path, *members: tuple[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


def test_shards_are_a_corpus_their_keys_the_ids(tmp_path: Path) -> None:
    shard(tmp_path / "corpus" / "1.tar", ("c.mp4", b"film"))
    shard(
        tmp_path / "corpus" / "0.tar",
        ("sub/a.jpg", b"picture"),
        ("sub/a.txt", b"an owl"),
        ("sub/a.json", b'{"year": 2020}'),
        ("sub/a.cls", b"7"),
        ("b.txt", b"a text"),
        ("._b.txt", b"rubbish"),
    )
    found = records(tmp_path / "corpus")
    assert found == [
        Item(doc_id="sub/a", modality="image", uri="corpus/0.tar#sub/a.jpg", text="an owl", metadata={"year": 2020}),
        Item(doc_id="b", text="a text"),
        Item(doc_id="c", modality="video", uri="corpus/1.tar#c.mp4"),
    ]
    media = Media(tmp_path, MediaSettings())
    assert [media.content(item) for item in found] == [b"picture", "a text", b"film"]


def test_shards_written_by_webdataset_are_read(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    with webdataset.TarWriter(str(tmp_path / "corpus" / "0.tar")) as writer:
        for number in range(3):
            writer.write({"__key__": f"{number:04d}", "jpg": b"x" * number, "txt": f"no. {number}"})
    assert [(i.doc_id, i.text) for i in records(tmp_path / "corpus")] == [(f"000{n}", f"no. {n}") for n in range(3)]


def test_what_is_broken_in_shards_is_named(tmp_path: Path) -> None:
    twice = shard(tmp_path / "corpus" / "0.tar", ("a.jpg", b"x"), ("b.jpg", b"x"), ("a.png", b"x"), ("c.json", b"{}"))
    shard(tmp_path / "corpus" / "1.tar", ("d.jpg", b"x"), ("d.wav", b"x"), ("b.jpg", b"x"), ("e.jpg", bytes(5000)))
    whole = (tmp_path / "corpus" / "1.tar").read_bytes()
    (tmp_path / "corpus" / "1.tar").write_bytes(whole[:5000])
    written(tmp_path / "corpus" / "2.tar", b"no archive" * 200)
    shard(
        tmp_path / "corpus" / "4.tar", ("f.jpg", b"x"), ("f.txt", bytes(1_000_001)), ("g.jpg", b"x"), ("g.json", b"[")
    )
    written(tmp_path / "corpus" / "5.tar", b"")
    written(tmp_path / "corpus" / "3.jpg", b"x")
    read = corpus.items(tmp_path / "corpus", max_broken=1.0)
    assert [item.uri for item in read.records] == [f"corpus/{twice.name}#a.jpg", f"corpus/{twice.name}#b.jpg"]
    assert read.broken[:4] == [
        "corpus/0.tar#a: doc_id 'a' stands in corpus/0.tar#a already",
        "corpus/0.tar#c: item 'c' has neither text nor image, audio or video",
        "corpus/1.tar#d: more than one medium: d.jpg, d.wav",
        "corpus/1.tar: 1.tar ends in the middle of e.jpg. Left out with it: b.",
    ]
    assert read.broken[4].startswith("corpus/2.tar: 2.tar is no tar archive, or damaged")
    assert read.broken[5] == "corpus/3.jpg: it lies beside shards, which hold all of the corpus"
    assert read.broken[6] == "corpus/4.tar#f: its caption or metadata are longer than 1000000 bytes"
    assert read.broken[7].startswith("corpus/4.tar#g: its .json: ")
    assert read.broken[8:] == ["corpus/5.tar: 5.tar is no tar archive, or damaged: empty file."]


# --- exports of Label Studio


def test_an_export_of_label_studio_is_a_corpus_of_its_tasks(tmp_path: Path) -> None:
    tasks = [
        {"id": 1, "data": {"image": "/data/upload/1/a.jpg", "licence": "CC0", "boxes": [1]}, "annotations": [{}]},
        {"id": 2, "data": {"clip": "https://example.org/b.mp4?v=1", "title": "a film", "_id": "own"}},
        {"id": 3, "data": {"url": "/data/local-files/?d=c/d.wav", "speaker": "x"}},
        {"id": 4, "data": {"review": "so good", "stars": 5}},
    ]
    path = written(tmp_path / "corpus.label-studio.json", json.dumps(tasks))
    assert records(path) == [
        Item(doc_id="1", modality="image", uri="/data/upload/1/a.jpg", metadata={"licence": "CC0"}),
        Item(doc_id="own", modality="video", uri="https://example.org/b.mp4?v=1", title="a film"),
        Item(doc_id="3", modality="audio", uri="/data/local-files/?d=c/d.wav", metadata={"speaker": "x"}),
        Item(doc_id="4", text="so good", metadata={"stars": 5}),
    ]


def test_tasks_that_are_no_items_are_named_and_other_json_is_refused(tmp_path: Path) -> None:
    tasks: list[Any] = [
        {"id": 1, "data": {"a": "x.jpg", "b": "y.jpg"}},
        {"id": 2, "data": {"a": "x", "b": "y"}},
        {"id": 3},
        4,
    ]
    tasks.append({"id": 5, "data": {}})
    problems = item_problems(written(tmp_path / "corpus.label-studio.json", json.dumps(tasks)))
    assert problems == (
        "corpus.label-studio.json, task 1: more than one medium: a, b",
        "corpus.label-studio.json, task 2: none of its values is a medium, or the only text: a, b",
        "corpus.label-studio.json, task no. 3: Object missing required field `data`",
        "corpus.label-studio.json, task no. 4: Expected `object`, got `int`",
        "corpus.label-studio.json, task 5: none of its values is a medium, or the only text: it has none",
    )
    for content in ("{}", "[", "not JSON"):
        with pytest.raises(Unreadable, match="is no JSON export of Label Studio"):
            corpus.items(written(tmp_path / "corpus.label-studio.json", content))
