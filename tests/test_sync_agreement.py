"""Agreement: how far annotators say the same."""

import re
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import cohen_kappa_score
from sync_world import RULES, grade, make_workspace
from voters import crowd, votes_of

from label_configs.records import Item, Judgment, Query
from sync.agreement import agreement, alpha
from sync.agreement.cohen import kappa, kappas
from sync.agreement.kendall import concordance, tau_b, w
from sync.agreement.krippendorff import Level, alpha_interval
from sync.agreement.moments import iou, overlap
from sync.agreement.repeats import repeats
from sync.agreement.slices import DIMENSIONS, sliced
from sync.agreement.transitivity import Transitivity, overall, transitivity
from sync.consensus import grades
from sync.orders import preferences, rankings


def test_agreement_needs_a_pair_with_two_votes() -> None:
    assert alpha(grades([], RULES), 4) is None
    assert alpha(grades(votes_of([[0, 1, None], [None, None, 3]]), RULES), 4) is None


def test_agreement_by_hand() -> None:
    assert alpha(grades(votes_of([[2, 2], [2, 2]]), RULES), 4) == 1
    # two grades, six votes, three of each; the one differing pair counts twice: 1 - (6 - 1) * 1 / (3 * 3)
    assert alpha(grades(votes_of([[0, 1, 0], [0, 1, 1]]), RULES), 4) == pytest.approx(1 - 5 / 9)


@pytest.mark.parametrize("level", ["ordinal", "interval", "nominal"])
@pytest.mark.parametrize("seed", range(10))
def test_agreement_is_krippendorffs(seed: int, level: Level) -> None:
    random = Random(seed)
    table = [[random.choice([None, *RULES.values]) for _ in range(30)] for _ in range(4)]
    numbers = [[np.nan if value is None else value for value in row] for row in table]
    wanted = krippendorff.alpha(numbers, value_domain=list(RULES.values), level_of_measurement=level)
    assert alpha(grades(votes_of(table), RULES), 4, level) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("level", ["ordinal", "interval", "nominal"])
def test_the_interval_of_alpha_is_that_of_drawing_whole_pairs_again(level: Level) -> None:
    votes = crowd(0, pairs=150, annotators=8).votes
    found = alpha_interval(votes, 4, level)
    table = votes.grade.reshape(-1, 3)
    random = np.random.default_rng(1)
    drawn = [
        krippendorff.alpha(table[random.integers(0, 150, 150)].T, value_domain=range(4), level_of_measurement=level)
        for _ in range(1000)
    ]
    assert found is not None
    assert found.value == alpha(votes, 4, level)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(drawn, (0.025, 0.975))), abs=0.015)
    assert found.pairs == 150
    assert alpha_interval(votes, 4, level) == found


def test_alpha_of_more_votes_than_fit_into_one_number_is_alpha_all_the_same() -> None:
    table: list[list[int | None]] = [[who % 3, 2] for who in range(5000)]
    one = alpha(grades(votes_of(table), RULES), 4)
    many = alpha(grades(votes_of(table), RULES), 9)  # 9 grades of up to 5000 votes: 5001 ** 9 > 2 ** 62
    assert one == pytest.approx(many)


# kappa


def test_kappa_needs_two_who_voted_on_the_same() -> None:
    assert kappas(grades([], RULES), 4) == []
    assert kappa([]) is None
    assert kappas(grades(votes_of([[0, None], [None, 1]]), RULES), 4) == []


@pytest.mark.parametrize("seed", range(5))
def test_kappa_of_every_two_is_that_of_scikit_learn(seed: int) -> None:
    random = Random(seed)
    table = [[random.choice([None, *RULES.values]) for _ in range(60)] for _ in range(4)]
    found = kappas(grades(votes_of(table), RULES), 4)
    assert [(k.one, k.other) for k in found] == [(f"a{i}", f"a{j}") for i in range(4) for j in range(i + 1, 4)]
    for k in found:
        one, other = table[int(k.one[1])], table[int(k.other[1])]
        shared = [(a, b) for a, b in zip(one, other, strict=True) if a is not None and b is not None]
        wanted = cohen_kappa_score(*zip(*shared, strict=True), labels=list(RULES.values), weights="quadratic")
        assert k.value == pytest.approx(wanted, abs=1e-12)
        assert k.pairs == len(shared)
    assert kappa(found) == pytest.approx(sum(k.value * k.pairs for k in found) / sum(k.pairs for k in found))


def test_two_who_always_say_the_one_same_grade_agree() -> None:
    (one,) = kappas(grades(votes_of([[2, 2], [2, 2]]), RULES), 4)
    assert one.value == 1


