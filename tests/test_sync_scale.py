"""Scales: places of items from preferences and rankings, whether they hang together, and all answers on one scale."""

import re
from typing import Any

import choix
import evalica
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import approx_fprime
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sync_world import grade

from label_configs.records import Judgment
from sync.orders import preferences, rankings
from sync.scale.bradley_terry import bradley_terry, plackett_luce
from sync.scale.compared import Compared, chances
from sync.scale.connected import apart, groups
from sync.scale.evidence import Evidence
from sync.scale.graded import Graded
from sync.scale.ranked import Ranked

Floats = NDArray[np.float64]


def preference(better: str, other: str, annotator: str = "ada", value: str = "better", query: str = "q") -> Judgment:
    said = {"kind": "preference", "form": "pairwise", "other_doc_id": other}
    return grade(query, better, value, annotator, **said)


def ranked(task: int, order: str, annotator: str = "ada", **more: Any) -> list[Judgment]:
    """A ranking of items of one letter each, the best first."""
    said = {"kind": "ranking", "form": "ranking", "task_id": task, "annotation_id": 10 * task + ord(annotator[0])}
    return [grade("q", doc, rank, annotator, rank=rank, **said, **more) for rank, doc in enumerate(order, 1)]


def duels(
    seed: int, items: int = 30, times: int = 600, tie_log: float = float("-inf")
) -> tuple[Floats, list[Judgment]]:
    """True places, and preferences that they lead to, each by an annotator of its own."""
    random = np.random.default_rng(seed)
    places = random.normal(0, 1, items)
    said = []
    for n in range(times):
        i, j = random.choice(items, 2, replace=False).tolist()
        first, tie = (float(of[0]) for of in chances(np.array([places[i] - places[j]]), tie_log))
        drawn = random.random()
        value, (better, other) = "better", (i, j) if drawn < first else (j, i)
        if drawn >= 1 - tie:
            value = "tie"
        said.append(preference(f"d{better:02}", f"d{other:02}", f"a{n:04}", value))
    return places, said


# Bradley and Terry


def test_nobodys_preferences_score_nothing() -> None:
    assert bradley_terry(preferences([])).tolist() == []
    assert plackett_luce(rankings([])).tolist() == []


def test_odds_of_two_items_by_hand() -> None:
    said = [*(preference("a", "b", f"x{n}") for n in range(3)), preference("b", "a", "y")]
    one, other = bradley_terry(preferences(said))
    assert one == pytest.approx(-other)
    assert one - other == pytest.approx(np.log(3), abs=0.01)  # three of four; the prior pulls a little


@pytest.mark.parametrize("seed", range(3))
def test_scores_are_those_of_choix(seed: int) -> None:
    found = preferences(duels(seed)[1])
    data = list(zip(found.better.tolist(), found.other.tolist(), strict=True))
    wanted = choix.opt_pairwise(len(found.items), data, alpha=0.005, tol=1e-10)  # 1 / (2 * 10 ** 2)
    assert bradley_terry(found) == pytest.approx(wanted, abs=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_scores_without_a_prior_are_those_of_evalica(seed: int) -> None:
    found = preferences(duels(seed)[1])
    one, other = ([found.items[n][1] for n in column.tolist()] for column in (found.better, found.other))
    wanted = evalica.bradley_terry(one, other, [evalica.Winner.X] * len(one), tolerance=1e-12, limit=20_000)
    logs = np.log(wanted.scores.sort_index().to_numpy())
    assert bradley_terry(found, 1e4) == pytest.approx(logs - logs.mean(), abs=1e-4)


def test_ties_bring_items_together() -> None:
    told = [preference("a", "b", "x"), preference("a", "b", "y"), preference("b", "a", "z")]
    tied = [preference("a", "b", f"t{n}", "tie") for n in range(9)]
    without, with_ties = (np.ptp(bradley_terry(preferences(said))) for said in (told, [*told, *tied]))
    assert with_ties < without
    between = [preference("b", "c", "x"), preference("c", "b", "y")]
    assert np.ptp(bradley_terry(preferences([*tied, *between]))) == pytest.approx(0, abs=1e-6)


def test_places_and_ties_of_a_simulated_crowd_are_found() -> None:
    places, said = duels(0, items=12, times=6000, tie_log=0.0)
    found = bradley_terry(preferences(said))
    assert found == pytest.approx(places - places.mean(), abs=0.25)


def test_a_query_of_twenty_thousand_items_takes_no_square_of_them() -> None:
    random = np.random.default_rng(0)
    n, times = 20_000, 60_000
    one = random.integers(0, n, times)
    compared = Compared(n, one, (one + random.integers(1, n, times)) % n, np.zeros(times, np.int64))
    assert compared.curvature(np.zeros(n))(np.ones(n)) == pytest.approx(np.zeros(n))  # all moved alike: nothing changes


# Plackett and Luce


@pytest.mark.parametrize("seed", range(3))
def test_scores_of_rankings_are_those_of_choix(seed: int) -> None:
    random = np.random.default_rng(seed)
    orders = ["".join(random.permutation(list("abcdefgh"))[:5]) for _ in range(40)]
    found = plackett_luce(rankings([one for task, order in enumerate(orders) for one in ranked(task, order)]))
    data = [tuple("abcdefgh".index(doc) for doc in order) for order in orders]
    assert found == pytest.approx(choix.opt_rankings(8, data, alpha=0.005, tol=1e-10), abs=1e-3)


def test_the_best_of_a_screen_is_a_ranking_whose_rest_is_in_no_order() -> None:
    def best(task: int, chosen: str, rest: str) -> list[Judgment]:
        said: dict[str, Any] = {"kind": "choice", "form": "selection", "task_id": task, "annotation_id": task}
        return [grade("q", doc, "best" if doc == chosen else "rest", **said) for doc in chosen + rest]

    said = [*best(1, "a", "bc"), *best(2, "a", "cb"), *best(3, "b", "ca")]
    nothing = [grade("q", doc, "none", kind="choice", form="selection", task_id=4, annotation_id=4) for doc in "xy"]
    found = rankings([*said, *nothing], kinds={"choice"})
    assert [doc for _, doc in found.items] == ["a", "b", "c"]
    a, b, c = plackett_luce(found)
    assert a - b == pytest.approx(np.log(2), abs=0.05)
    assert b > c
    top = choix.opt_top1(3, [(0, (1, 2)), (0, (1, 2)), (1, (0, 2))], alpha=0.005, tol=1e-10)
    assert [a, b, c] == pytest.approx(list(top), abs=1e-3)


# whether they hang together


@settings(deadline=None)
@given(st.integers(1, 12), st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=30))
def test_groups_are_scipys_strong_components(n: int, edges: list[tuple[int, int]]) -> None:
    within = np.array([(a % n, b % n) for a, b in edges], np.int64).reshape(-1, 2)
    found = groups(n, within[:, 0], within[:, 1])
    count, wanted = connected_components(coo_array((np.ones(len(within)), within.T), shape=(n, n)), connection="strong")
    assert len({*zip(found, wanted, strict=True)}) == count == found.max() + 1
    assert found[0] == 0


