"""Hard negatives: the rule, the sources, and the miner of sentence-transformers as the judge of both."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from label_configs.errors import Mendable
from label_configs.records import Item, Query
from ml_backend import negatives
from ml_backend.asked import Asked
from ml_backend.collection import Collection
from ml_backend.encoders.base import Vectors
from ml_backend.negatives.mining import mine
from ml_backend.negatives.rule import in_range, pick, verdicts, window
from ml_backend.proposers import neighbours
from ml_backend.proposers.request import Request
from store.settings import Negatives

# On the unit circle; the query lies at (1, 0), so that the first number is the similarity to it.
DOCS = {"a": (1, 0), "b": (0.8, 0.6), "c": (0.6, 0.8), "d": (0, 1), "e": (-0.6, 0.8), "f": (-1, 0)}
TITLES = {"a": "red car", "c": "red red house", "e": "the", "f": "blue sky"}


@pytest.fixture
def circle(tmp_path: Path) -> Collection:
    return tiny.collection(tmp_path, DOCS, dict.fromkeys(("red", "blue", ""), (1, 0)), titles=TITLES)


def request(collection: Collection, *positives: str, text: str = "red") -> Request:
    return Request(Query(query_id="q", text=text, positives=positives), collection)


def rule(**given: Any) -> Negatives:
    return Negatives.model_validate({"relative_margin": None, **given})


# the rule

SCORES = {"a": 0.9, "b": 0.8, "c": 0.5, "d": 0.25, "e": -0.5}


def eligible(given: Negatives, positive: float) -> str:
    said = verdicts(list(SCORES.values()), positive, given)
    allowed = [n for n, verdict in enumerate(said) if verdict == "keep"]
    return "".join("abcde"[n] for n in in_range(allowed, given, window(given, 1)))


@pytest.mark.parametrize(
    ("options", "positive", "expected"),
    [
        ({}, 0.8, "abcde"),
        ({"range_min": 2}, 0.8, "cde"),
        ({"range_max": 2}, 0.8, "ab"),
        ({"range_min": 3, "range_max": 3}, 0.8, ""),
        ({"max_score": 0.5}, 0.8, "cde"),
        ({"min_score": 0.25}, 0.8, "abcd"),
        ({"absolute_margin": 0.0}, 0.8, "bcde"),
        ({"absolute_margin": 0.25}, 0.8, "cde"),
        ({"relative_margin": 0.0}, 0.8, "bcde"),
        ({"relative_margin": 0.5}, 0.8, "de"),  # at most 0.4
        ({"relative_margin": 0.5}, -0.2, "e"),  # at most -0.3: a margin never lets more through
        ({"relative_margin": 0.5, "absolute_margin": 0.5}, math.nan, "abcde"),  # no known positive, no margin
        ({"relative_margin": 0.25, "max_score": 0.3, "min_score": 0.0}, 0.8, "d"),
        ({"range_min": 1, "absolute_margin": 0.25}, 0.8, "de"),  # counted after the margin
        ({"range_max": 2, "absolute_margin": 0.25}, 0.8, "cd"),  # as well
    ],
)
def test_each_parameter_lets_through_what_its_arithmetic_says(
    options: Mapping[str, float], positive: float, expected: str
) -> None:
    assert eligible(rule(**options), positive) == expected


def test_what_only_a_margin_forbids_is_told_from_what_nobody_asked_for() -> None:
    both = rule(relative_margin=0.0, max_score=0.8, min_score=0.0)
    assert verdicts([0.9, 0.7, 0.5, -0.1], 0.5, both).tolist() == ["drop", "discard", "keep", "drop"]


@pytest.mark.parametrize(("options", "expected"), [({}, 2 + 3 + 4), ({"max_score": 0.5}, 2 + 30 + 4)])
def test_without_range_max_the_window_follows_from_the_count(options: Mapping[str, float], expected: int) -> None:
    assert window(rule(range_max=None, range_min=2, num_negatives=3, **options), 4) == expected


@given(st.integers(0, 12), st.integers(1, 12), st.integers(0, 2**32))
def test_a_random_choice_keeps_the_order_and_takes_all_where_few_are_left(left: int, wanted: int, seed: int) -> None:
    drawn = pick(range(left), rule(num_negatives=wanted, sampling_strategy="random"), random.Random(seed))
    assert drawn == sorted(set(drawn))
    assert len(drawn) == min(left, wanted)


# whole corpora, against sentence-transformers


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


def theirs(
    queries: Vectors, corpus: Vectors, positives: Sequence[Sequence[int]], options: Mapping[str, Any], seed: int
) -> list[set[int]]:
    """What sentence-transformers chooses, by query. It draws from the global generator, which is put back.

    Where its limits leave nothing at all, it divides by zero for a statistic.
    """
    from datasets import Dataset
    from sentence_transformers.util import mine_hard_negatives

    pairs = [(f"q{n}", f"d{row}") for n, rows in enumerate(positives) for row in rows]
    vectors = {f"q{n}": vector for n, vector in enumerate(queries)} | {
        f"d{n}": vector for n, vector in enumerate(corpus)
    }
    before = random.getstate()
    random.seed(seed)
    try:
        mined: Any = mine_hard_negatives(
            Dataset.from_dict({"query": [q for q, _ in pairs], "positive": [d for _, d in pairs]}),
            Given(vectors),  # type: ignore[arg-type]
            corpus=[f"d{n}" for n in range(len(corpus))],
            verbose=False,
            **options,
        )
    except ZeroDivisionError:
        mined = []
    finally:
        random.setstate(before)
    found: list[set[int]] = [set() for _ in queries]
    for row in mined:
        found[int(row["query"][1:])].add(int(row["negative"][1:]))
    return found


def ours(
    queries: Vectors, corpus: Vectors, positives: Sequence[Sequence[int]], options: Mapping[str, Any], seed: int
) -> list[set[int]]:
    known = [dict.fromkeys(rows, 1) for rows in positives]
    mined = mine(queries, corpus, known, rule(**{"range_max": None, **options}), seeded=random.Random(seed))
    return [set(one.negatives) for one in mined]


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Vectors, Vectors, list[list[int]], dict[str, Any]]:
    """Queries are unit axes, so that a document's vector is its scores: 64ths, no two alike, exact in arithmetic."""
    count, items = draw(st.integers(1, 4)), draw(st.integers(12, 30))
    scores = [draw(st.lists(st.integers(-32, 64), min_size=items, max_size=items, unique=True)) for _ in range(count)]
    corpus = np.array(scores, dtype=np.float32).T / np.float32(64)
    rows = st.lists(st.integers(0, items - 1), min_size=1, max_size=4, unique=True)
    positives = [draw(rows) for _ in range(count)]
    number, low = draw(st.integers(1, 5)), draw(st.integers(0, 4))
    share = st.none() | st.sampled_from([0.0, 0.125, 0.25, 0.5])
    options: dict[str, Any] = {
        "range_min": low,
        "range_max": draw(st.none() | st.integers(low + number, low + number + 6)),
        "num_negatives": number,
        "sampling_strategy": draw(st.sampled_from(["top", "random"])),
        "max_score": draw(st.none() | st.integers(-16, 48).map(lambda n: n / 64)),
        "min_score": draw(st.none() | st.integers(-32, 16).map(lambda n: n / 64)),
        "absolute_margin": draw(share),
        "relative_margin": draw(share),
    }
    return np.eye(count, dtype=np.float32), corpus, positives, options


