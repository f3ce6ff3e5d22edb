"""All answers of a query on one scale, and those that do not fit the others."""

from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sync_world import RULES, grade, make_workspace
from test_sync_scale import preference, ranked

from label_configs.records import Judgment
from store.judgments import Table
from sync import scale
from sync.dataset import load
from sync.scale import contradictions, fuse
from sync.scale.answers import gather
from sync.scale.fused import deviations, settle

AGREED = [
    grade("q", doc, g, who) for who in ("ada", "bob", "cleo") for doc, g in zip("abcd", (3, 2, 1, 0), strict=True)
]


def order(given: list[Judgment]) -> str:
    """The items, the best first."""
    found = fuse(given, RULES)
    return "".join(found.items[n][1] for n in np.argsort(-found.place, kind="stable"))


def test_no_answers_have_no_scale() -> None:
    found = fuse([], RULES)
    assert (found.items, found.place.tolist(), found.soft.shape, found.apart) == ((), [], (0, 4), [])
    assert contradictions([], RULES) == []


def test_grades_alone_give_the_grades() -> None:
    found = fuse(AGREED, RULES)
    assert found.place == pytest.approx([3, 2, 1, 0], abs=0.5)
    assert found.soft.argmax(axis=1).tolist() == [3, 2, 1, 0]
    assert found.answers.tolist() == [3, 3, 3, 3]


def test_preferences_and_rankings_order_what_is_graded_alike() -> None:
    alike = [grade("q", doc, 2, who) for doc in "abc" for who in ("ada", "bob")]
    assert order([*alike, preference("c", "b", "cleo"), preference("b", "a", "cleo")]) == "cba"
    assert order([*alike, *ranked(3, "bca", "cleo")]) == "bca"
    assert fuse([*alike, *ranked(3, "bca", "cleo")], RULES).soft.argmax(axis=1).tolist() == [2, 2, 2]


def test_one_preference_does_not_overturn_many_grades() -> None:
    assert order([*AGREED, preference("d", "a", "dan")]) == "abcd"


def test_a_spammers_preferences_hardly_count() -> None:
    random = np.random.default_rng(0)
    docs = [f"d{n:03}" for n in range(200)]
    careful = [grade("q", doc, n % 4, who) for n, doc in enumerate(docs) for who in ("ada", "bob", "cleo")]
    spam = [grade("q", doc, int(random.integers(0, 4)), "spam") for doc in docs]
    about = gather([*careful, *spam], RULES).people
    assert about.weight[about.names.index("spam")] < 0.25
    assert about.weight[about.names.index("ada")] > 0.9


def test_what_is_further_known_is_less_uncertain() -> None:
    few, many = fuse(AGREED, RULES), fuse([*AGREED, *ranked(1, "abcd", "dan"), *ranked(1, "abcd", "eve")], RULES)
    assert many.deviation.mean() < few.deviation.mean()


def test_deviations_are_those_of_the_whole_curvature_inverted() -> None:
    said = [*AGREED, preference("a", "b", "dan"), *ranked(1, "dcb", "eve")]
    said += [grade("p", "a", 1), preference("a", "z", "dan", query="p")]
    place, _, evidence = settle(gather(said, RULES))
    items = gather(said, RULES).items
    product = evidence.curvature(place)
    matrix = np.array([product(axis) for axis in np.eye(len(items))])
    assert deviations(items, evidence, place) == pytest.approx(np.sqrt(np.diag(np.linalg.inv(matrix))))


def test_queries_that_only_the_prior_holds_together_are_named() -> None:
    loose = [preference("a", "b"), preference("c", "d")]
    (sentence,) = fuse(loose, RULES).apart
    assert sentence.startswith("query q: nobody compared")
    assert fuse([*loose, grade("q", "a", 3), grade("q", "c", 1)], RULES).apart == []


@st.composite
def answers(draw: st.DrawFn) -> list[Judgment]:
    """Any mixture of grades, preferences, ties and confirmed rankings of a few items of two queries."""
    doc, who, query = st.sampled_from("abcd"), st.sampled_from(["ada", "bob"]), st.sampled_from(["p", "q"])
    said = [grade(*one) for one in draw(st.lists(st.tuples(query, doc, st.integers(0, 3), who), max_size=8))]
    duels = st.tuples(doc, doc, who, st.sampled_from(["better", "tie", "neither"]), query)
    said += [preference(*one) for one in draw(st.lists(duels, max_size=8)) if one[0] != one[1]]
    orders = draw(st.lists(st.tuples(st.permutations("abcd"), who), max_size=3))
    return said + [one for task, (order, by) in enumerate(orders) for one in ranked(task, "".join(order), by)]


@settings(deadline=None, max_examples=60)
@given(answers(), st.randoms(use_true_random=False))
def test_whatever_people_answer_has_one_scale_in_any_order(said: list[Judgment], random: Random) -> None:
    numbered = [replace(one, annotation_id=n) if one.kind != "ranking" else one for n, one in enumerate(said)]
    found = fuse(numbered, RULES)
    assert np.isfinite(found.place).all()
    assert (found.deviation > 0).all()
    assert found.soft.sum(axis=1) == pytest.approx(np.ones(len(found.items)))
    mixed = fuse(random.sample(numbered, len(numbered)), RULES)
    assert mixed.items == found.items
    assert mixed.place == pytest.approx(found.place, abs=1e-6)
    for one in contradictions(numbered, RULES, below=0.5):
        assert 0 <= one.chance < 0.5
        assert one.annotator not in one.against


