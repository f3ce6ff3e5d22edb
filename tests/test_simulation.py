"""The simulation, small: what it measures, and that a seed measures the same again."""

import numpy as np
import pytest

from ls_retrieval.simulation import CRITERIA, Size, peers, simulate, why
from ls_retrieval.simulation.crowd import crowd, judge, screens
from ls_retrieval.simulation.gold import auc, measured
from ls_retrieval.simulation.labelled import labelled
from ls_retrieval.simulation.world import world

SMALL = Size(documents=400, queries=12)


def test_the_encoders_of_the_world_see_about_half_of_what_is_relevant_first() -> None:
    made = world(Size(), 0)
    assert all(0.47 <= made.precision(name) <= 0.6 for name in made.vectors)
    assert all((row == 3).any() for row in made.grades)
    assert np.array_equal(made.grades, world(Size(), 0).grades)
    assert not np.array_equal(made.grades, world(Size(), 1).grades)


def test_a_crowd_without_noise_says_the_truth() -> None:
    plain = Size(documents=400, queries=4, noise=0.0, bias=0.0, spammers=0.0)
    made = labelled(world(plain, 0))
    assert all(int(j.value) == made.world.grade(j.query_id, j.doc_id) for j in made.judgments)
    random = np.random.default_rng(0)
    leaning = judge(made.world, screens(made.pools, 24), crowd(plain, random), made.rules, random, slope=-1.0)
    assert {j.value for j in leaning if j.position == 23} == {"0"}


def test_small_worlds_measure_every_criterion_and_a_seed_measures_the_same_again() -> None:
    found = simulate(1, SMALL)
    assert list(found) == list(CRITERIA) == ["M1", "M4", "M5", "M6", "M7", "M8", "M9"]
    for name, one in found.items():
        assert one["floor"].keys() <= one["value"].keys()
        assert one["seeds"] == [one["value"]], name
    cheap = ["M4", "M5", "M6"]
    assert {name: found[name] for name in cheap} == simulate(1, SMALL, cheap)
    assert found["M1"]["value"]["mine_hard_negatives: relevant"] > found["M1"]["value"]["really relevant"]
    assert found["M7"]["value"]["covering of 400"] >= 370


def test_the_odds_of_a_spammer_are_compared_with_everybody_elses_and_a_tie_counts_half() -> None:
    assert auc([2, 1], [1, 0]) == (0.5 + 3) / 4


def test_the_gold_of_the_simulation_is_measured_by_the_tools_own_rule() -> None:
    made = labelled(world(SMALL, 2))
    found, spammers = measured(made)
    assert (len(found), len(spammers)) == (1000, 250)
    assert {one["answers"] for one in found.values()} == {20}
    assert {"spam"} >= {flag for one in found.values() for flag in one["flags"]}


def test_the_peers_choose_by_their_own_rules() -> None:
    made = labelled(world(Size(documents=400, queries=4), 1))
    assert set(peers.mined(made.world)) == set(peers._ours(made.world, "ash", 5))
    voted = peers.majority(made.judgments)
    assert voted.keys() == {(j.query_id, j.doc_id) for j in made.judgments}
    assert peers.depth_k(made.world, ["ash"], 4 * 400) == 1.0
    assert peers.depth_k(made.world, ["ash"], 3) == 0.0  # not one for each query


@pytest.mark.parametrize("seed", range(3))
def test_a_planted_weakness_is_found_in_most_worlds(seed: int) -> None:
    assert np.mean([why.found_first(np.random.default_rng([seed, n])) for n in range(20)]) >= 0.75