@settings(max_examples=150, deadline=None)
@given(worlds(), st.integers(0, 2**16))
def test_the_same_options_choose_the_same_as_sentence_transformers(
    world: tuple[Vectors, Vectors, list[list[int]], dict[str, Any]], seed: int
) -> None:
    try:
        expected = theirs(*world, seed)
    except ZeroDivisionError:
        reject()  # it divides by the number of candidates, for its log, where there are none
    assert ours(*world, seed) == expected


@pytest.mark.parametrize(
    "options",
    [
        {"relative_margin": 0.05, "num_negatives": 5},
        {"range_min": 10, "range_max": 50, "max_score": 0.6, "num_negatives": 5, "sampling_strategy": "random"},
        {"absolute_margin": 0.1, "min_score": 0.2, "num_negatives": 40, "range_max": 60},
    ],
    ids=str,
)
def test_it_chooses_the_same_on_ordinary_vectors(options: Mapping[str, Any]) -> None:
    drawn = np.random.default_rng(3).normal(size=(2400, 16)).astype(np.float32)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    queries, corpus = drawn[:400], drawn[400:]
    nearest = np.argsort(-queries @ corpus.T, axis=1)
    positives = [[int(row) for row in ranked[3 : 3 + 1 + n % 3]] for n, ranked in enumerate(nearest)]
    found = ours(queries, corpus, positives, options, 7)
    assert found == theirs(queries, corpus, positives, options, 7)
    assert sum(map(len, found)) > 400


def test_nothing_to_mine_is_nothing_mined() -> None:
    two, none = np.eye(2, dtype=np.float32), np.empty((0, 2), dtype=np.float32)
    assert list(mine(none, two, [], rule())) == []
    assert [one.negatives for one in mine(two, none, [{}, {}], rule())] == [[], []]
    assert [one.negatives for one in mine(two[:1], two, [{0: 3, 1: 1}], rule())] == [[]]


