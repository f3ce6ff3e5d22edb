"""Pools: from proposals to the screen, reproducible, of the asked-for depth; and the grades predicted for them."""

import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny

from label_configs import rules as rules_file
from label_configs.cards import Card
from label_configs.errors import Mendable
from label_configs.forms import graded
from label_configs.records import Candidate, Pool, Query
from ml_backend import index, pooling
from ml_backend.collection import Collection, Space
from ml_backend.ranker import Ranker
from store.settings import Settings

RULES = rules_file.parse(rules_file.preset())
DOCS = {f"d{n:02}": (math.cos(n / 13), math.sin(n / 13)) for n in range(40)}
TITLES = {"d39": "red", "d38": "red shoe"}


@pytest.fixture
def arc(tmp_path: Path) -> Collection:
    """40 items on an arc, d00 nearest to every query, and two that share a word with it."""
    return tiny.collection(tmp_path, DOCS, {"red": (1, 0)}, titles=TITLES)


def settings(**pool: Any) -> Settings:
    return Settings.model_validate({"pool": {"reach": 20, "gold_share": 1.0, **pool}})


def build(collection: Collection, *positives: str, round_: int = 1, **pool: Any) -> Pool:
    query = Query(query_id="q", text="red", positives=positives)
    return pooling.build(query, collection, settings(**pool), round_=round_).pool


def ids(pool: Pool, role: str = "") -> list[str]:
    return [c.doc_id for c in pool.candidates if c.role == role or not role]


def test_a_query_without_positives_gets_a_pool_without_gold(arc: Collection) -> None:
    pool = build(arc, depth=8, hard=3, random=1)
    assert len(pool.candidates) == 8
    assert {c.role for c in pool.candidates} == {"candidate", "hard_negative", "random"}
    assert ids(pool, "random")[0] not in {f"d{n:02}" for n in (*range(20), 38, 39)}  # which the proposers reach


def test_a_corpus_smaller_than_the_pool_is_shown_whole_and_once(tmp_path: Path) -> None:
    small = tiny.collection(tmp_path, dict(list(DOCS.items())[:3]), {"red": (1, 0)})
    assert sorted(ids(build(small, "d01", depth=16))) == ["d00", "d01", "d02"]


def test_a_single_item_is_a_pool(tmp_path: Path) -> None:
    single = tiny.collection(tmp_path, {"only": (1, 0)}, {"red": (1, 0)})
    assert build(single, depth=2).candidates[0].score == 0  # nothing to compare it with


def test_the_same_inputs_give_the_same_pool_and_run(arc: Collection) -> None:
    query = Query(query_id="q", text="red", positives=("d03",))
    assert pooling.build(query, arc, settings()) == pooling.build(query, arc, settings())


def test_a_proposer_that_there_is_not_is_named_beside_those_that_there_are(arc: Collection) -> None:
    with pytest.raises(Mendable, match="no proposer 'dnse', 'bm25'") as unknown:
        build(arc, proposers=("dnse", "lexical", "bm25"))
    assert "dense, neighbours, lexical" in unknown.value.mend


def test_seed_and_round_change_the_order(arc: Collection) -> None:
    first = build(arc, "d03", random=0)
    for other in (build(arc, "d03", random=0, seed=1), build(arc, "d03", random=0, round_=2)):
        assert sorted(ids(other)) == sorted(ids(first))
        assert ids(other) != ids(first)
        assert other.pool_id != first.pool_id


def test_the_global_generator_is_left_alone(arc: Collection) -> None:
    before = random.getstate()
    build(arc, "d03")
    assert random.getstate() == before


@pytest.mark.parametrize("depth", [2, 3, 4, 8, 16, 40, 50])
@pytest.mark.parametrize(("hard", "random_"), [(0, 0), (4, 1), (9, 5), (50, 50)])
def test_depth_counts_all_kinds_and_nothing_comes_twice(arc: Collection, depth: int, hard: int, random_: int) -> None:
    pool = build(arc, "d03", "d04", depth=depth, hard=hard, random=random_, reach=40)
    assert len(ids(pool)) == len(set(ids(pool))) == min(depth, len(DOCS))


def test_gold_stands_in_the_asked_share_of_the_pools(arc: Collection) -> None:
    def golden(share: float) -> int:
        pools = [
            pooling.build(
                Query(query_id=f"q{n}", text="red", positives=("d03", "d30")), arc, settings(gold_share=share)
            )
            for n in range(60)
        ]
        return sum(len(ids(proposed.pool, "control")) for proposed in pools)

    assert golden(0) == 0
    assert golden(1) == 60
    assert 5 <= golden(0.25) <= 25


def test_gold_is_a_known_positive_and_comes_once(arc: Collection) -> None:
    pool = build(arc, "d03", "not in the corpus")
    assert ids(pool, "control") == ["d03"]
    assert ids(pool).count("d03") == 1


