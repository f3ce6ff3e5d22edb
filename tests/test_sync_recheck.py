"""A random sample of what is exported, judged once more: which pairs, whose answers count, and what they come to."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sync_world import grade, make_workspace

from label_configs.errors import Mendable
from label_configs.records import Candidate, Judgment, Pool
from label_configs.rules import CANT_JUDGE
from ls_retrieval import quality
from store.judgments import Table
from store.settings import Project, add_project
from store.workspace import Workspace
from sync import asking
from sync.completeness.bounds import interval
from sync.dataset import Dataset, load
from sync.recheck import Side, exported, precision, sample
from sync.report import figures
from sync.report.page import page

SPLITS = "[splits]\ndev = 0\ntest = 0\n"
CHECK = {"project": 9, "form": "review"}


def workspace(root: Path, *answers: Judgment) -> Workspace:
    """The small data set, and what a project that rechecks it holds."""
    made = make_workspace(root, settings=SPLITS)
    add_project(made.settings_path, "recheck", Project(id=9, form="review", purpose="recheck", rechecks="main"))
    if answers:
        Table(made.judgments / "9").append(list(answers), {})
    return Workspace(root)


def again(query_id: str, doc_id: str, value: object, annotation_id: int, who: str = "eve", **more: str) -> Judgment:
    return grade(query_id, doc_id, value, who, annotation_id=annotation_id, **CHECK, **more)


# the sample


def test_what_is_exported_are_the_positives_and_negatives_that_may_be_trained_on(tmp_path: Path) -> None:
    assert exported(load(workspace(tmp_path), "main")) == {
        ("q1", "d1"): "positive",
        ("q1", "d2"): "positive",
        ("q1", "d4"): "positive",
        ("q1", "d3"): "negative",
        ("q2", "d4"): "negative",
    }  # d5 is a control and d6 random; q2 with d2 is of grade 1: neither


def test_of_each_side_so_many_are_drawn_and_of_few_all() -> None:
    assert sample({}, 5) == {}
    there: dict[tuple[str, str], Side] = {("q", f"d{n}"): "positive" if n < 30 else "negative" for n in range(33)}
    drawn = sample(there, 10)
    assert [list(drawn.values()).count(side) for side in ("positive", "negative")] == [10, 3]


def test_what_is_exported_later_only_adds_to_a_sample_or_pushes_its_last_out() -> None:
    there: dict[tuple[str, str], Side] = {("q", f"d{n}"): "positive" for n in range(200)}
    early = {pair: side for n, (pair, side) in enumerate(there.items()) if n % 2}
    assert sample(there, 20).keys() & early.keys() <= sample(early, 20).keys()
    assert sample(there, 20).keys() <= sample(there, 40).keys()


def test_every_pair_is_drawn_as_often_as_any_other() -> None:
    """Over 400 worlds of ten pairs, of which three are drawn: each place 120 times, by a chi-squared test."""
    counts = np.zeros(10)
    for world in range(400):
        drawn = sample({(f"q{world}", f"d{n}"): "positive" for n in range(10)}, 3)
        counts[[int(doc_id[1:]) for _, doc_id in drawn]] += 1
    assert stats.chisquare(counts).pvalue > 0.01


# asking


def test_a_pair_is_asked_once_and_later_pools_stand_in_a_later_round() -> None:
    one, two = Candidate(doc_id="d1", source="dense"), Candidate(doc_id="d2", source="dense")
    (first,) = asking.pools({("q", "d1"): one}, [])
    (second,) = asking.pools({("q", "d1"): one, ("q", "d2"): two}, [first])
    assert [(pool.round, [c.doc_id for c in pool.candidates]) for pool in (first, second)] == [(1, ["d1"]), (2, ["d2"])]
    assert asking.pools({("q", "d1"): one, ("q", "d2"): two}, [second, first]) == []


def test_a_dry_recheck_says_how_many_pairs_of_each_side_would_be_asked(tmp_path: Path) -> None:
    made = make_workspace(tmp_path, settings=SPLITS)
    counts, pushed = quality.recheck(made, "main", "recheck", "", 2, dry_run=True)
    assert (dict(counts), pushed.made) == ({"positive": 2, "negative": 2}, 0)
    assert not made.settings.projects.get("recheck")


def test_where_nothing_is_exported_there_is_nothing_to_recheck(tmp_path: Path) -> None:
    with pytest.raises(Mendable, match="Nothing is exported"):
        quality.recheck(make_workspace(tmp_path, labelled=False), "main", "recheck", "", None, dry_run=True)


def test_a_pool_says_nothing_of_the_side_that_its_pairs_are_exported_on(tmp_path: Path) -> None:
    data = load(workspace(tmp_path), "main")
    pools = asking.pools({pair: data.candidates[pair] for pair in sample(exported(data), 9)}, [])
    by_query = {pool.query_id: pool for pool in pools}
    assert isinstance(by_query["q1"], Pool)
    assert [c.doc_id for c in by_query["q1"].candidates] == [c.doc_id for c in by_query["q1"].shuffled().candidates]


# the estimate


def counted(data: Dataset) -> Mapping[str, tuple[int, int, int, int]]:
    """exported, judged, right, opposite"""
    return {name: (of["exported"], of["judged"], of["right"], of["opposite"]) for name, of in precision(data).items()}


def test_without_a_recheck_nothing_is_said(tmp_path: Path) -> None:
    assert precision(load(workspace(tmp_path), "main")) == {}


def test_precision_by_hand(tmp_path: Path) -> None:
    """Of three positives two are right and one is called a negative; of two negatives one is right, one related."""
    answers = [again("q1", "d1", 3, 1), again("q1", "d2", 0, 2), again("q1", "d4", 2, 3), again("q1", "d3", 0, 4)]
    data = load(workspace(tmp_path, *answers, again("q2", "d4", 1, 5)), "main")
    assert counted(data) == {"positives": (3, 3, 2, 1), "negatives": (2, 2, 1, 0), "mined negatives": (2, 2, 1, 0)}
    of = precision(data)["positives"]["precision"]
    assert of is not None
    exact = stats.binomtest(2, 3).proportion_ci(method="exact")
    assert of == pytest.approx((2 / 3, exact.low, exact.high), abs=1e-4)


def test_a_recheck_changes_nothing_in_the_data(tmp_path: Path) -> None:
    before = load(workspace(tmp_path / "a"), "main")
    after = load(workspace(tmp_path / "b", again("q1", "d1", 0, 1), again("q1", "d3", 3, 2)), "main")
    assert after.qrels == before.qrels
    assert (after.judgments, after.trainable) == (before.judgments, before.trainable)


def test_who_made_the_data_does_not_say_how_right_they_are(tmp_path: Path) -> None:
    data = load(workspace(tmp_path, again("q1", "d1", 3, 1, "ada"), again("q1", "d2", 3, 2)), "main")
    found = precision(data)["positives"]
    assert found["judged"] == 1
    assert found["own"] <= found["waiting"]
    decided = replace(data, verdicts=[grade("q1", "d2", 3, "eve")])
    assert precision(decided)["positives"]["judged"] == 0


def test_cant_judge_is_not_right_and_of_several_answers_the_latest_counts(tmp_path: Path) -> None:
    late = "2026-01-02T00:00:00.000000Z"
    answers = [
        replace(again("q1", "d1", CANT_JUDGE, 1), kind="flag"),
        again("q1", "d2", 0, 2),
        again("q1", "d2", 3, 3, "fay", updated_at=late),
    ]
    found = precision(load(workspace(tmp_path, *answers), "main"))["positives"]
    assert (found["judged"], found["right"], found["opposite"], found["unsure"]) == (2, 1, 0, 1)


def test_what_is_drawn_and_not_judged_waits(tmp_path: Path) -> None:
    """Only the pair that was drawn last is judged: those before it wait."""
    made = workspace(tmp_path)
    positives = [pair for pair, side in sample(exported(load(made, "main")), 9).items() if side == "positive"]
    Table(made.judgments / "9").append([again(*positives[-1], 3, 1)], {})
    found = precision(load(made, "main"))["positives"]
    assert (found["sampled"], found["waiting"], found["judged"]) == (3, 2, 1)


def test_the_interval_covers_the_truth_in_enough_of_400_exports() -> None:
    """300 pairs of which 12 % are wrong, 60 of them drawn: at 95 % at least 370 of 400 have to cover, as M7."""
    hits = 0
    for world in range(400):
        there: dict[tuple[str, str], Side] = {(f"w{world}", f"d{n}"): "negative" for n in range(300)}
        right = sum(int(doc_id[1:]) >= 36 for _, doc_id in sample(there, 60))
        found = interval(right, 60)
        assert found is not None
        hits += found.low <= 0.88 <= found.high
    assert hits >= 370


def test_the_report_shows_the_precision_on_its_page_and_as_json(tmp_path: Path) -> None:
    data = load(workspace(tmp_path, again("q1", "d1", 3, 1), again("q1", "d3", 0, 2)), "main")
    found = figures.report(data)
    assert found["precision"]["positives"]["right"] == 1
    assert "Precision of what is exported" in page(found, data, [])
    without = figures.report(replace(data, rechecked=()))
    assert "Precision of what is exported" not in page(without, data, [])
