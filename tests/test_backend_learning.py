"""What judgments teach: grades from scores, and a correction of scores, each kept only where it helps."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lessons import DIM, RULES, Small, judgment, one_pool
from numpy.typing import NDArray

from label_configs.records import Judgment, Pool
from ml_backend.learning import calibration, proof
from ml_backend.learning.calibration import Calibration
from ml_backend.learning.learner import Taught, fit, learn, teach
from ml_backend.learning.votes import lessons, votes
from ml_backend.ranker import Ranker

# votes

POOL = one_pool({"a": 5.0, "b": 3.0, "c": 1.0}, {"c": "control"})


def said(doc_id: str, value: object, annotator: str = "ada", pool: Pool = POOL, **more: Any) -> Judgment:
    return judgment(pool, doc_id, value, annotator, **more)


def test_without_judgments_there_are_no_votes() -> None:
    assert votes([], RULES) == ({}, {}, 0)


def test_of_several_annotators_the_mean_gains_and_the_median_grades() -> None:
    found = votes([said("a", 3), said("a", 0, "bob"), said("a", 2, "eve"), said("b", 1), said("b", 2, "bob")], RULES)
    assert found.gains == {("q", "a"): pytest.approx(5 / 3), ("q", "b"): 1.5}
    assert found.grades == {("q", "a"): 2, ("q", "b"): 1}  # of an even number the lower of the two in the middle


def test_an_annotators_last_word_counts_and_cant_judge_is_no_vote() -> None:
    later: dict[str, Any] = {"updated_at": "2026-01-02T00:00:00.000000Z", "annotation_id": 1}
    again = [said("a", 3), said("a", 1, **later), said("b", 2), said("b", "cant_judge", kind="flag", **later)]
    assert votes(again, RULES).gains == {("q", "a"): 1}


def test_where_a_judge_decided_that_grade_alone_counts() -> None:
    found = votes([said("a", 3), said("a", 0, "bob"), said("b", 1)], RULES, [said("a", 2, "judge")])
    assert found.gains == {("q", "a"): 2, ("q", "b"): 1}
    assert found.grades == {("q", "a"): 2, ("q", "b"): 1}


def test_what_was_submitted_as_it_was_prefilled_does_not_teach() -> None:
    given = [said("a", 3, untouched=True, origin="prediction"), said("b", 1, origin="prediction-changed")]
    assert votes(given, RULES) == ({("q", "b"): 1}, {("q", "b"): 1}, 1)


def test_rankings_teach_by_place_and_only_where_the_order_was_confirmed() -> None:
    order = [said(d, n, kind="ranking", rank=n) for n, d in enumerate("bac", 1)]
    assert votes(order, RULES).gains == {("q", "b"): 3, ("q", "a"): 1.5, ("q", "c"): 0}
    assert votes(order, RULES).grades == {}
    assert votes([replace(j, flags=("unchecked",)) for j in order], RULES).gains == {}


def test_preferences_and_choices_teach_by_what_was_better() -> None:
    pairs = [
        said("a", "better", kind="preference", other_doc_id="b"),
        said("b", "tie", kind="preference", other_doc_id="c"),
    ]
    assert votes(pairs, RULES).gains == {("q", "a"): 3, ("q", "b"): 0.75, ("q", "c"): 1.5}
    neither = [said("a", "neither", kind="preference", other_doc_id="b")]
    assert votes(neither, RULES).gains == {("q", "a"): 0, ("q", "b"): 0}
    best = [said("a", "best", kind="choice"), said("b", "rest", kind="choice")]
    assert votes(best, RULES).gains == {("q", "a"): 3, ("q", "b"): 0}


def test_flags_and_moments_teach_nothing() -> None:
    other = [said("", "skipped", kind="flag"), said("a", "match", kind="moment", start=1.0, end=2.0)]
    assert votes(other, RULES) == ({}, {}, 0)


def test_a_control_orders_but_tells_what_a_score_means_only_where_its_rank_would_have_brought_it() -> None:
    given = [said("a", 2), said("c", 3)]
    found = lessons(votes(given, RULES), given, {POOL.pool_id: POOL})
    assert [(one.doc_id, one.gain, one.grade) for one in found] == [("a", 2, 2), ("c", 3, None)]
    ranked = replace(POOL, candidates=tuple(replace(c, rank=3) for c in POOL.candidates))
    assert [one.grade for one in lessons(votes(given, RULES), given, {POOL.pool_id: ranked})] == [2, 3]


def test_answers_on_pools_that_are_gone_teach_nothing() -> None:
    given = [said("a", 2)]
    assert lessons(votes(given, RULES), given, {}) == []


# calibration


def drawn(slope: float, cuts: tuple[float, ...], count: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    random = np.random.default_rng(0)
    scores = random.uniform(-1, 7, count)
    chances = Calibration(slope, cuts).chances(scores)
    return scores, (random.random(count)[:, None] > chances.cumsum(axis=1)[:, :-1]).sum(axis=1)


def test_before_anybody_judged_each_deviation_above_two_is_a_grade_more() -> None:
    assert calibration.before(4) == Calibration(2.0, (2.0, 3.0, 4.0))
    assert calibration.before(4).grades([1.99, 2, 3, 4, 99]).tolist() == [0, 1, 2, 3, 3]


def test_no_answers_leave_it_as_it_was() -> None:
    found = calibration.fit(np.array([]), np.array([], dtype=np.int64), 4)
    assert [found.slope, *found.cuts] == pytest.approx([2, 2, 3, 4], abs=0.05)


def test_the_truth_is_found_from_many_answers() -> None:
    found = calibration.fit(*drawn(1.5, (1.0, 2.5, 5.0), 20_000), 4)
    assert [found.slope, *found.cuts] == pytest.approx([1.5, 1.0, 2.5, 5.0], abs=0.08)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 7).flatmap(
        lambda n: st.tuples(
            st.just(n), st.lists(st.tuples(st.floats(-50, 50), st.integers(0, n - 1)), min_size=0, max_size=60)
        )
    )
)
def test_whatever_the_answers_grades_rise_with_the_score_and_every_grade_is_reached(
    given: tuple[int, list[tuple[float, int]]],
) -> None:
    n_grades, rows = given
    scores, grades = np.array([s for s, _ in rows]), np.array([g for _, g in rows], dtype=np.int64)
    found = calibration.fit(scores, grades, n_grades)
    assert found.slope >= 0.1
    assert list(found.cuts) == sorted(set(found.cuts))
    reached = found.grades(sorted([-1e6, *found.cuts, 1e6]))
    assert set(reached.tolist()) == set(range(n_grades))
    line = np.arange(-100, 100, dtype=np.float64) / 5
    assert (np.diff(found.expected(line, range(n_grades))) >= 0).all()
    assert found.chances(line).sum(axis=1) == pytest.approx(1)
    assert ((found.doubt(line) >= 0) & (found.doubt(line) <= 1 + 1e-9)).all()


def test_grades_that_fall_with_the_score_make_it_flat_not_upside_down() -> None:
    scores = np.arange(300, dtype=np.float64) / 50
    assert calibration.fit(scores, np.where(scores < 3, 3, 0), 4).slope == 0.1


def test_doubt_is_greatest_where_every_grade_is_as_likely() -> None:
    assert Calibration(1.0, (0.0,)).doubt([0.0, 40.0]).tolist() == pytest.approx([1, 0])


# proof


def test_ndcg_by_hand() -> None:
    gains = np.array([0.0, 3.0, 1.0])
    assert proof.ndcg(np.array([1.0, 2.0, 3.0]), gains) == pytest.approx((1 + 3 / np.log2(3)) / (3 + 1 / np.log2(3)))
    assert proof.ndcg(gains, gains) == 1
    assert np.isnan(proof.ndcg(gains, np.zeros(3)))
    assert proof.ndcg(np.zeros(3), np.array([3.0, 0, 0])) == 1  # ties in the order given


def test_few_queries_prove_nothing_and_a_sure_gain_of_many_does() -> None:
    assert not proof.compare([], []).better
    assert not proof.compare([0.1] * 9, [0.9] * 9).better
    assert proof.compare([0.1] * 10, [0.9] * 10).better
    assert proof.compare([0.5, float("nan")] * 10, [0.6, 1.0] * 10)[:3] == (10, 0.5, 0.6)


def test_a_difference_of_nothing_has_zero_in_its_interval() -> None:
    random = np.random.default_rng(0)
    before = random.random(100)
    compared = proof.compare(before.tolist(), (before + random.normal(0, 0.1, 100)).tolist())
    assert compared.low < 0 < compared.high


# adapter


def distorted(small: Small, strength: float = 1.0) -> dict[str, NDArray[np.float64]]:
    """What each query really means: its vector, a rank-2 form of it turned to elsewhere."""
    left, right = np.random.default_rng(5).normal(size=(2, DIM, 2))
    return {q: v + strength * (v @ left) @ right.T / 2 for q, v in small.queries.items()}


def by_truth(small: Small, strength: float = 1.0) -> dict[tuple[str, str], int]:
    meant = distorted(small, strength)
    truth = {
        (q, c.doc_id): float(meant[q] @ small.items[c.doc_id]) for q, p in small.pools.items() for c in p.candidates
    }
    cuts = np.quantile(list(truth.values()), [0.6, 0.8, 0.93])
    return {pair: int((value >= cuts).sum()) for pair, value in truth.items()}


def taught(small: Small) -> Taught:
    found = teach(small.workspace, 7)
    assert found is not None
    return found


def test_a_planted_distortion_of_low_rank_is_found_and_kept(tmp_path: Path) -> None:
    small = Small(tmp_path, queries=80)
    truth = by_truth(small)
    small.judge(small.answers(lambda q, d: truth[q, d]))
    learned = fit(taught(small))
    assert learned.adapter is not None
    assert learned.about.ranking.after > learned.about.ranking.before + 0.1
    meant = distorted(small)
    for query_id in ("q00", "q41"):
        items = np.array(list(small.items.values()))
        right = items @ meant[query_id]
        plain = 10 * items @ small.queries[query_id]
        better = plain + learned.adapter.corrections(small.queries[query_id], items)
        assert np.corrcoef(better, right)[0, 1] > max(0.85, np.corrcoef(plain, right)[0, 1])


def test_where_the_scores_are_right_already_they_stay(tmp_path: Path) -> None:
    small = Small(tmp_path)
    scores = {(q, c.doc_id): c.score for q, p in small.pools.items() for c in p.candidates}
    small.judge(small.answers(lambda q, d: int(np.clip(round(scores[q, d] / 2), 0, 3))))
    learned = fit(taught(small))
    assert learned.adapter is None
    assert learned.about.ranking.before > 0.98
    assert learned.about.calibrated
    assert learned.calibration.cuts == pytest.approx([1, 3, 5], abs=0.4)


def test_noise_alone_teaches_no_order(tmp_path: Path) -> None:
    """At a 95 % interval one of the 40 in the upper tail is expected to pass; four in 24 would be a fault."""
    kept = 0
    for seed in range(24):
        small = Small(tmp_path / str(seed), queries=24, items=30, depth=8, seed=seed)
        random = np.random.default_rng(seed)
        small.judge(small.answers(lambda q, d, random=random: int(random.integers(4))))  # type: ignore[misc]
        kept += fit(taught(small)).adapter is not None
    assert kept <= 3


def test_fewer_than_ten_queries_correct_nothing(tmp_path: Path) -> None:
    small = Small(tmp_path, queries=9)
    truth = by_truth(small)
    small.judge(small.answers(lambda q, d: truth[q, d]))
    learned = fit(taught(small))
    assert learned.adapter is None
    assert learned.about.ranking.queries == 0


def test_what_has_no_vector_is_not_corrected(tmp_path: Path) -> None:
    small = Small(tmp_path, queries=80)
    truth = by_truth(small)
    small.judge(small.answers(lambda q, d: truth[q, d]))
    adapter = fit(taught(small)).adapter
    assert adapter is not None
    items = np.array([small.items["d00"], np.zeros(DIM)], dtype=np.float32)
    assert adapter.corrections(np.zeros(DIM, dtype=np.float32), items).tolist() == [0, 0]
    first, second = adapter.corrections(small.queries["q00"], items)
    assert first != 0
    assert second == 0


# predictions


def test_predictions_rank_by_the_expected_grade_and_doubt_lowers_the_score(tmp_path: Path) -> None:
    small = Small(tmp_path)
    small.judge(small.answers(lambda q, d: 1))
    learned = learn(small.workspace, 7).learned
    assert learned is not None
    ranker = Ranker(RULES, "c", learned)
    assert ranker.calibration.grades([2.0]).tolist() == [1]
    assert ranker.certainty([0.0]) > Ranker(RULES, "c").certainty([2.0])
    assert ranker.version != Ranker(RULES, "c").version
