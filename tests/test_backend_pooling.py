"""Pools: from proposals to the screen, reproducible, of the asked-for depth; and the grades predicted for them."""

import math
import random
from collections import Counter
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
from label_configs.records import Candidate, Item, Pool, Query
from ml_backend import ambiguity, audit, index, pooling
from ml_backend.collection import Collection, Space
from ml_backend.fusion import Fused
from ml_backend.likeness import diverse, fold
from ml_backend.pooling import Proposed
from ml_backend.proposers.request import Request
from ml_backend.ranker import Ranker
from ml_backend.rounds import Rounds
from store import pools
from store.settings import Negatives, Settings

RULES = rules_file.parse(rules_file.preset())
DOCS = {f"d{n:02}": (math.cos(n / 13), math.sin(n / 13)) for n in range(40)}
TITLES = {"d39": "red", "d38": "red shoe"}


@pytest.fixture
def arc(tmp_path: Path) -> Collection:
    """40 items on an arc, d00 nearest to every query, and two that share a word with it."""
    return tiny.collection(tmp_path, DOCS, {"red": (1, 0)}, titles=TITLES)


def settings(**pool: Any) -> Settings:
    """No near-duplicates, for neighbours on the arc have a cosine of 0.997; no audit, and nothing planted by itself."""
    plain = {"reach": 20, "gold_share": 1.0, "planted": 0, "near_duplicate": 1.0, "audit_near": 0, "audit_beyond": 0}
    return Settings.model_validate({"pool": {**plain, **pool}})


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
    assert "dense, neighbours, lexical, siblings" in unknown.value.mend


def test_a_random_draw_is_not_fused_but_counted(arc: Collection) -> None:
    with pytest.raises(Mendable, match="no proposer 'random'") as refused:
        build(arc, proposers=("dense", "random"))
    assert "`random = N`" in refused.value.why


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


def test_a_candidate_says_which_proposers_named_it_and_at_which_rank(arc: Collection) -> None:
    reasons = {c.doc_id: c.reason for c in build(arc, "d03", depth=30, hard=0, gold_share=0).candidates}
    assert (reasons["d39"], reasons["d02"]) == ("lexical 1", "neighbours:e 1, dense:e 3")


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


def test_an_item_that_no_encoder_holds_can_be_proposed_by_its_words(arc: Collection) -> None:
    items = {**arc.items, "heard": Item(doc_id="heard", modality="audio", uri="x.wav", title="red")}
    by_id = {c.doc_id: c for c in build(Collection(items, arc.spaces), depth=8, near_duplicate=0.98).candidates}
    assert (by_id["heard"].source, by_id["heard"].score) == ("lexical", 0)


def test_the_order_of_the_corpus_changes_no_pool(tmp_path: Path) -> None:
    pools = []
    for n, order in enumerate((list(DOCS), random.Random(0).sample(list(DOCS), len(DOCS)))):
        docs = {doc_id: DOCS[doc_id] for doc_id in order}
        corpus = tiny.collection(tmp_path / str(n), docs, {"red": (1, 0)}, titles=TITLES)
        pools.append(build(corpus, "d03", audit_near=2, audit_beyond=1, near_duplicate=0.98))
    assert ids(pools[0]) == ids(pools[1])


def noisy(folder: Path, names: str) -> tuple[Collection, dict[str, set[str]]]:
    """Encoders that each see 600 documents through a noise of their own, and the ten that truly lie nearest to 20."""
    world = np.random.default_rng(7)
    documents, asked = world.normal(size=(600, 32)), world.normal(size=(20, 32))
    best = np.argsort(-(asked @ (documents / np.linalg.norm(documents, axis=1, keepdims=True)).T), axis=1)[:, :10]
    truth = {f"q{n}": {f"d{row}" for row in rows} for n, rows in enumerate(best)}
    spaces = {}
    for name in names:
        seen = documents + np.random.default_rng(ord(name)).normal(scale=0.7, size=documents.shape)
        seen /= np.linalg.norm(seen, axis=1, keepdims=True)
        queries = {f"q{n}": vector.tolist() for n, vector in enumerate(asked)}
        docs = {f"d{n}": vector.tolist() for n, vector in enumerate(seen)}
        spaces[name] = tiny.collection(folder / name, docs, queries, name=name).spaces[name]
    items = {f"d{n}": Item(doc_id=f"d{n}", modality="image", uri=f"{n}") for n in range(600)}
    return Collection(items, spaces), truth


