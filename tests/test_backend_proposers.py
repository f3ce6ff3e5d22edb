"""Proposers and fusion, on vectors and scores that can be computed by hand."""

import math
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st

from label_configs.errors import Unreadable
from label_configs.records import Item, Query, ScoredDoc
from ml_backend import fusion
from ml_backend.asked import Asked, gather
from ml_backend.collection import Collection, Space
from ml_backend.encoders.base import Vectors
from ml_backend.proposers import dense, lexical, neighbours, siblings, stratum
from ml_backend.proposers.request import Request

# On the unit circle; the query lies at (1, 0), so that the first number is the similarity to it.
DOCS = {"a": (1, 0), "b": (0.8, 0.6), "c": (0.6, 0.8), "d": (0, 1), "e": (-0.6, 0.8), "f": (-1, 0)}
TITLES = {"a": "red car", "c": "red red house", "e": "the", "f": "blue sky"}


@pytest.fixture
def circle(tmp_path: Path) -> Collection:
    return tiny.collection(tmp_path, DOCS, {"red": (1, 0), "": (1, 0), "the": (1, 0)}, titles=TITLES)


def request(collection: Collection, *positives: str, text: str = "red") -> Request:
    return Request(Query(query_id="q", text=text, positives=positives), collection)


def found(ranking: list[ScoredDoc]) -> dict[str, float]:
    return {hit.doc_id: round(hit.score, 3) for hit in ranking}


# dense


def test_dense_ranks_by_similarity_to_the_query(circle: Collection) -> None:
    assert found(dense.propose(request(circle), 3)["dense:e"]) == {"a": 1, "b": 0.8, "c": 0.6}
    assert list(found(dense.propose(request(circle), 99)["dense:e"])) == list("abcdef")


def test_ties_are_broken_by_id_whatever_the_order_of_the_corpus(tmp_path: Path) -> None:
    tied = dict.fromkeys("cab", (0.6, 0.8)) | {"z": (1.0, 0.0)}
    for n, order in enumerate(("cabz", "zbac")):
        corpus = tiny.collection(tmp_path / str(n), {name: tied[name] for name in order}, {"red": (1, 0)})
        assert list(found(dense.propose(request(corpus), 9)["dense:e"])) == list("zabc")


def test_an_encoder_that_cannot_read_the_query_has_no_say(tmp_path: Path, circle: Collection) -> None:
    def refuse(query: Query) -> Vectors:
        raise Unreadable("no words")

    deaf = Space("deaf", circle.spaces["e"].index, refuse)
    both = Collection(circle.items, {"deaf": deaf, **circle.spaces})
    assert list(dense.propose(request(both), 3)) == ["dense:e"]
    with pytest.raises(Unreadable, match="no words"):
        dense.propose(request(Collection(circle.items, {"deaf": deaf})), 3)


def test_a_space_says_nothing_of_what_it_does_not_hold(tmp_path: Path, circle: Collection) -> None:
    items = {**circle.items, "unheard": Item(doc_id="unheard", modality="audio", uri="x")}
    asked = request(Collection(items, circle.spaces), "unheard", "d")
    assert asked.similarities("e", ["b", "unheard"]) == pytest.approx({"b": 0.8})
    assert found(neighbours.propose(asked, 1)["neighbours:e"]) == {"c": 0.8}


# neighbours


def test_without_known_positives_there_are_no_neighbours(circle: Collection) -> None:
    assert neighbours.propose(request(circle), 3) == {"neighbours:e": []}
    assert neighbours.propose(request(circle, "not in the corpus"), 3) == {"neighbours:e": []}


def test_neighbours_rank_by_the_nearest_known_positive_and_leave_it_out(circle: Collection) -> None:
    assert found(neighbours.propose(request(circle, "d"), 3)["neighbours:e"]) == {"c": 0.8, "e": 0.8, "b": 0.6}
    both = neighbours.propose(request(circle, "d", "f"), 2)  # f·e = 0.6, d·e = d·c = 0.8: ties by doc_id
    assert found(both["neighbours:e"]) == {"c": 0.8, "e": 0.8}


# lexical


def test_lexical_finds_common_words_only(circle: Collection) -> None:
    hits = lexical.propose(request(circle), 9)["lexical"]
    assert [hit.doc_id for hit in hits] == ["c", "a"]  # twice the word, though in one word more
    assert hits[0].score > hits[1].score > 0