class World:
    """True places between -0.5 and 3.5 in queries of ten items; one grade an item, and eight comparisons a query."""

    def __init__(self, seed: int, queries: int = 150) -> None:
        random = np.random.default_rng(seed)
        self.places = random.uniform(-0.5, 3.5, (queries, 10))
        who = [f"a{n}" for n in range(8)]
        self.grades: list[Judgment] = []
        self.preferences: list[Judgment] = []
        for q, places in enumerate(self.places):
            for d, place in enumerate(places):
                seen = int(np.clip(np.rint(place + random.normal(0, 0.55)), 0, 3))
                self.grades.append(grade(f"q{q:03}", f"d{d}", seen, who[(q + d) % 8]))
            for _ in range(8):
                one, other = random.choice(10, 2, replace=False).tolist()
                seen_one, seen_other = places[[one, other]] + random.normal(0, 0.55, 2)
                better, rest = (one, other) if seen_one > seen_other else (other, one)
                annotator = str(random.choice(who))
                self.preferences.append(preference(f"d{better}", f"d{rest}", annotator, query=f"q{q:03}"))

    def in_order(self, place: NDArray[np.float64]) -> float:
        """Share of all two items of a query that stand in their true order; of equal places the half."""
        one, other = np.triu_indices(10, 1)
        true, found = (np.sign(of[:, one] - of[:, other]) for of in (self.places, place.reshape(-1, 10)))
        return float((true * found).mean() / 2 + 0.5)


@pytest.mark.parametrize("seed", range(3))
def test_preferences_beside_grades_bring_the_order_nearer_to_the_truth(seed: int) -> None:
    world = World(seed)
    alone, together = (fuse(said, RULES) for said in (world.grades, [*world.grades, *world.preferences]))
    assert world.in_order(together.place) > world.in_order(alone.place) + 0.02


@pytest.mark.parametrize("seed", range(3))
def test_soft_labels_of_the_scale_are_calibrated(seed: int) -> None:
    world = World(seed)
    soft = fuse([*world.grades, *world.preferences], RULES).soft
    truth = np.clip(np.rint(world.places.ravel()), 0, 3)
    sure, right = soft.max(axis=1), soft.argmax(axis=1) == truth
    bins = np.minimum((sure * 10).astype(int), 9)
    assert sum(abs(sure[bins == n].mean() - right[bins == n].mean()) * (bins == n).mean() for n in set(bins)) <= 0.06


# contradictions


def test_where_all_agree_nothing_contradicts() -> None:
    assert contradictions([*AGREED, preference("a", "c", "dan"), *ranked(1, "abcd", "eve")], RULES) == []


def test_a_preference_against_the_grades_is_named_with_who_said_otherwise() -> None:
    (one,) = contradictions([*AGREED, preference("d", "a", "dan"), preference("b", "c", "dan")], RULES)
    assert (one.query_id, one.doc_id, one.other_doc_id, one.form) == ("q", "d", "a", "preference")
    assert (one.annotator, one.against) == ("dan", ("ada", "bob", "cleo"))
    assert one.chance < 0.01


def test_a_ranking_is_named_by_the_two_items_that_fit_least() -> None:
    (one,) = contradictions([*AGREED, *ranked(1, "dbca", "eve"), *ranked(2, "ad", "dan")], RULES)
    assert (one.doc_id, one.other_doc_id, one.form, one.annotator) == ("d", "a", "ranking", "eve")
    assert one.against == ("ada", "bob", "cleo", "dan")


def test_a_grade_that_does_not_fit_is_named_alone() -> None:
    many = [grade("q", "a", 3, f"a{n}") for n in range(6)]
    found = contradictions([*AGREED, *many, grade("q", "a", 0, "zed"), *ranked(1, "abcd", "eve")], RULES)
    assert [(one.doc_id, one.other_doc_id, one.form, one.annotator) for one in found][:1] == [("a", "", "grade", "zed")]
    assert found[0].against == ("a0", "a1", "a2", "a3", "a4", "a5", "ada", "bob", "cleo")


def test_people_who_err_as_people_do_contradict_each_other_as_rarely_as_asked() -> None:
    world = World(0, queries=60)
    found = contradictions([*world.grades, *world.preferences], RULES, below=0.02)
    assert len(found) <= 2 * 0.02 * (len(world.grades) + len(world.preferences))


# in a data set


def test_the_settings_may_choose_the_fused_scale(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, settings='[consensus]\nmethod = "fused"\n')
    said = [preference("d2", "d1", query="q2"), preference("d1", "d4", query="q2", annotator="bob")]
    numbered = [replace(j, annotation_id=70 + n) for n, j in enumerate(said)]
    Table(workspace.judgments / "7").append(numbered, {})
    data = load(workspace, "main")
    assert data.consensus == scale.consensus(data.judgments, RULES)
    assert ("q2", "d1") in {(r.query_id, r.doc_id) for r in data.consensus.relevance}  # nobody graded it
