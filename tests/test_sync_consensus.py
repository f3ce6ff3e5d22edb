"""Consensus: what the votes of many come to."""

import warnings
from pathlib import Path
from random import Random
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sync_world import RULES, grade, make_workspace
from voters import BIASES, Crowd, crowd, simulated, votes_of

from label_configs.errors import Mendable, Unreadable
from label_configs.rules import CANT_JUDGE
from store.judgments import Table
from store.settings import ConsensusMethod, ConsensusSettings
from sync import scale
from sync.consensus import METHODS, consensus, estimate, grades
from sync.consensus.base import alike
from sync.dataset import load


def test_no_judgments_have_no_consensus() -> None:
    assert consensus([], RULES).relevance == ()
    assert consensus([grade("q", "d", "skipped", kind="flag")], RULES).relevance == ()


def test_the_last_word_of_an_annotator_counts_and_cant_judge_takes_a_grade_back() -> None:
    first = grade("q", "d", 3, annotation_id=1, updated_at="2026-01-01T00:00:00.000000Z")
    later = grade("q", "d", 1, annotation_id=2, updated_at="2026-01-02T00:00:00.000000Z")
    back = grade("q", "d", CANT_JUDGE, kind="flag", annotation_id=3, updated_at="2026-01-03T00:00:00.000000Z")
    assert [r.grade for r in consensus([later, first], RULES).relevance] == [1]
    assert consensus([back, later, first], RULES).relevance == ()


@pytest.mark.parametrize("value", RULES.values)
def test_one_vote_alone_is_believed(value: int) -> None:
    (one,) = consensus([grade("q", "d", value)], RULES).relevance
    assert (one.grade, one.votes) == (value, 1)
    assert one.confidence == max(one.soft) == one.soft[RULES.values.index(value)]


def test_where_all_agree_there_is_no_bias_and_little_doubt() -> None:
    found = consensus(votes_of([[0, 1, 2, 3]] * 3), RULES)
    assert [r.grade for r in found.relevance] == [0, 1, 2, 3]
    assert min(r.confidence for r in found.relevance) > 0.95
    assert set(found.bias.values()) == {0.0}


def test_more_votes_for_a_grade_give_more_confidence() -> None:
    one, three = (consensus(votes_of([[0, 2, 3]] * votes), RULES).relevance[1] for votes in (1, 3))
    assert (one.grade, three.grade) == (2, 2)
    assert three.confidence > one.confidence


@pytest.mark.parametrize("seed", range(3))
def test_the_biases_of_annotators_are_found(seed: int) -> None:
    _, said = simulated(seed)
    assert consensus(said, RULES).bias == pytest.approx(BIASES, abs=0.15)


@pytest.mark.parametrize("seed", range(3))
def test_it_is_nearer_to_the_truth_than_the_median(seed: int) -> None:
    truth, said = simulated(seed)
    found = {r.doc_id: r.grade for r in consensus(said, RULES).relevance}
    median = {d: int(np.median([int(j.value) for j in said if j.doc_id == d])) for d in truth}
    right = [sum(guess[d] == truth[d] for d in truth) for guess in (found, median)]
    assert right[0] >= right[1]


def test_soft_labels_are_chances_of_the_grades() -> None:
    _, said = simulated(0, pairs=50)
    for one in consensus(said, RULES).relevance:
        assert sum(one.soft) == pytest.approx(1, abs=0.002)  # four numbers of three decimals
        assert one.grade == RULES.values[int(np.argmax(one.soft))]


def test_the_order_of_judgments_does_not_matter() -> None:
    _, said = simulated(1, pairs=50)
    shuffled = Random(0).sample(said, len(said))
    assert consensus(shuffled, RULES) == consensus(said, RULES) == consensus(said, RULES)


def test_an_annotators_last_answer_counts_alone() -> None:
    first = grade("q", "d", 0, updated_at="2026-01-01T00:00:00.000000Z", annotation_id=2)
    later = grade("q", "d", 3, updated_at="2026-01-02T00:00:00.000000Z", annotation_id=1)
    for said in ([first, later], [later, first]):
        (one,) = consensus(said, RULES).relevance
        assert (one.grade, one.votes) == (3, 1)


SAID = st.dictionaries(st.sampled_from(["ada", "bob", "cleo"]), st.sampled_from(RULES.values), min_size=1)


@given(st.lists(SAID, min_size=1, max_size=12))
def test_pairs_are_alike_where_the_same_people_said_the_same(pairs: list[dict[str, int]]) -> None:
    said = [grade("q", f"d{n:02}", value, name) for n, one in enumerate(pairs) for name, value in one.items()]
    votes = grades(said, RULES)
    kinds = alike(votes, len(RULES.values))
    assert [[a == b for a in kinds.of] for b in kinds.of] == [[a == b for a in pairs] for b in pairs]
    assert kinds.times[:, 0].tolist() == np.bincount(kinds.of).tolist()
    firsts = [pairs.index(one) for one in pairs]
    assert kinds.votes.pairs == tuple(votes.pairs[n] for n in sorted(set(firsts)))
    found = list(zip(kinds.votes.pair, kinds.votes.annotator, kinds.votes.grade, strict=True))
    every = zip(votes.pair, votes.annotator, votes.grade, strict=True)
    assert found == [(kinds.of[pair], who, value) for pair, who, value in every if firsts[pair] == pair]


# votes as columns