def test_three_encoders_find_what_one_of_them_misses(tmp_path: Path) -> None:
    """As deep as one encoder's ten, and as the union of three tens: the floors of the simulation are 0.48 and 0.75."""

    def recall(names: str, depth: int) -> float:
        corpus, truth = noisy(tmp_path, names)
        chosen = settings(depth=depth, hard=0, random=0, proposers=("dense",), reach=100)
        pools = {q: pooling.build(Query(query_id=q, text=q), corpus, chosen).pool for q in truth}
        return sum(len(truth[q] & set(ids(pool))) for q, pool in pools.items()) / 200

    assert recall("a", 10) < 0.6
    assert recall("abc", 10) > recall("a", 10) + 0.05
    assert recall("abc", 24) > max(recall("a", 24), 0.75)


# near-duplicates


def test_near_duplicates_are_folded_into_the_best_of_them_and_kept_in_the_record(tmp_path: Path) -> None:
    """d05 and d06 lie so close to each other that one of them stands for both; d30 is far."""
    near = {"d05": (0.8, 0.6), "d06": (0.8, 0.6), "d07": (0.6, 0.8), "d30": (0.0, 1.0)}
    corpus = tiny.collection(tmp_path, near, {"red": (1, 0)})
    pool = build(corpus, near_duplicate=0.98, random=0)
    assert sorted(ids(pool)) == ["d05", "d07", "d30"]
    assert [(c.doc_id, c.source, c.twin) for c in pool.folded] == [("d06", "near-duplicate", "d05")]


def test_near_duplicates_are_in_no_run(arc: Collection) -> None:
    proposed = pooling.build(Query(query_id="q", text="red"), arc, settings(near_duplicate=0.98, depth=4))
    standing = {hit.doc_id for hit in proposed.run}
    assert standing >= {"d00", "d03", "d06"}  # cos(3/13) = 0.973, cos(2/13) = 0.988
    assert not standing & {"d01", "d02", "d04", "d05"}


def test_the_same_text_is_shown_once_whatever_its_vectors(tmp_path: Path) -> None:
    corpus = tiny.collection(tmp_path, {"a": (1, 0), "b": (0, 1), "c": (0.6, 0.8)}, {"red": (1, 0)})
    texts = {d: Item(doc_id=d, text=text) for d, text in (("a", "same"), ("b", "same"), ("c", "other"))}
    pool = build(Collection(texts, corpus.spaces), random=0)
    assert (sorted(ids(pool)), [c.doc_id for c in pool.folded]) == (["a", "c"], ["b"])


def test_two_encoders_have_to_agree_that_items_are_near_duplicates(tmp_path: Path) -> None:
    one = tiny.collection(tmp_path / "1", {"a": (1, 0), "b": (1, 0), "c": (1, 0)}, {"red": (1, 0)}, name="one")
    two = tiny.collection(tmp_path / "2", {"a": (1, 0), "b": (0, 1)}, {"red": (1, 0)}, name="two")
    both = Collection(one.items, {**one.spaces, **two.spaces})
    assert fold(both, ["a", "b", "c"], 0.98) == {"c": "a"}


