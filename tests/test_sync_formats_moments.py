"""Moments, grounding and dissonance: what of a medium answers, why, and in which sense."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import recordings
from hypothesis import given
from hypothesis import strategies as st
from media_world import Marked, by_reference, film, in_films, marking, moment
from numpy.typing import NDArray
from sync_world import QUERIES, grade, make_workspace

from label_configs.errors import Mendable, Unreadable
from label_configs.records import Candidate, Pool, Query, Role
from store.media import length
from sync.dataset import Dataset, load
from sync.export import export
from sync.formats import dissonance, grounding, trec
from sync.formats import moments as format_moments
from sync.moments import Moments, moments, overlap, union

TRAIN = "[splits]\ndev = 0\ntest = 0\n"


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    return load(make_workspace(tmp_path / "world", settings=TRAIN), "main")


@pytest.fixture
def films(data: Dataset) -> Dataset:
    """Every item is a film of 20 seconds."""
    return in_films(data)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


# where annotators agree

SECONDS = st.integers(0, 20)
RANGES = st.lists(st.tuples(SECONDS, SECONDS).map(lambda ends: (min(ends), max(ends))), max_size=5)


@given(marked=st.lists(RANGES, min_size=1, max_size=5))
def test_a_second_is_in_a_window_where_more_than_half_of_the_annotators_marked_it(
    marked: list[list[tuple[int, int]]],
) -> None:
    one = Moments("q", "d", [union(ranges) for ranges in marked])
    for second in range(20):
        votes = sum(any(a <= second and second + 1 <= b for a, b in union(ranges)) for ranges in marked)
        inside = any(a <= second and second + 1 <= b for a, b in one.windows)
        assert inside == (2 * votes > len(marked))
        assert one.share(second, second + 1) == pytest.approx(votes / len(marked))


def test_ranges_that_touch_are_one_and_empty_ones_none() -> None:
    assert union([(4, 6), (1, 2), (2, 3), (5, 5)]) == [(1, 3), (4, 6)]
    assert union([]) == []
    assert (overlap((0, 2), (1, 5)), overlap((0, 1), (1, 2))) == (1, 0)


def test_an_annotators_last_annotation_counts(films: Dataset) -> None:
    first = moment("q1", "d1", "ada", 0, 4)
    later = replace(moment("q1", "d1", "ada", 6, 8), annotation_id=2, updated_at="2026-02-01T00:00:00.000000Z")
    (one,) = moments(replace(films, judgments=[later, first]))
    assert one.windows == [(6, 8)]


def test_who_cannot_judge_has_no_vote(films: Dataset) -> None:
    unsure = grade("q1", "d1", "cant_judge", "bob", kind="flag", form="moment")
    (one,) = moments(replace(films, judgments=[moment("q1", "d1", "ada", 0, 4), unsure]))
    assert (one.marked, one.windows) == ([[(0, 4)]], [(0, 4)])


@pytest.mark.parametrize("role", ["control", "random", "audit"])
def test_controls_and_random_draws_are_left_out(films: Dataset, role: Role) -> None:
    pools = [
        replace(pool, candidates=tuple(replace(c, role=role) if c.doc_id == "d1" else c for c in pool.candidates))
        for pool in films.pools
    ]
    marked = marking(replace(films, pools=pools), {("q1", "d1"): [[(0, 4)]], ("q1", "d2"): [[(0, 4)]]})
    assert [one.doc_id for one in moments(marked)] == ["d2"]


def test_a_film_that_answers_a_test_query_is_in_no_training_row(tmp_path: Path) -> None:
    world = load(make_workspace(tmp_path, settings="[splits]\ndev = 0\ntest = 0.5\n"), "main")
    queries = {f"q{n}": Query(query_id=f"q{n}", text=f"ask {n}") for n in range(12)}
    world = replace(world, queries=queries)
    by_split = {world.split(q): q for q in queries}
    train, test = by_split["train"], by_split["test"]
    shown = tuple(Candidate(doc_id=d, source="dense") for d in ("d1", "d2"))
    pools = [Pool(query_id=q, candidates=shown, encoder="", index="", seed=0) for q in (train, test)]
    world = replace(world, pools=pools, items={d: film(d) for d in ("d1", "d2")})
    marked = marking(world, {(test, "d1"): [[(0, 4)]], (train, "d1"): [[(0, 4)]], (train, "d2"): [[(2, 4)]]})
    assert sorted((one.query_id, one.doc_id) for one in moments(marked)) == sorted([(test, "d1"), (train, "d2")])


# QVHighlights


def test_a_line_has_the_fields_of_qvhighlights(films: Dataset, tmp_path: Path) -> None:
    three = [[(4.0, 10.0)], [(5.0, 10.0)], [(4.0, 8.0), (14.0, 15.0)]]
    format_moments.write(marking(films, {("q1", "d1"): three}), tmp_path)
    (row,) = lines(tmp_path / "train.jsonl")
    assert isinstance(row["qid"], int)
    assert (row["query"], row["vid"], row["duration"]) == ("something red", "d1", 20.0)
    assert row["relevant_windows"] == [[4.0, 10.0]]
    assert row["relevant_clip_ids"] == [2, 3, 4]
    assert row["saliency_scores"] == [[3] * 3, [4] * 3, [3] * 3]  # 4 x 5/6, 4 x 1, 4 x 2/3, rounded


def seen(row: Mapping[str, Any]) -> NDArray[np.float64]:
    """Scores of all clips of a film from those of the relevant ones, as QVHighlights' evaluator lays them out."""
    scores = np.zeros((int(row["duration"] / 2), 3))
    scores[np.array(row["relevant_clip_ids"])] = np.array(row["saliency_scores"])
    return scores