def test_what_hangs_together_says_nothing() -> None:
    said = [preference("a", "b", "x"), preference("b", "c", "x"), preference("c", "a", "x")]
    found = preferences(said)
    assert apart(found.items, found.better, found.other, found.tie) == []


def test_groups_that_nobody_compared_are_named() -> None:
    found = preferences([preference("a", "b"), preference("c", "d"), preference("x", "y", value="tie", query="p")])
    (sentence,) = apart(found.items, found.better, found.other, found.tie)
    assert sentence.startswith("query q: nobody compared")
    assert sentence.endswith(": a, b | c, d")


def test_items_that_never_lost_are_named() -> None:
    found = preferences([preference("a", "b"), preference("b", "c"), preference("c", "b", "bob")])
    (sentence,) = apart(found.items, found.better, found.other, found.tie)
    assert re.fullmatch(r"query q: some items never lost.*: a \| b, c", sentence)


# evidence


def evidence() -> list[Evidence]:
    random = np.random.default_rng(0)
    one = random.integers(0, 6, 30)
    other, tie = (one + random.integers(1, 6, 30)) % 6, random.integers(0, 2, 30)
    compared = Compared(6, one, other, tie, random.random(30), steepness=2.0)
    compared.fit_ties(np.zeros(6))
    ranking, item = np.repeat(np.arange(5), 4), np.concatenate([random.permutation(6)[:4] for _ in range(5)])
    order = Ranked(6, ranking, item, np.tile([1, 2, 2, 3], 5), random.random(5), steepness=1.5)
    bias, spread = random.normal(0, 0.4, 40), 0.3 + random.random(40)
    graded = Graded(6, 4, random.integers(0, 6, 40), random.integers(0, 4, 40), bias, spread, random.random(40))
    return [compared, order, graded]


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_slopes_and_curvatures_are_the_derivatives(kind: int) -> None:
    one = evidence()[kind]
    places = np.random.default_rng(1).normal(0, 1, 6)
    assert one.slope(places) == pytest.approx(approx_fprime(places, one.loss, 1e-7), abs=1e-4)
    for axis in np.eye(6):
        moved = (one.slope(places + 1e-6 * axis) - one.slope(places - 1e-6 * axis)) / 2e-6
        assert one.curvature(places)(axis) == pytest.approx(moved, abs=1e-5)


def test_chances_of_all_grades_are_one_together() -> None:
    places: Floats = np.arange(-3.0, 4.0).astype(np.float64)
    ones = np.ones(7)
    logs = [Graded(7, 4, np.arange(7), np.full(7, g), 0.3 * ones, 0.6 * ones, ones).logs(places) for g in range(4)]
    assert np.exp(logs).sum(axis=0) == pytest.approx(ones)