def test_a_control_stands_for_nothing_and_is_folded_into_nothing(tmp_path: Path) -> None:
    corpus = tiny.collection(tmp_path, {"a": (1, 0), "b": (1, 0), "c": (0, 1)}, {"red": (1, 0)})
    for gold in "ab":
        pool = build(corpus, gold, near_duplicate=0.98, random=0)
        assert (sorted(ids(pool)), ids(pool, "control")) == (["a", "b", "c"], [gold])


def test_a_mined_near_duplicate_of_what_is_shown_is_not_shown_however_far_down_it_was_ranked(tmp_path: Path) -> None:
    docs = {"a": (1.0, 0.0), "twin": (1.0, 0.0), "other": (0.0, 1.0), "another": (0.0, 1.0)}
    corpus = tiny.collection(tmp_path, docs, {"red": (1, 0)}, titles={d: "red" for d in docs if d != "a"})
    given: dict[str, Any] = {"proposers": ("dense",), "reach": 1, "random": 0, "near_duplicate": 0.98}
    pool = build(corpus, **given)
    assert (ids(pool, "candidate"), ids(pool, "hard_negative")) == (["a"], ["another"])  # by the words that they share
    assert len(ids(build(corpus, "a", **given), "control")) == 1


def test_nothing_stands_for_a_known_match_which_stands_for_what_is_ranked_below_it(arc: Collection) -> None:
    assert fold(arc, ["d00", "d01", "d02"], 0.98, spared=frozenset({"d01"})) == {"d02": "d00"}
    assert fold(arc, ["d00", "d02", "d04"], 0.98, spared=frozenset({"d02"})) == {"d04": "d02"}


def test_a_known_match_is_shown_beside_its_look_alike_in_a_pool_without_controls(tmp_path: Path) -> None:
    corpus = tiny.collection(tmp_path, {"a": (1, 0), "b": (1, 0), "c": (0, 1)}, {"red": (1, 0)})
    pool = build(corpus, "b", near_duplicate=0.98, random=0, gold_share=0.0)
    assert (sorted(ids(pool)), ids(pool, "control"), pool.folded) == (["a", "b", "c"], [], ())


def test_what_was_shown_before_stands_for_what_comes_later(arc: Collection) -> None:
    assert fold(arc, ["d00", "d01", "d02"], 0.98) == {"d01": "d00", "d02": "d00"}
    assert fold(arc, ["d00", "d01", "d02"], 0.98, frozenset({"d02"})) == {"d00": "d02", "d01": "d02"}
    assert fold(arc, ["d00", "d01", "d02"], 0.98, frozenset({"d01", "d02"})) == {"d00": "d01"}


# diversity


def fused(*doc_ids: str) -> list[Fused]:
    return [Fused(doc_id, 1 / n, ((n, "s"),)) for n, doc_id in enumerate(doc_ids, 1)]


def test_without_diversity_the_ranking_stays_as_it_is(arc: Collection) -> None:
    hits = fused("d00", "d01", "d20")
    assert diverse(arc, hits, 3, 0) == hits
    assert diverse(arc, [], 3, 1) == []


def test_diversity_takes_what_is_unlike_what_is_chosen(arc: Collection) -> None:
    """0.5 · (1/2) - 0.5 · cos(1/13) < 0.5 · (1/3) - 0.5 · cos(20/13)."""
    hits = fused("d00", "d01", "d20", "d21")
    assert [hit.doc_id for hit in diverse(arc, hits, 2, 0.5)] == ["d00", "d20", "d01", "d21"]
    assert [hit.doc_id for hit in diverse(arc, hits, 4, 1.0)][:2] == ["d00", "d21"]


def test_a_diverse_pool_covers_more_of_the_arc(arc: Collection) -> None:
    def spread(diversity: float) -> int:
        kinds: dict[str, Any] = {"hard": 0, "random": 0, "proposers": ("dense",)}
        numbers = [int(d[1:]) for d in ids(build(arc, depth=6, diversity=diversity, **kinds))]
        return max(numbers) - min(numbers)

    assert spread(0.9) > spread(0)