def hit_at_one(rows: Sequence[Mapping[str, Any]], predicted: Mapping[int, Sequence[float]], least: int) -> float:
    """Share of films whose clip with the highest prediction at least one annotator scored `least`, as there."""
    return float(np.mean([(seen(row)[int(np.argmax(predicted[row["qid"]]))] >= least).max() for row in rows]))


def recall_at_one(
    rows: Sequence[Mapping[str, Any]], predicted: Mapping[int, tuple[float, float]], least: float
) -> float:
    """Share of queries whose predicted window overlaps its best true window by so much of their union, as there."""

    def iou(one: tuple[float, float], other: Sequence[float]) -> float:
        common = overlap(one, (other[0], other[1]))
        return common / (one[1] - one[0] + other[1] - other[0] - common)

    best = [max(iou(predicted[row["qid"]], window) for window in row["relevant_windows"]) for row in rows]
    return float(np.mean([value >= least for value in best]))


def test_qvhighlights_evaluator_finds_in_the_lines_what_was_marked(films: Dataset, tmp_path: Path) -> None:
    """The three functions above do what `standalone_eval` does; it is in no package that can be installed."""
    marked = {
        ("q1", "d1"): [[(0.0, 4.0)]],
        ("q1", "d2"): [[(12.0, 20.0), (2.0, 6.0)]],
        ("q2", "d4"): [[(8.0, 10.0)]],
    }
    format_moments.write(marking(films, marked), tmp_path)
    rows = lines(tmp_path / "train.jsonl")
    assert len({row["qid"] for row in rows}) == len(rows) == 3
    windows = {row["qid"]: tuple(row["relevant_windows"][0]) for row in rows}
    assert recall_at_one(rows, windows, 0.95) == 1
    assert recall_at_one(rows, dict.fromkeys(windows, (0.0, 4.0)), 0.5) == pytest.approx(1 / 3)
    scores = {row["qid"]: seen(row).mean(axis=1).tolist() for row in rows}
    assert hit_at_one(rows, scores, 4) == 1
    assert hit_at_one(rows, {qid: [-s for s in values] for qid, values in scores.items()}, 2) == 0


@given(data=st.data())
def test_every_line_can_be_evaluated(data: st.DataObject) -> None:
    duration = round(data.draw(st.floats(2.0, 60.0)), 3)
    ends = st.floats(0, 70).flatmap(lambda a: st.tuples(st.just(a), st.floats(a, 70)))
    ranges = data.draw(st.lists(ends, min_size=1, max_size=4))
    row = format_moments.Row(Moments("q", "d", [union(ranges)]), film("d"), 0.0, duration)
    assert all(0 <= clip < int(duration / 2) for clip in row.clips)
    assert all(0 <= a < b <= duration for a, b in row.windows)
    assert bool(row.clips) == bool(row.windows)