# rankings


def ranking(task: int, annotator: str, order: str, **more: Any) -> list[Judgment]:
    """A ranking of items of one letter each, the best first."""
    said = {
        "kind": "ranking",
        "form": "ranking",
        "task_id": task,
        "annotation_id": 10 * task + ord(annotator[0]),
        **more,
    }
    return [grade("q", doc, rank, annotator, rank=rank, **said) for rank, doc in enumerate(order, 1)]


def test_rankings_agree_only_where_two_ranked_one_screen() -> None:
    assert concordance(rankings([])) is None
    assert concordance(rankings([*ranking(1, "ada", "abc"), *ranking(2, "bob", "abc")])) is None


def test_rankings_by_hand() -> None:
    said = [*ranking(1, "ada", "abcd"), *ranking(1, "bob", "abdc"), *ranking(2, "ada", "xy"), *ranking(2, "bob", "yx")]
    found = concordance(rankings(said))
    assert found is not None
    assert found.tau_b == pytest.approx(((5 - 1) / 6 + -1) / 2)
    # sums of ranks 2, 4, 7, 7 about 5: W = 12 * 18 / (2 ** 2 * (4 ** 3 - 4)); the second screen's are equal
    assert found.w == pytest.approx((12 * 18 / 240 + 0) / 2)
    assert found.tasks == 2


def test_the_last_confirmed_ranking_of_an_annotator_counts() -> None:
    early, late = {"updated_at": "2026-01-01T00:00:00.000000Z"}, {"updated_at": "2026-01-02T00:00:00.000000Z"}
    said = [*ranking(1, "ada", "abc", **late, annotation_id=5), *ranking(1, "ada", "cba", **early, annotation_id=6)]
    found = concordance(rankings([*said, *ranking(1, "bob", "abc")]))
    assert found is not None
    assert found.tau_b == 1
    unchecked = ranking(1, "bob", "abc", flags=("unchecked",))
    assert concordance(rankings([*said, *unchecked])) is None


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=12))
def test_tau_b_is_scipys(pairs: list[tuple[int, int]]) -> None:
    one, other = (np.array(column, float) for column in zip(*pairs, strict=True))
    wanted = 0.0 if min(len(set(one)), len(set(other))) == 1 else stats.kendalltau(one, other).statistic
    assert tau_b(one, other) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_w_is_friedmans_statistic_over_its_maximum(seed: int) -> None:
    ranks = np.random.default_rng(seed).integers(1, 6, (4, 7)).astype(float)  # with ties
    assert w(ranks) == pytest.approx(stats.friedmanchisquare(*ranks.T).statistic / (4 * (7 - 1)))


# preferences


def preference(better: str, other: str, annotator: str = "ada", value: str = "better", query: str = "q") -> Judgment:
    return grade(query, better, value, annotator, kind="preference", form="pairwise", other_doc_id=other)


def test_preferences_by_hand() -> None:
    fits = [preference("a", "b"), preference("b", "c"), preference("a", "c")]
    round_ = [preference(one, other, "bob") for one, other in ("ab", "bc", "ca")]
    found = transitivity(preferences([*fits, *round_]))
    assert found == {"ada": Transitivity(1, 1), "bob": Transitivity(0, 1)}
    assert overall(found).share == 0.5


def test_triples_with_a_tie_a_gap_or_another_query_are_none() -> None:
    tied = [preference("a", "b"), preference("b", "c"), preference("a", "c", value="tie")]
    other = [preference("a", "b", "bob"), preference("b", "c", "bob"), preference("a", "c", "bob", query="p")]
    found = transitivity(preferences([*tied, *other]))
    assert found == {"ada": Transitivity(0, 0), "bob": Transitivity(0, 0)}
    assert overall(found).share is None


def test_preferences_by_chance_are_transitive_in_three_of_four_triples() -> None:
    random = np.random.default_rng(0)
    docs = [f"d{n:02}" for n in range(40)]
    pairs = [(a, b) if random.random() < 0.5 else (b, a) for i, a in enumerate(docs) for b in docs[i + 1 :]]
    found = overall(transitivity(preferences([preference(a, b) for a, b in pairs])))
    assert found.triples == 40 * 39 * 38 / 6
    assert found.share == pytest.approx(0.75, abs=0.03)