# depth


@pytest.fixture
def plain(tmp_path: Path) -> Collection:
    """One item that a query can mean, and 29 that it cannot; a query that means none in particular is like to all."""
    docs = {"x": (1.0, 0.0, 0.0)} | {f"y{n}": (0.0, 1.0, 0.0) for n in range(29)}
    queries = {"owl": (1, 0, 0), "owl on the old barn": (1, 0, 0), "all": (0, 0, 1), "anything old big red": (0, 0, 1)}
    return tiny.collection(tmp_path, docs, queries)


@pytest.mark.parametrize(
    ("text", "hesitates", "words", "depth"),
    [("owl on the old barn", 0, 3, 8), ("owl", 0, 1, 16), ("anything old big red", 1, 4, 16), ("all", 1, 1, 24)],
)
def test_depth_grows_with_hesitation_and_shortness_by_whole_screens(
    plain: Collection, text: str, hesitates: float, words: int, depth: int
) -> None:
    request = Request(Query(query_id="q", text=text), plain)
    assert ambiguity.hesitation(request, "e", 30) == pytest.approx(hesitates, abs=1e-6)
    assert ambiguity.ambiguity(request, 30) == pytest.approx((hesitates + 1 / words) / 2, abs=1e-6)
    assert ambiguity.depth(request, settings(depth=8, max_depth=24).pool) == depth
    assert ambiguity.depth(request, settings(depth=8).pool) == 8


def test_a_picture_has_no_words_to_count(plain: Collection) -> None:
    picture = Request(Query(query_id="q", modality="image", text="all"), plain)
    assert ambiguity.ambiguity(picture, 30) == pytest.approx(1)


def test_depth_never_passes_its_bounds(plain: Collection) -> None:
    request = Request(Query(query_id="q", text="all"), plain)
    for low, high in ((2, 2), (3, 5), (9, 11), (16, 17), (20, 100)):
        assert low <= ambiguity.depth(request, settings(depth=low, max_depth=high).pool) <= high


def test_one_item_alone_leaves_nothing_to_hesitate_between(tmp_path: Path) -> None:
    single = tiny.collection(tmp_path, {"only": (1, 0)}, {"red": (1, 0)})
    assert ambiguity.hesitation(Request(Query(query_id="q", text="red"), single), "e", 9) == 0


# the audit


def test_audits_are_drawn_from_below_the_cut_and_say_of_how_many(arc: Collection) -> None:
    """Of 40 ranked 8 are shown but for the audit, so that 8 + 3 · 8 … 16 and 17 … 40 are left to be drawn from."""
    pool = build(arc, depth=8, hard=0, random=0, audit_near=2, audit_beyond=1, reach=40, proposers=("dense",))
    by_source = {c.source: c for c in pool.candidates if c.role == "audit"}
    near, beyond = by_source["audit:near"], by_source["audit:beyond"]
    assert (near.drawn, near.drawn_from, near.reason) == (2, 11, "2 of 11 ranked 6 to 16")
    assert (beyond.drawn, beyond.drawn_from, beyond.reason) == (1, 24, "1 of 24 ranked 17 to 40")
    assert sorted(ids(pool, "candidate")) == ["d00", "d01", "d02", "d03", "d04"]
    assert all(6 <= c.rank <= 16 for c in pool.candidates if c.source == "audit:near")


def test_strata_hold_everything_that_is_ranked_and_not_shown(arc: Collection) -> None:
    for hard in (0, 3):
        pool = build(arc, "d20", depth=9, hard=hard, random=1, audit_near=2, audit_beyond=2, reach=15)
        sizes = {c.source: c.drawn_from for c in pool.candidates if c.drawn}
        named = {c.doc_id for c in pool.candidates if c.role not in {"audit", "random"}}
        assert sum(sizes.values()) + len(named) == len(DOCS)