def test_a_window_of_less_than_half_a_clip_still_has_its_clip(films: Dataset, tmp_path: Path) -> None:
    format_moments.write(marking(films, {("q1", "d1"): [[(5.0, 5.5)]]}), tmp_path)
    (row,) = lines(tmp_path / "train.jsonl")
    assert (row["relevant_clip_ids"], row["saliency_scores"]) == ([2], [[1, 1, 1]])


def test_seconds_of_a_segment_count_from_its_start(films: Dataset, tmp_path: Path) -> None:
    part = replace(films, items={**films.items, "d1": film("d1", start=100.0, end=110.0)})
    format_moments.write(marking(part, {("q1", "d1"): [[(98.0, 104.0)]]}), tmp_path)
    (row,) = lines(tmp_path / "train.jsonl")
    assert (row["duration"], row["relevant_windows"], row["relevant_clip_ids"]) == (10.0, [[0.0, 4.0]], [0, 1])
    assert row["saliency_scores"] == [[4] * 3] * 2
    (pair,) = lines(tmp_path / "train.pairs.jsonl")
    assert (pair["clip"], pair["start"], pair["end"]) == ("d1.mp4", 100.0, 104.0)


def test_a_qid_stays_as_the_data_grow(films: Dataset, tmp_path: Path) -> None:
    one: Marked = {("q1", "d2"): [[(0.0, 4.0)]]}
    format_moments.write(marking(films, one), tmp_path / "few")
    format_moments.write(marking(films, {("q1", "d1"): [[(0.0, 4.0)]], **one}), tmp_path / "more")
    assert lines(tmp_path / "few" / "train.jsonl")[0] == lines(tmp_path / "more" / "train.jsonl")[1]


def test_a_query_that_is_answered_nowhere_is_in_the_pairs_alone(films: Dataset, tmp_path: Path) -> None:
    format_moments.write(marking(films, {("q1", "d1"): [[], [(0.0, 4.0)], []]}), tmp_path)
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["train.pairs.jsonl"]
    (pair,) = lines(tmp_path / "train.pairs.jsonl")
    assert (pair["start"], pair["end"], pair["votes"]) == (None, None, 3)


def test_charades_lines_split_into_film_seconds_and_sentence(films: Dataset, tmp_path: Path) -> None:
    asked = {**films.queries, "q1": Query(query_id="q1", text="red ## not\nblue")}
    named = {**films.items, "d 1": film("d 1", metadata={"duration": "1500"})}
    pools = [
        replace(pool, candidates=tuple(replace(c, doc_id="d 1") if c.doc_id == "d1" else c for c in pool.candidates))
        for pool in films.pools
    ]
    world = replace(films, queries=asked, items=named, pools=pools)
    format_moments.write(marking(world, {("q1", "d 1"): [[(0.5, 4.25), (1234.567, 1300.0)]]}), tmp_path)
    read = [line.split("##") for line in (tmp_path / "train.charades.txt").read_text().splitlines()]
    assert [(*head.split(), sentence) for head, sentence in read] == [
        ("d%201", "0.5", "4.25", "red # # not blue"),
        ("d%201", "1234.567", "1300", "red # # not blue"),
    ]
    assert (tmp_path / "ids.tsv").read_text() == 'd%201\t"d 1"\n'


def test_the_length_of_a_film_is_read_from_it_where_nobody_says_it(films: Dataset, tmp_path: Path) -> None:
    (films.media.root / "d1.mp4").write_bytes(recordings.colours(((255, 0, 0), 3.0), ((0, 0, 255), 2.0)))
    plain = replace(films, items={**films.items, "d1": film("d1", metadata={})})
    format_moments.write(marking(plain, {("q1", "d1"): [[(3.0, 5.0)]]}), tmp_path / "out")
    (row,) = lines(tmp_path / "out" / "train.jsonl")
    assert row["duration"] == pytest.approx(5.0, abs=0.1)
    assert row["relevant_clip_ids"] == [1]  # the fifth second begins a clip that QVHighlights does not count


@pytest.mark.parametrize("content", [b"", b"no film", b"#EXTM3U\n#EXTINF:10,\n/etc/hostname\n"])
def test_what_is_no_film_has_no_length(content: bytes) -> None:
    with pytest.raises(Unreadable, match=r"d\.mp4 is nothing that can be played"):
        length.seconds(content, "d.mp4")