@pytest.mark.parametrize("text", ["", "the", "zeppelin"])
def test_without_a_common_word_lexical_proposes_nothing(circle: Collection, text: str) -> None:
    asked = Request(Query(query_id="q", text=text), circle)
    assert lexical.propose(asked, 9) == {"lexical": []}


@pytest.mark.parametrize("title", ["", "the"])
def test_a_corpus_without_words_proposes_nothing(tmp_path: Path, title: str) -> None:
    wordless = tiny.collection(tmp_path, {"a": (1, 0)}, {}, titles={"a": title})
    assert lexical.propose(request(wordless), 9) == {"lexical": []}


def test_captions_and_metadata_are_words_too(tmp_path: Path) -> None:
    space = tiny.collection(tmp_path, dict.fromkeys("abcde", (1, 0)), {}).spaces
    items = {
        "a": Item(doc_id="a", modality="image", uri="a", metadata={"tags": ["Red", 7]}),
        "b": Item(doc_id="b", modality="image", uri="b", text="something red"),
        "c": Item(doc_id="c", modality="image", uri="c", metadata={"colour": "red"}),
        "d": Item(doc_id="d", modality="image", uri="red.png", metadata={"red": {"red": "red"}, "number": 7}),
        "e": Item(doc_id="e", modality="image", uri="e", text="blue"),
    }
    assert set(found(lexical.propose(request(Collection(items, space)), 9)["lexical"])) == {"a", "b", "c"}


def test_what_every_item_says_is_no_common_word(tmp_path: Path) -> None:
    titles = {"a": "red licence", "b": "blue licence"}
    corpus = tiny.collection(tmp_path, {"a": (1, 0), "b": (0, 1)}, {}, titles=titles)
    assert lexical.propose(request(corpus, text="licence"), 9) == {"lexical": []}
    assert list(found(lexical.propose(request(corpus, text="red licence"), 9)["lexical"])) == ["a"]


def test_lexical_ties_are_broken_by_id_whatever_the_order_of_the_corpus(tmp_path: Path) -> None:
    for order in ("cab", "bac"):
        titles = dict.fromkeys(order, "red") | {"z": "blue"}
        corpus = tiny.collection(tmp_path / order, dict.fromkeys((*order, "z"), (1, 0)), {}, titles=titles)
        assert list(found(lexical.propose(request(corpus), 9)["lexical"])) == list("abc")


# siblings


def asked(near: int, positives: tuple[str, ...] = ("d", "e")) -> Asked:
    """`near` queries where the query itself lies, with known answers, and 20 that lie elsewhere, with others."""
    alike = [Query(query_id=f"near{n}", text="red", positives=positives) for n in range(near)]
    others = [Query(query_id=f"far{n:02}", text="x", positives=("f",)) for n in range(20)]
    vectors = [(1.0, 0.0)] * near + [(0.0, 1.0)] * 20
    return Asked((*alike, *others), np.array(vectors, dtype=np.float32))


def test_without_queries_that_were_answered_there_are_no_siblings(circle: Collection) -> None:
    assert siblings.propose(request(circle), 9) == {"siblings": []}
    nobody = replace(circle, asked={"e": gather([Query(query_id="x", text="x")], lambda query: None)})
    assert siblings.propose(request(nobody), 9) == {"siblings": []}


def test_siblings_are_queries_that_lie_far_above_the_others(circle: Collection) -> None:
    """One of 21 stands √20 deviations above the mean of all, four of 24 only √5."""
    one = replace(circle, asked={"e": asked(1)})
    assert found(siblings.propose(request(one, "e"), 9)["siblings"]) == {"d": round(math.sqrt(20), 3)}
    assert siblings.propose(request(replace(circle, asked={"e": asked(4)})), 9) == {"siblings": []}


def test_answers_of_the_nearest_queries_are_ranked_however_near_they_are(circle: Collection) -> None:
    ranked = siblings.answers(request(replace(circle, asked={"e": asked(4)})), 9)
    assert [hit.doc_id for hit in ranked] == ["d", "e", "f"]
    assert ranked[0].score == ranked[1].score == pytest.approx(math.sqrt(5))


def test_a_query_is_no_sibling_of_itself_nor_of_one_of_another_modality(circle: Collection) -> None:
    known = asked(1)
    itself = Asked((replace(known.queries[0], query_id="q"), *known.queries[1:]), known.vectors)
    pictures = Asked(tuple(replace(query, modality="image") for query in known.queries), known.vectors)
    assert [h.doc_id for h in siblings.answers(request(replace(circle, asked={"e": itself})), 9)] == ["f"]
    assert siblings.answers(request(replace(circle, asked={"e": pictures})), 9) == []