def test_known_positives_are_never_hard_negatives(arc: Collection) -> None:
    known = ["d00", "d01", "d02", "d05", "d38"]
    for seed in range(10):
        assert not set(ids(build(arc, *known, seed=seed, hard=8), "hard_negative")) & set(known)


def test_the_reader_of_the_order_learns_no_role(arc: Collection) -> None:
    """Over seeds, gold stands at every position."""
    places = {ids(build(arc, "d03", depth=8, seed=seed)).index("d03") for seed in range(60)}
    assert places == set(range(8))


def test_candidates_carry_source_score_and_rank(arc: Collection) -> None:
    by_id = {c.doc_id: c for c in build(arc, "d03", depth=8, hard=2, random=1).candidates}
    angles = np.cos(np.arange(40) / 13)
    expected = (1 - angles.mean()) / angles.std()
    assert by_id["d00"].score == pytest.approx(expected, abs=1e-3)
    assert all(c.rank > 0 for c in by_id.values() if c.role == "candidate")
    assert all(c.rank == 0 for c in by_id.values() if c.role == "random")
    assert {c.source for c in build(arc, depth=4, hard=0, random=0).candidates} == {"dense:e", "lexical"}


def test_the_run_is_the_ranking_that_the_pool_was_cut_from(arc: Collection) -> None:
    proposed = pooling.build(Query(query_id="q", text="red"), arc, settings(reach=5))
    assert len(proposed.run) == 5
    assert {hit.query_id for hit in proposed.run} == {"q"}
    assert [hit.score for hit in proposed.run] == sorted((hit.score for hit in proposed.run), reverse=True)


def test_items_that_one_encoder_could_not_read_are_left_out(tmp_path: Path) -> None:
    one = tiny.collection(tmp_path / "1", DOCS, {"red": (1, 0)}, name="one")
    two = tiny.collection(tmp_path / "2", dict(list(DOCS.items())[5:]), {"red": (1, 0)}, name="two")
    spaces = {name: replace(s, index=s.index.only(two.items)) for name, s in {**one.spaces, **two.spaces}.items()}
    both = Collection(two.items, spaces)
    pool = build(both, "d07", depth=20, hard=5)
    assert set(ids(pool)) <= set(two.items)
    assert len(ids(pool)) == 20


# the ranker

RANKER = Ranker(RULES, "v1")


@pytest.mark.parametrize(
    ("score", "grade"), [(-9, 0), (1.99, 0), (2, 1), (2.99, 1), (3, 2), (3.99, 2), (4, 3), (99, 3)]
)
def test_grades_begin_two_deviations_above_the_corpus(score: float, grade: int) -> None:
    assert RANKER.grade(score) == grade


def test_certainty_is_the_mean_distance_from_the_cuts() -> None:
    scored = [Candidate(doc_id=str(s), source="s", score=s) for s in (2.0, 2.25, 0.0, 9.0)]
    assert RANKER.certainty([]) == 0
    assert RANKER.certainty(scored) == pytest.approx((0 + 0.25 + 1 + 1) / 4)


def test_the_version_changes_with_rules_and_collection_only() -> None:
    assert RANKER.version == Ranker(RULES, "v1").version
    other = rules_file.parse(rules_file.preset().replace("Exact", "Perfect"))
    assert len({RANKER.version, Ranker(RULES, "v2").version, Ranker(other, "v1").version}) == 3


def test_a_prediction_follows_the_order_of_the_task() -> None:
    pool = Pool(
        query_id="q",
        candidates=tuple(Candidate(doc_id=d, source="s", score=s) for d, s in (("x", 5.0), ("y", 0.5), ("z", 3.5))),
        encoder="e",
        index="i",
        seed=0,
    )
    cards = {c.doc_id: Card("") for c in pool.candidates}
    second = graded.tasks(pool, Query(query_id="q", text="red"), "red", cards, RULES, per_screen=2)[1]
    predicted = RANKER.predict(second, pool)
    assert predicted["model_version"] == RANKER.version
    assert predicted["score"] == 0.5
    shown = [second["meta"]["ls_retrieval"]["docs"][c["id"]] for c in second["data"]["candidates"]]
    grades = {"x": "3", "y": "0", "z": "2"}
    assert [r["value"] for r in predicted["result"]] == [{"choices": [grades[d]]} for d in shown]  # type: ignore[attr-defined]


def test_scores_are_deviations_above_the_corpus(tmp_path: Path) -> None:
    index.build(tmp_path, "e", "f", ["a", "b"], [b"a", b"b"], np.array([[1, 0], [0, 1]], dtype=np.float32))
    space = Space("e", index.load(tmp_path, "e"), lambda query: np.zeros(2, dtype=np.float32))
    scores = space.scores(np.array([1, 0], dtype=np.float32), ["b", "a", "b"])  # mean 0.5, deviation 0.5
    assert scores.tolist() == [-1, 1, -1]