def test_grades_tell_positives_from_what_is_neither_and_from_known_negatives() -> None:
    """Scores 0.9 … 0.5; the margin is set by the row of grade 3, not by that of grade 1, which is left out too."""
    corpus = np.array([[0.9], [0.8], [0.7], [0.6], [0.5]], dtype=np.float32)
    one, known = np.ones((1, 1), dtype=np.float32), [{1: 3, 3: 1, 2: 0}]
    (found,) = mine(one, corpus, known, rule(relative_margin=0.0), positive=2)
    assert (found.negatives, found.discarded) == ([2, 4], [0])
    assert found.scores == pytest.approx([0.7, 0.5])
    (lower,) = mine(one, corpus, known, rule(relative_margin=0.0), positive=1)
    assert (lower.negatives, lower.discarded) == ([4], [0, 2])


def test_vectors_that_do_not_belong_together_are_refused_with_every_problem() -> None:
    with pytest.raises(Mendable) as refused:
        list(mine(np.eye(2, dtype=np.float32), np.eye(3, dtype=np.float32), [{3: 1}], rule()))
    assert len(refused.value.problems) == 3


def test_vectors_that_are_not_finite_are_refused_by_their_rows() -> None:
    queries, corpus = np.eye(2, dtype=np.float32), np.eye(3, 2, dtype=np.float32)
    queries[1, 0], corpus[2, 1] = np.inf, np.nan
    with pytest.raises(Mendable) as refused:
        list(mine(queries, corpus, [{}, {}], rule()))
    assert refused.value.problems == (
        "query 1: its vector has numbers that are not finite",
        "row of the corpus 2: its vector has numbers that are not finite",
    )


