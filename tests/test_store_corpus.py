"""Corpus and queries: BEIR's files as they are; every bad line named at once."""

import json
from pathlib import Path

import pytest

from label_configs.errors import Unreadable
from label_configs.records import Item, Query, digest
from store import corpus


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