def test_the_canonical_table_and_its_records_give_the_same_votes(tmp_path: Path) -> None:
    table = Table(make_workspace(tmp_path).judgments / "7")
    columns, records = grades(table.standing(), RULES), grades(table.current(), RULES)
    assert (columns.pairs, columns.annotators) == (records.pairs, records.annotators)
    assert [columns.pair.tolist(), columns.annotator.tolist(), columns.grade.tolist()] == [
        records.pair.tolist(),
        records.annotator.tolist(),
        records.grade.tolist(),
    ]
    assert consensus(table.standing(), RULES) == consensus(table.current(), RULES)


def test_votes_stand_in_the_order_of_pairs_then_annotators() -> None:
    said = [grade("q2", "a", 1, "bob"), grade("q1", "b", 2, "bob"), grade("q2", "a", 3, "ada"), grade("q1", "a", 0)]
    votes = grades(said, RULES)
    assert votes.pairs == (("q1", "a"), ("q1", "b"), ("q2", "a"))
    assert votes.annotators == ("ada", "bob")
    assert list(zip(votes.pair, votes.annotator, votes.grade, strict=True)) == [
        (0, 0, 0),
        (1, 1, 2),
        (2, 0, 3),
        (2, 1, 1),
    ]


def test_a_grade_that_the_rules_do_not_have_is_named() -> None:
    with pytest.raises(Unreadable, match="do not have: 7"):
        grades([grade("q", "d", 7)], RULES)


def test_answers_of_models_are_no_votes() -> None:
    said = [grade("q", "d", 3), grade("q", "d", 0, "robot")]
    (one,) = consensus(said, RULES, models={"robot"}).relevance
    assert (one.grade, one.votes) == (3, 1)


def test_who_only_sends_predictions_off_is_a_model_until_they_change_one() -> None:
    left = [grade("q", d, 3, "eve", untouched=True) for d in ("a", "b")]
    assert consensus(left, RULES).relevance == ()
    changed = grade("q", "c", 1, "eve", origin="prediction-changed")
    assert [r.doc_id for r in consensus([*left, changed], RULES).relevance] == ["a", "b", "c"]


# methods


def test_the_settings_name_every_method() -> None:
    assert set(get_args(ConsensusMethod)) == {*METHODS, scale.METHOD}
    assert ConsensusSettings().method == "ordinal-dawid-skene"
    with pytest.raises(Mendable, match="no consensus method 'mean'") as refused:
        consensus([grade("q", "d", 1)], RULES, "mean")
    assert "median" in refused.value.mend


@pytest.mark.parametrize(
    ("method", "said", "soft"),
    [
        ("majority", [0, 0, 3], (0.667, 0, 0, 0.333)),
        ("majority", [3, 1], (0, 0.5, 0, 0.5)),
        ("median", [0, 3, 2], (0, 0, 1, 0)),
        ("median", [0, 3], (0.5, 0, 0, 0.5)),
        ("median", [0, 1, 1, 3], (0, 1, 0, 0)),
        ("median", [0, 1, 2, 3], (0, 0.5, 0.5, 0)),
    ],
)
def test_simple_methods_by_hand(method: str, said: list[int], soft: tuple[float, ...]) -> None:
    found = consensus(votes_of([[grade] for grade in said]), RULES, method)
    assert found.relevance[0].soft == soft
    assert found.relevance[0].grade == int(np.argmax(soft))  # of equals the lowest
    assert (found.bias, found.spread) == ({}, {})


def test_the_settings_choose_the_method(tmp_path: Path) -> None:
    found = load(
        make_workspace(tmp_path, settings='[consensus]\nmethod = "median"\nmodels = ["bob"]'), "main"
    ).consensus
    assert found.bias == {}
    assert {r.votes for r in found.relevance} == {1}


@pytest.mark.parametrize("seed", range(3))
def test_plain_dawid_skene_is_that_of_crowd_kit(seed: int) -> None:
    from crowdkit.aggregation import DawidSkene

    votes = crowd(seed, pairs=300, annotators=9).votes
    rows = pd.DataFrame({"task": votes.pair, "worker": votes.annotator, "label": votes.grade})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted: Any = DawidSkene(n_iter=100, tol=-1).fit(rows).probas_
    found = estimate(votes, 4, "dawid-skene").posterior
    assert found == pytest.approx(wanted.loc[range(300)][[0, 1, 2, 3]].to_numpy(), abs=1e-4)


# what it is worth


def binary_error(one: Crowd, method: str) -> float:
    found = estimate(one.votes, 4, method).posterior.argmax(axis=1)
    return float(((found >= 2) != (one.truth >= 2)).mean())


def calibration_error(chance: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Mean distance of what was promised from what came, over ten bins of equal width."""
    bins = np.minimum((chance * 10).astype(int), 9)
    gaps = [abs(chance[bins == n].mean() - right[bins == n].mean()) * (bins == n).mean() for n in set(bins)]
    return float(sum(gaps))


@pytest.mark.parametrize("seed", range(5))
def test_with_a_quarter_of_spammers_it_errs_little_more_than_half_as_often_as_the_majority(seed: int) -> None:
    one = crowd(seed)
    assert binary_error(one, "ordinal-dawid-skene") <= 0.6 * binary_error(one, "majority")


@pytest.mark.parametrize("spammers", [0.0, 0.25, 0.4])
@pytest.mark.parametrize("seed", range(3))
def test_confidence_is_calibrated(seed: int, spammers: float) -> None:
    one = crowd(seed, spammers=spammers)
    posterior = estimate(one.votes, 4).posterior
    assert calibration_error(posterior.max(axis=1), posterior.argmax(axis=1) == one.truth) <= 0.05
    assert calibration_error(posterior[:, 2:].sum(axis=1), one.truth >= 2) <= 0.05