def test_mining_goes_block_by_block_as_if_it_were_one(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = np.random.default_rng(0).integers(-8, 8, size=(70, 4)).astype(np.float32)
    known = [{n: 1} for n in range(20)]
    whole = list(mine(drawn[:20], drawn[20:], known, rule(num_negatives=3)))
    monkeypatch.setattr("ml_backend.negatives.mining._BLOCK", 7)
    assert list(mine(drawn[:20], drawn[20:], known, rule(num_negatives=3))) == whole


# the sources


def mined(asked: Request, wanted: int = 99, taken: str = "", **given: Any) -> list[tuple[str, str]]:
    chosen = negatives.mine(
        asked, rule(**{"sources": ("near-miss", "look-alike"), **given}), frozenset(taken)
    ).negatives
    assert {c.role for c in chosen} <= {"hard_negative"}
    return [(c.doc_id, c.source) for c in chosen][:wanted]


def offers(asked: Request, source: str, **given: Any) -> list[str]:
    return [doc_id for doc_id, _ in mined(asked, sources=(source,), **given)]


def test_without_known_positives_only_near_misses_are_mined(circle: Collection) -> None:
    assert mined(request(circle), 2) == [("a", "near-miss:e"), ("b", "near-miss:e")]


def test_sources_take_turns_and_name_nothing_twice(circle: Collection) -> None:
    # near misses a b c d f, by similarity to the query; look-alikes d f c b a, by similarity to e
    near = [hit.doc_id for hit in neighbours.propose(request(circle, "e"), 9)["neighbours:e"]]
    assert near == ["d", "f", "c", "b", "a"]
    assert mined(request(circle, "e")) == [
        ("a", "near-miss:e"),
        ("d", "look-alike:e"),
        ("b", "near-miss:e"),
        ("f", "look-alike:e"),
        ("c", "near-miss:e"),
    ]


def test_a_source_whose_best_are_shown_already_offers_the_next(circle: Collection) -> None:
    assert mined(request(circle), taken="ab", num_negatives=2) == [("c", "near-miss:e"), ("d", "near-miss:e")]


def test_what_is_known_or_taken_is_never_mined(circle: Collection) -> None:
    for seed in range(20):
        known = random.Random(seed).sample("abcdef", 3)
        assert not {doc_id for doc_id, _ in mined(request(circle, *known), taken="a")} & {*known, "a"}


def test_the_lowest_known_positive_sets_the_margin(circle: Collection) -> None:
    assert {d for d, _ in mined(request(circle, "a", "c"), relative_margin=0.0)} == {"d", "e", "f"}
    assert {d for d, _ in mined(request(circle, "a"), relative_margin=0.0)} == {"b", "c", "d", "e", "f"}


def test_look_alikes_are_ranked_by_the_nearest_of_several_positives(circle: Collection) -> None:
    """d·e = b·a = 0.8; c·e = 0.28, c·a = 0.6."""
    assert offers(request(circle, "a", "e"), "look-alike", range_max=2) == ["b", "d"]


def test_look_alikes_that_answer_the_query_are_discarded(circle: Collection) -> None:
    assert offers(request(circle, "c"), "look-alike", relative_margin=0.05) == ["d", "e", "f"]


def test_confusers_share_words_with_the_query_or_with_a_known_positive(circle: Collection) -> None:
    assert offers(request(circle), "confuser") == ["c", "a"]
    assert offers(request(circle, "c", text="blue"), "confuser") == ["f", "a"]  # blue; and red, as c is
    assert offers(request(circle, text=""), "confuser") == []


def test_siblings_answers_are_offered_however_near_the_siblings_are(circle: Collection) -> None:
    other = Query(query_id="other", text="x", positives=("d", "f"))
    asked = Asked((other,), np.array([[0, 1]], dtype=np.float32))
    assert offers(request(replace(circle, asked={"e": asked}), "f"), "sibling") == ["d"]
    assert offers(request(circle), "sibling") == []


def test_random_negatives_are_what_is_left_drawn_and_not_ranked(circle: Collection) -> None:
    assert sorted(offers(request(circle, "a"), "random")) == list("bcdef")
    assert len(offers(request(circle, "a"), "random", num_negatives=2)) == 2


def test_a_source_that_there_is_not_is_named_beside_those_that_there_are(circle: Collection) -> None:
    with pytest.raises(Mendable, match="no source of hard negatives 'nearmiss'") as unknown:
        mined(request(circle), sources=("nearmiss",))
    assert "near-miss, look-alike, confuser, sibling, random" in unknown.value.mend


def test_a_range_of_nothing_mines_nothing(circle: Collection) -> None:
    assert mined(request(circle, "a"), range_max=0) == []
    assert mined(request(circle), range_max=0) == []


def test_what_a_margin_forbids_goes_to_people_as_an_ordinary_candidate(circle: Collection) -> None:
    discarded = negatives.mine(request(circle, "c", text=""), rule(relative_margin=0.05)).discarded
    assert [(c.doc_id, c.source, c.role) for c in discarded] == [
        ("a", "margin:e", "candidate"),
        ("b", "margin:e", "candidate"),
    ]
    assert discarded[0].reason == "similarity e 1.000"


def test_what_several_sources_bring_and_a_margin_forbids_comes_first(circle: Collection) -> None:
    """By similarity to the query a b c d f; in looks like e d f c b a. 1/61 + 1/64 > 1/61 + 1/65 > 1/62 + 1/64 …"""
    strict = rule(absolute_margin=1.0, sources=("near-miss", "look-alike"))
    assert [c.doc_id for c in negatives.mine(request(circle, "e"), strict).discarded] == list("dabcf")


def test_what_is_outside_of_the_limits_is_not_taken_for_a_positive(circle: Collection) -> None:
    limited = rule(relative_margin=0.05, max_score=0.9)
    assert [c.doc_id for c in negatives.mine(request(circle, "c"), limited).discarded] == ["b"]


def two_spaces(tmp_path: Path) -> Collection:
    """Two encoders who differ on x: to `far` it lies far from the query, to `near` above the positive p."""
    far = tiny.collection(tmp_path / "far", {"p": (0.8, 0.6), "x": (0, 1), "y": (0, 1)}, {"red": (1, 0)}, name="far")
    near = tiny.collection(tmp_path / "near", {"p": (0.8, 0.6), "x": (1, 0)}, {"red": (1, 0)}, name="near")
    titles = {"p": "red", "x": "red", "y": "red", "z": "blue"}
    items = {d: Item(doc_id=d, modality="image", uri=d, title=title) for d, title in titles.items()}
    return Collection(items, {**far.spaces, **near.spaces})


def test_a_confuser_passes_where_every_encoder_that_holds_it_lets_it_pass(tmp_path: Path) -> None:
    asked = request(two_spaces(tmp_path), "p")
    assert offers(asked, "confuser", relative_margin=0.05) == ["y"]
    assert offers(asked, "near-miss", relative_margin=0.05) == ["x", "y"]  # each by its own encoder alone


def test_an_item_that_no_encoder_holds_has_no_score_and_passes(circle: Collection) -> None:
    items = {**circle.items, "z": Item(doc_id="z", title="red")}
    found = negatives.mine(
        request(Collection(items, circle.spaces), "a"), rule(sources=("confuser",), relative_margin=0.5)
    ).negatives
    assert {c.doc_id: c.reason for c in found}["z"] == "no vector"


@pytest.mark.parametrize("strategy", ["top", "random"])
def test_the_same_request_is_offered_the_same(circle: Collection, strategy: str) -> None:
    chosen = [
        mined(request(circle, "c"), sampling_strategy=strategy, num_negatives=2, sources=tuple(negatives.SOURCES))
        for _ in range(2)
    ]
    assert chosen[0] == chosen[1]