def test_an_answer_that_left_the_corpus_is_not_proposed(circle: Collection) -> None:
    gone = replace(circle, asked={"e": asked(1, ("d", "withdrawn"))})
    assert [hit.doc_id for hit in siblings.propose(request(gone), 9)["siblings"]] == ["d"]


def test_a_query_that_cannot_be_read_is_no_sibling() -> None:
    def vector(query: Query) -> Vectors:
        if query.query_id == "torn":
            raise Unreadable("torn")
        return np.array([1, 0], dtype=np.float32)

    queries = [Query(query_id=name, positives=("a",)) for name in ("torn", "whole")]
    assert [query.query_id for query in gather(queries, vector).queries] == ["whole"]


# random, by stratum


def corpus_of(tags: dict[str, int]) -> Collection:
    items = {
        f"{tag}{n}": Item(doc_id=f"{tag}{n}", metadata={"tags": [tag, "x"]})
        for tag, count in tags.items()
        for n in range(count)
    }
    return Collection(items, {}, strata=("domain", "tags"))


def test_a_draw_from_nothing_is_empty() -> None:
    assert stratum.draw(Collection({}, {}), (), 3, random.Random(0)) == []
    assert stratum.draw(corpus_of({"a": 2}), ("a0", "a1"), 3, random.Random(0)) == []


@given(st.integers(0, 2**32))
def test_every_stratum_is_drawn_in_its_proportion(seed: int) -> None:
    drawn = stratum.draw(corpus_of({"a": 60, "b": 30, "c": 10}), (), 10, random.Random(seed))
    assert Counter(doc_id[0] for doc_id in drawn) == {"a": 6, "b": 3, "c": 1}


@given(st.integers(0, 2**32), st.sets(st.integers(0, 19)), st.integers(0, 25))
def test_a_draw_takes_as_many_as_there_are_and_nothing_that_is_taken(seed: int, taken: set[int], wanted: int) -> None:
    gone = {f"a{n}" for n in taken} | {"no item"}
    drawn = stratum.draw(corpus_of({"a": 20}), gone, wanted, random.Random(seed))
    assert len(drawn) == len(set(drawn)) == min(wanted, 20 - len(taken))
    assert not set(drawn) & gone


def test_every_item_has_the_same_chance() -> None:
    """3 of 8 that are left: 3/8 of 4,000 draws are 1,500 each, with a standard deviation of 31."""
    corpus, taken = corpus_of({"a": 5, "b": 5}), {"a1", "b2"}
    drawn = Counter(d for seed in range(4000) for d in stratum.draw(corpus, taken, 3, random.Random(seed)))
    assert len(drawn) == 8
    assert all(abs(count - 1500) < 5 * 31 for count in drawn.values())


def test_the_random_proposer_leaves_the_known_positives_out_and_keeps_to_its_seed(circle: Collection) -> None:
    ranked = stratum.propose(request(circle, "a"), 9)["random"]
    assert sorted(hit.doc_id for hit in ranked) == list("bcdef")
    assert stratum.propose(request(circle, "a"), 9)["random"] == ranked


# fusion


def ranking(doc_ids: str) -> list[ScoredDoc]:
    return [ScoredDoc("", doc_id, 0.0) for doc_id in doc_ids]


def test_nothing_fuses_to_nothing() -> None:
    assert fusion.reciprocal_rank({}) == []
    assert fusion.reciprocal_rank({"one": []}) == []


def test_fusion_adds_reciprocal_ranks() -> None:
    fused = fusion.reciprocal_rank({"one": ranking("abc"), "two": ranking("cb")})
    assert [(hit.doc_id, hit.source) for hit in fused] == [("c", "two"), ("b", "one"), ("a", "one")]
    assert [hit.reason for hit in fused] == ["two 1, one 3", "one 2, two 2", "one 1"]
    assert [hit.score for hit in fused] == pytest.approx([1 / 63 + 1 / 61, 1 / 62 + 1 / 62, 1 / 61])


def test_fusion_breaks_ties_by_doc_id_and_sources_by_name() -> None:
    fused = fusion.reciprocal_rank({"two": ranking("ba"), "one": ranking("ab")})
    assert [(hit.doc_id, hit.source) for hit in fused] == [("a", "one"), ("b", "two")]