# moments


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        ([], [], 1),
        ([(0, 1)], [], 0),
        ([(0, 10)], [(5, 15)], 5 / 15),
        ([(0, 4), (2, 6)], [(0, 6)], 1),  # what is marked twice counts once
        ([(0, 1), (9, 10)], [(0, 10)], 2 / 10),
        ([(3, 3)], [(3, 3)], 0),  # no time at all
    ],
)
def test_overlap_in_time_by_hand(
    one: list[tuple[float, float]], other: list[tuple[float, float]], wanted: float
) -> None:
    assert iou(one, other) == iou(other, one) == pytest.approx(wanted)


def test_moments_of_every_two_annotators_are_compared() -> None:
    def moment(who: str, start: float | None, end: float | None, value: str = "match") -> Judgment:
        said = {"kind": "moment", "form": "moment", "annotation_id": ord(who[0]), "start": start, "end": end}
        return grade("q", "film", value, who, **said)

    assert overlap([moment("ada", 0, 10)]) is None
    found = overlap([moment("ada", 0, 10), moment("bob", 5, 10), moment("cleo", None, None, "none")])
    assert found is not None
    assert found.iou == pytest.approx((0.5 + 0 + 0) / 3)
    assert (found.half, found.comparisons) == (1 / 3, 3)


# repeats


def test_a_repeat_is_the_same_pair_in_another_task_of_the_same_person() -> None:
    def said(doc: str, value: int, task: int, day: int, who: str = "ada") -> Judgment:
        time = f"2026-01-{day:02}T00:00:00.000000Z"
        return grade("q", doc, value, who, task_id=task, annotation_id=task, updated_at=time)

    answers = [said("a", 3, 1, 1), said("a", 3, 2, 2), said("b", 0, 1, 1), said("b", 2, 2, 2)]
    corrected = [said("c", 0, 1, 1, "bob"), said("c", 3, 1, 2, "bob")]
    found = repeats([*answers, *corrected], RULES)
    assert list(found) == ["ada"]
    assert (found["ada"].same, found["ada"].pairs) == (0.5, 2)
    assert found["ada"].kappa == pytest.approx(
        cohen_kappa_score([3, 0], [3, 2], labels=[0, 1, 2, 3], weights="quadratic")
    )
    assert repeats([], RULES) == {}


# everything


def test_agreement_by_slice_is_the_agreement_on_that_slices_pairs() -> None:
    said = votes_of([[0, 1, 2, 3, 1], [0, 1, 2, 0, 2]])
    items = {f"d{n:03}": Item(doc_id=f"d{n:03}", modality="image" if n < 3 else "audio") for n in range(5)}
    found = sliced(grades(said, RULES), 4, {"q": Query(query_id="q", domain="birds")}, items)
    assert found["modality"]["image"].value == 1
    assert found["modality"]["audio"].value == alpha(grades(said[3:5] + said[8:], RULES), 4)
    assert list(found["direction"]) == ["text → audio", "text → image"]
    assert list(found["domain"]) == ["birds"]
    assert "granularity" not in found  # nobody said


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        (Query(query_id="q", text="red shoes"), "keywords"),
        (Query(query_id="q", text="shoes that a nurse could wear all day"), "description"),
        (Query(query_id="q", text="Which shoes last?"), "question"),
        (Query(query_id="q", text="长途步行穿什么鞋？"), "question"),
        (Query(query_id="q", modality="image", uri="media/shoe.png"), "example"),
    ],
)
def test_the_type_of_a_query_is_how_it_is_put(query: Query, kind: str) -> None:
    assert DIMENSIONS["query type"](query, Item(doc_id="d")) == kind


def test_a_project_without_answers_has_no_agreement() -> None:
    found = agreement([], RULES, {}, {})
    assert (found.ordinal, found.kappa, found.rankings, found.moments) == (None, None, None, None)
    assert (found.slices, found.kappas, found.repeats, found.preferences.share) == ({}, [], {}, None)


def test_a_model_has_no_part_in_agreement() -> None:
    said = votes_of([[0, 1, 2], [0, 1, 2], [3, 3, 0]])
    items = {f"d{n:03}": Item(doc_id=f"d{n:03}") for n in range(3)}
    found = agreement(said, RULES, {"q": Query(query_id="q")}, items, models={"a2"})
    assert found.ordinal is not None
    assert found.ordinal.value == 1
    assert found.kappa == 1


def test_the_example_of_the_page_runs_as_it_stands(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs" / "quality.md").read_text("utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page[: page.index("## Consensus")], re.DOTALL)
    make_workspace(tmp_path / "photos")
    done = subprocess.run([sys.executable, "-c", example], cwd=tmp_path, text=True, capture_output=True, check=True)
    assert done.stdout.startswith("Alpha(value=0.68")
