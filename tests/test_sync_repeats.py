"""Repeats: which tasks are asked again, once, and who is measured by them."""

from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from sync_world import make_workspace, pool

from label_configs.records import Pool
from store import pools
from store.gold import Gold
from sync.dataset import load
from sync.repeats import due, is_chosen, is_repeated
from sync.report import summary

FIRST = pool("q", [(f"d{n}", "candidate", "dense", n) for n in range(8)])
LATER = pool("q", [("new", "candidate", "dense", 1)])
ANSWERED = {FIRST.pool_id}


def ids(one: Pool) -> list[str]:
    return [c.doc_id for c in one.candidates]


def test_what_nobody_has_answered_is_not_asked_again() -> None:
    assert due([], {"x"}, 1, {}) == []
    assert due([FIRST], set(), 1, {}) == []


def test_a_repeat_shows_the_same_in_another_order_in_a_round_of_its_own() -> None:
    (again,) = due([FIRST], ANSWERED, 1, {})
    assert (again.round, again.index, again.seed) == (2, FIRST.index, FIRST.seed)
    assert sorted(ids(again)) == sorted(ids(FIRST))
    assert ids(again) != ids(FIRST.shuffled())


def test_a_query_is_repeated_once_and_after_all_of_its_rounds() -> None:
    second = replace(LATER, round=2, index="i2")
    (again,) = due([second, FIRST], ANSWERED, 1, {})
    assert (again.round, again.index) == (3, "i2")
    assert due([FIRST, second, again], ANSWERED, 1, {}) == []
    assert is_repeated([FIRST, second, again])
    assert not is_repeated([FIRST, second])


def test_what_became_gold_is_a_control_in_the_repeat() -> None:
    gold = {("q", "d3"): Gold("q", "d3", 2, "consensus"), ("p", "d4"): Gold("p", "d4", 2, "consensus")}
    (again,) = due([FIRST], ANSWERED, 1, gold)
    assert {c.doc_id: c.source for c in again.candidates if c.role == "control"} == {"d3": "gold:consensus"}


def test_a_repeat_with_gold_leaves_the_yield_of_the_sources_as_it_was(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    before = summary(load(workspace, "main"))["sources"]
    first = next(pool for pool in load(workspace, "main").pools if pool.query_id == "q1")
    gold = {("q1", "d4"): Gold("q1", "d4", 3, "consensus")}
    pools.append(workspace.pools, due([first], {first.pool_id}, 1, gold))
    assert {c.role for c in load(workspace, "main").pools[-1].candidates if c.doc_id == "d4"} == {"control"}
    assert summary(load(workspace, "main"))["sources"] == before


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_asks_the_same_queries_again_and_more(one: float, other: float) -> None:
    small, large = sorted((one, other))
    chosen = [{n for n in range(200) if is_chosen(f"q{n}", share)} for share in (small, large)]
    assert chosen[0] <= chosen[1]


def test_the_share_is_kept() -> None:
    assert sum(is_chosen(f"q{n}", 0) for n in range(1000)) == 0
    assert sum(is_chosen(f"q{n}", 1) for n in range(1000)) == 1000
    assert 150 < sum(is_chosen(f"q{n}", 0.2) for n in range(1000)) < 250