def test_queries_without_words_are_refused(films: Dataset, tmp_path: Path) -> None:
    mute = replace(films, queries={q: Query(query_id=q, modality="audio", uri="a.wav") for q in QUERIES})
    with pytest.raises(Mendable, match="queries in words, and 1 have none") as refused:
        format_moments.write(marking(mute, {("q1", "d1"): [[(0.0, 4.0)]]}), tmp_path / "out")
    assert refused.value.problems == ("q1",)


def test_a_project_of_moments_is_exported_without_grades(films: Dataset, tmp_path: Path) -> None:
    marked = marking(films, {("q1", "d1"): [[(0.0, 4.0)]]})
    names = [path.name for path in export(marked, ["moments"], tmp_path / "out")]
    assert names == ["README.md", "train.charades.txt", "train.jsonl", "train.pairs.jsonl"]
    with pytest.raises(Mendable, match="no grades yet"):
        export(marked, ["moments", "trec"], tmp_path / "other")


# grounding


def test_positives_are_ranked_with_what_people_said_of_them(data: Dataset, tmp_path: Path) -> None:
    said = [
        grade("q1", "d1", 2, "ada", reasons=("attribute", "count"), note="it is dark"),
        grade("q1", "d1", 2, "bob", reasons=("count",)),
        *(grade("q1", "d2", 3, who) for who in ("ada", "bob")),
        *(grade("q1", "d3", 0, who) for who in ("ada", "bob")),
    ]
    grounding.write(replace(data, judgments=said), tmp_path)
    (row,) = lines(tmp_path / "train.jsonl")
    assert row["query"] == {"text": "something red"}
    assert [(p["rank"], p["doc_id"], p["grade"]) for p in row["positives"]] == [(1, "d2", 3), (2, "d1", 2)]
    assert row["positives"][1]["rationale"] == {"reasons": {"count": 2, "attribute": 1}, "notes": ["it is dark"]}
    assert row["positives"][0]["item"]["text"] == "It is orange."
    assert (tmp_path / row["positives"][0]["item"]["image"]).exists()


def test_evidence_is_the_stretch_and_the_region(data: Dataset, tmp_path: Path) -> None:
    box = {"x": 10, "y": 20, "width": 30, "height": 40}
    boxed = replace(data.items["d2"], metadata={"region": box})
    world = replace(data, items={**data.items, "d1": film("d1", start=2.0, end=5.5), "d2": boxed})
    grounding.write(by_reference(world), tmp_path)
    (row,) = lines(tmp_path / "train.jsonl")
    evidence = {p["doc_id"]: p["evidence"] for p in row["positives"]}
    assert evidence == {"d1": {"start": 2.0, "end": 5.5}, "d2": {"region": box}, "d4": {}}


# dissonance


def test_the_slice_holds_what_most_read_in_another_sense_and_nothing_else(data: Dataset, tmp_path: Path) -> None:
    said = [
        grade("q1", "d1", 3, "ada", flags=("figurative",), note="irony"),
        grade("q1", "d1", 3, "bob", flags=("contradictory",)),
        grade("q1", "d1", 3, "cleo", flags=("literal",)),
        grade("q1", "d2", 3, "ada", flags=("figurative",)),
        *(grade("q1", "d2", 3, who) for who in ("bob", "cleo")),
        *(grade("q1", "d3", 0, who, flags=("figurative",)) for who in ("ada", "bob")),
    ]
    world = replace(data, judgments=said)
    dissonance.write(world, tmp_path / "apart")
    (row,) = lines(tmp_path / "apart" / "train.jsonl")
    assert (row["query_id"], row["doc_id"], row["grade"], row["notes"]) == ("q1", "d1", 3, ["irony"])
    assert row["readings"] == {"literal": 1, "figurative": 1, "contradictory": 1, "unclear": 0}
    grounding.write(world, tmp_path / "plain")
    (plain,) = lines(tmp_path / "plain" / "train.jsonl")
    assert [p["doc_id"] for p in plain["positives"]] == ["d2"]
    trec.write(world, tmp_path / "trec")
    assert "q1 0 d1 3" in (tmp_path / "trec" / "qrels.txt").read_text()  # an evaluation keeps it


def test_a_control_is_not_in_the_slice(data: Dataset, tmp_path: Path) -> None:
    said = [grade("q1", "d5", 3, who, flags=("figurative",)) for who in ("ada", "bob")]
    dissonance.write(replace(data, judgments=said), tmp_path / "out")
    assert not (tmp_path / "out").exists()