def test_a_random_control_stands_for_what_no_proposer_named(arc: Collection) -> None:
    pool = build(arc, depth=8, random=2, reach=10, proposers=("dense",))
    assert {(c.drawn, c.drawn_from) for c in pool.candidates if c.role == "random"} == {(2, 30)}


def test_what_one_stratum_lacks_is_drawn_from_the_other() -> None:
    ranks = {f"d{n}": n for n in range(1, 8)}
    for edge, counts in ((99, (3, 0)), (0, (0, 3)), (6, (2, 1))):
        drawn = audit.draw(audit.strata(list(ranks), ranks, edge), 1, 2, random.Random(0))
        assert Counter(c.source for c in drawn) == {
            source: count for source, count in zip(("audit:near", "audit:beyond"), counts, strict=True) if count
        }
    assert len(audit.draw(audit.strata(["d1"], ranks, 3), 2, 2, random.Random(0))) == 1
    assert audit.draw(audit.strata([], ranks, 3), 2, 2, random.Random(0)) == []


def test_the_weights_of_the_audit_estimate_without_bias_how_many_were_missed(arc: Collection) -> None:
    """Every third item is relevant: over 300 seeds the mean estimate of those not shown lies near their number."""
    relevant = {f"d{n:02}" for n in range(0, 40, 3)}
    estimates, missed = [], []
    for seed in range(300):
        pool = build(
            arc, depth=8, hard=0, random=1, audit_near=1, audit_beyond=1, reach=30, proposers=("dense",), seed=seed
        )
        drawn = [c for c in pool.candidates if c.drawn and c.doc_id in relevant]
        estimates.append(sum(c.drawn_from / c.drawn for c in drawn))
        missed.append(len(relevant - {c.doc_id for c in pool.candidates if not c.drawn}))
    assert np.mean(estimates) == pytest.approx(np.mean(missed), abs=4 * float(np.std(estimates)) / math.sqrt(300))


# what a margin forbids


def test_what_a_margin_forbids_takes_the_place_of_a_negative(arc: Collection) -> None:
    """With d20 known, what is nearer to the query is forbidden: the first that is not shown anyway."""
    kinds = {"depth": 8, "hard": 3, "random": 0, "gold_share": 0}
    pool = build(arc, "d20", **kinds)
    assert Counter(c.source for c in pool.candidates)["margin:e"] == 1
    assert len(ids(pool, "hard_negative")) == 2
    query, never = Query(query_id="q", text="red", positives=("d20",)), Negatives(discarded=0)
    none = pooling.build(query, arc, settings(**kinds).model_copy(update={"negatives": never})).pool
    assert len(ids(none, "hard_negative")) == 3


# later rounds


def rounds(folder: Path, docs: dict[str, tuple[float, float]], **pool: Any) -> Rounds:
    place = folder / str(len(docs))
    collection = tiny.collection(place, docs, {"red": (1, 0)}, titles=TITLES)
    made = Rounds(folder / "pools", collection, "image", settings(depth=8, hard=2, reach=15, **pool))
    made.keep_items()
    return made


def before(proposed: Proposed | None) -> pools.Rounds:
    assert proposed is not None
    pool = proposed.pool
    return pools.Rounds(pool.round, pool.index, frozenset(ids(pool)))


QUERY = Query(query_id="q", text="red", positives=("d03",))


def test_a_later_round_holds_what_is_new_and_nothing_that_was_shown(tmp_path: Path) -> None:
    first = rounds(tmp_path, DOCS).next(QUERY, None)
    grown = rounds(tmp_path, {"new1": (0.9999, 0.0141), "new2": (0.9, -0.4359), "far": (-1.0, 0.0), **DOCS})
    second = grown.next(QUERY, before(first))
    assert second is not None
    assert (second.pool.round, set(ids(second.pool))) == (2, {"new1", "new2"})
    assert {c.role for c in second.pool.candidates} <= {"candidate", "hard_negative"}
    third = grown.next(QUERY, pools.Rounds(2, second.pool.index, frozenset(ids(second.pool))))
    assert third is None


