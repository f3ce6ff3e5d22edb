"""Proposers, fusion and mined negatives, on vectors and scores that can be computed by hand."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny

from label_configs.records import Item, Query, ScoredDoc
from ml_backend import fusion, negatives
from ml_backend.collection import Collection
from ml_backend.encoders.base import Vectors
from ml_backend.negatives import eligible
from ml_backend.proposers import dense, lexical, neighbours
from ml_backend.proposers.request import Request
from store.settings import Negatives

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


def no_rule(**rule: Any) -> Negatives:
    return Negatives.model_validate({"relative_margin": None, **rule})


# dense


def test_dense_ranks_by_similarity_to_the_query(circle: Collection) -> None:
    assert found(dense.propose(request(circle), 3)["dense:e"]) == {"a": 1, "b": 0.8, "c": 0.6}
    assert list(found(dense.propose(request(circle), 99)["dense:e"])) == list("abcdef")


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


def test_captions_and_tags_are_words_too(tmp_path: Path) -> None:
    space = tiny.collection(tmp_path, {"a": (1, 0), "b": (0, 1), "c": (0, 1)}, {}).spaces
    items = {
        "a": Item(doc_id="a", modality="image", uri="a", metadata={"tags": ["Red", 7]}),
        "b": Item(doc_id="b", modality="image", uri="b", text="something red"),
        "c": Item(doc_id="c", modality="image", uri="c", metadata={"colour": "red"}),
    }
    assert set(found(lexical.propose(request(Collection(items, space)), 9)["lexical"])) == {"a", "b"}


# fusion


def ranking(doc_ids: str) -> list[ScoredDoc]:
    return [ScoredDoc("", doc_id, 0.0) for doc_id in doc_ids]


def test_nothing_fuses_to_nothing() -> None:
    assert fusion.reciprocal_rank({}) == []
    assert fusion.reciprocal_rank({"one": []}) == []


def test_fusion_adds_reciprocal_ranks() -> None:
    fused = fusion.reciprocal_rank({"one": ranking("abc"), "two": ranking("cb")})
    assert [(hit.doc_id, hit.source) for hit in fused] == [("c", "two"), ("b", "one"), ("a", "one")]
    assert [hit.score for hit in fused] == pytest.approx([1 / 63 + 1 / 61, 1 / 62 + 1 / 62, 1 / 61])


def test_fusion_breaks_ties_by_doc_id_and_sources_by_name() -> None:
    fused = fusion.reciprocal_rank({"two": ranking("ba"), "one": ranking("ab")})
    assert [(hit.doc_id, hit.source) for hit in fused] == [("a", "one"), ("b", "two")]


# which negatives are eligible

HITS = [ScoredDoc("", d, s) for d, s in (("a", 0.9), ("b", 0.8), ("c", 0.5), ("d", 0.25), ("e", -0.5))]


@pytest.mark.parametrize(
    ("rule", "positive", "expected"),
    [
        ({}, 0.8, "abcde"),
        ({"range_min": 2}, 0.8, "cde"),
        ({"range_max": 2}, 0.8, "ab"),
        ({"range_min": 3, "range_max": 3}, 0.8, ""),
        ({"max_score": 0.5}, 0.8, "cde"),
        ({"min_score": 0.25}, 0.8, "abcd"),
        ({"absolute_margin": 0.0}, 0.8, "bcde"),
        ({"absolute_margin": 0.3}, 0.8, "cde"),
        ({"relative_margin": 0.0}, 0.8, "bcde"),
        ({"relative_margin": 0.5}, 0.8, "de"),  # at most 0.4
        ({"relative_margin": 0.5}, -0.2, "e"),  # at most -0.3: a margin never lets more through
        ({"relative_margin": 0.5, "absolute_margin": 0.5}, None, "abcde"),  # no known positive, no margin
        ({"relative_margin": 0.25, "max_score": 0.3, "min_score": 0.0}, 0.8, "d"),
        ({"range_min": 1, "absolute_margin": 0.3}, 0.8, "de"),  # counted after the margin
        ({"range_max": 3, "absolute_margin": 0.3}, 0.8, "c"),  # counted before it
    ],
)
def test_each_parameter_lets_through_what_its_arithmetic_says(
    rule: Mapping[str, float], positive: float | None, expected: str
) -> None:
    assert "".join(hit.doc_id for hit in eligible(HITS, positive, no_rule(**rule))) == expected


class Given:
    """What `mine_hard_negatives` needs of a model, with vectors that are given."""

    device = "cpu"

    def __init__(self, vectors: Mapping[str, Vectors]) -> None:
        self._vectors = vectors

    def encode_query(self, texts: list[str], **_: object) -> Vectors:
        return np.stack([self._vectors[text] for text in texts])

    encode_document = encode_query

    def similarity(self, a: Any, b: Any) -> Any:
        import torch

        return torch.as_tensor(a) @ torch.as_tensor(b).T

    def similarity_pairwise(self, a: Any, b: Any) -> Any:
        import torch

        return (torch.as_tensor(a) * torch.as_tensor(b)).sum(-1)


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"range_min": 5},
        {"range_max": 7},
        {"max_score": 0.3},
        {"min_score": 0.1},
        {"absolute_margin": 0.2},
        {"relative_margin": 0.05},
        {"relative_margin": 0.6},
        {"relative_margin": 0.3, "range_min": 4},
        {"relative_margin": 0.3, "absolute_margin": 0.1, "max_score": 0.4, "min_score": -0.1},
    ],
    ids=str,
)
def test_sentence_transformers_chooses_the_same(rule: Mapping[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    from datasets import Dataset
    from sentence_transformers.util import mine_hard_negatives

    drawn = np.random.default_rng(3).normal(size=(60, 6)).astype(np.float32)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    doc_ids = [f"d{n}" for n in range(50)]
    vectors = dict(zip([*doc_ids, *(f"q{n}" for n in range(10))], drawn, strict=True))
    scores = {f"q{n}": drawn[:50] @ drawn[50 + n] for n in range(10)}
    positives = {query: doc_ids[int(np.argsort(-row)[8])] for query, row in scores.items()}

    limits = {"range_max": 20, **rule}
    mined = mine_hard_negatives(
        Dataset.from_dict({"query": list(positives), "positive": list(positives.values())}),
        Given(vectors),  # type: ignore[arg-type]
        corpus=doc_ids,
        num_negatives=limits["range_max"] - limits.get("range_min", 0),
        verbose=False,
        **limits,
    )
    theirs = sorted((row["query"], row["negative"]) for row in mined)
    ours = []
    for query, row in scores.items():
        order = [n for n in np.argsort(-row) if doc_ids[n] != positives[query]]
        hits = [ScoredDoc("", doc_ids[n], float(row[n])) for n in order]
        positive = float(row[doc_ids.index(positives[query])])
        ours += [(query, hit.doc_id) for hit in eligible(hits, positive, no_rule(**limits))]
    assert theirs == sorted(ours)
    assert len(ours) > 20


# mining


def mined(asked: Request, wanted: int = 9, taken: str = "", **rule: Any) -> list[tuple[str, str]]:
    chosen = negatives.mine(asked, no_rule(**rule), wanted, frozenset(taken))
    assert {c.role for c in chosen} <= {"hard_negative"}
    return [(c.doc_id, c.source) for c in chosen]


def test_without_known_positives_only_near_misses_are_mined(circle: Collection) -> None:
    assert mined(request(circle), 2) == [("a", "near-miss:e"), ("b", "near-miss:e")]


def test_sources_take_turns_and_name_nothing_twice(circle: Collection) -> None:
    # near misses a b c d f, by similarity to the query; look-alikes d f c b a, by similarity to e
    near = [hit.doc_id for hit in neighbours.propose(request(circle, "e"), 9)["neighbours:e"]]
    assert near == ["d", "f", "c", "b", "a"]
    assert mined(request(circle, "e"), 4) == [
        ("a", "near-miss:e"),
        ("d", "look-alike:e"),
        ("b", "near-miss:e"),
        ("f", "look-alike:e"),
    ]


def test_what_is_known_or_taken_is_never_mined(circle: Collection) -> None:
    for seed in range(20):
        known = random.Random(seed).sample("abcdef", 3)
        assert not {doc_id for doc_id, _ in mined(request(circle, *known), taken="a")} & {*known, "a"}


def test_the_lowest_known_positive_sets_the_margin(circle: Collection) -> None:
    assert {d for d, _ in mined(request(circle, "a", "c"), relative_margin=0.0)} == {"d", "e", "f"}
    assert {d for d, _ in mined(request(circle, "a"), relative_margin=0.0)} == {"b", "c", "d", "e", "f"}


def test_look_alikes_are_ranked_by_the_nearest_of_several_positives(circle: Collection) -> None:
    """range_max keeps the nearest to any of them, not the first one's neighbours."""
    chosen = mined(request(circle, "a", "e"), range_max=2)
    assert [doc_id for doc_id, source in chosen if source == "look-alike:e"] == ["d"]  # d·e = b·a = 0.8; c·e = 0.28
    assert chosen[0] == ("b", "near-miss:e")


def test_a_range_of_nothing_mines_nothing(circle: Collection) -> None:
    assert mined(request(circle, "a"), range_max=0) == []
    assert mined(request(circle), range_max=0) == []