def test_there_is_no_later_round_where_nothing_is_new(tmp_path: Path) -> None:
    made = rounds(tmp_path, DOCS)
    assert made.next(QUERY, before(made.next(QUERY, None))) is None


def test_what_is_new_but_far_makes_no_round(tmp_path: Path) -> None:
    first = rounds(tmp_path, DOCS).next(QUERY, None)
    assert rounds(tmp_path, {**DOCS, "far": (-1.0, 0.0)}).next(QUERY, before(first)) is None


def test_what_was_withdrawn_is_in_no_later_round(tmp_path: Path) -> None:
    first = rounds(tmp_path, DOCS).next(QUERY, None)
    left = {"new": (1.0, 0.0)} | {d: v for d, v in DOCS.items() if d not in {"d00", "d01"}}
    second = rounds(tmp_path, left).next(QUERY, before(first))
    assert second is not None
    assert ids(second.pool) == ["new"]
    assert not {hit.doc_id for hit in second.run} & {"d00", "d01"}


def test_a_later_round_is_capped(tmp_path: Path) -> None:
    first = rounds(tmp_path, DOCS).next(QUERY, None)
    more = {f"new{n}": (math.cos(n / 99), -math.sin(n / 99)) for n in range(1, 10)}
    second = rounds(tmp_path, {**more, **DOCS}, top_up=3).next(QUERY, before(first))
    assert second is not None
    assert set(ids(second.pool)) == {"new1", "new2", "new3"}


def test_a_new_near_duplicate_of_what_was_shown_is_not_shown(tmp_path: Path) -> None:
    first = rounds(tmp_path, DOCS).next(QUERY, None)
    twin = rounds(tmp_path, {"twin": DOCS["d00"], **DOCS})
    assert twin.next(QUERY, before(first)) is None


# the ranker

RANKER = Ranker(RULES, "v1")


@pytest.mark.parametrize(
    ("score", "grade"), [(-9, 0), (1.99, 0), (2, 1), (2.99, 1), (3, 2), (3.99, 2), (4, 3), (99, 3)]
)
def test_grades_begin_two_deviations_above_the_corpus(score: float, grade: int) -> None:
    assert RANKER.calibration.grades([score]).tolist() == [grade]


def test_certainty_is_least_at_the_cuts_and_grows_away_from_them() -> None:
    assert RANKER.certainty([]) == 0
    rising = [RANKER.certainty([score]) for score in (3.0, 1.0, 0.0, -2.0, -9.0)]
    assert rising == sorted(set(rising))
    assert rising[-1] == 1
    assert RANKER.certainty([3.0, -9.0]) == pytest.approx((rising[0] + 1) / 2, abs=1e-4)


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
    shown = [second["meta"]["ls_retrieval"]["docs"][c["id"]] for c in second["data"]["candidates"]]
    assert predicted["score"] == RANKER.certainty([{"x": 5.0, "y": 0.5, "z": 3.5}[d] for d in shown])
    grades = {"x": "3", "y": "0", "z": "2"}
    assert [r["value"] for r in predicted["result"]] == [{"choices": [grades[d]]} for d in shown]  # type: ignore[attr-defined]


def test_scores_are_deviations_above_the_corpus(tmp_path: Path) -> None:
    index.build(tmp_path, "e", "f", ["a", "b"], [b"a", b"b"], np.array([[1, 0], [0, 1]], dtype=np.float32))
    space = Space("e", index.load(tmp_path, "e"), lambda query: np.zeros(2, dtype=np.float32))
    scores = space.scores(np.array([1, 0], dtype=np.float32), ["b", "a", "b"])  # mean 0.5, deviation 0.5
    assert scores.tolist() == [-1, 1, -1]
