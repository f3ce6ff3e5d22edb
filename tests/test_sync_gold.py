"""Gold: the file, what is an answer to it, who is careful, what becomes gold and which of it is used next."""

from collections import Counter
from math import comb, sqrt
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sync_world import RULES, grade, pool

from label_configs.errors import Unreadable
from label_configs.records import Candidate, Judgment, Query, Relevance
from label_configs.rules import Grade, Rules
from store import gold as gold_file
from store.gold import Gold
from store.settings import Quality
from sync.gold.annotators import Work, annotators, flags, wilson
from sync.gold.answers import Answer, answers, is_right
from sync.gold.careless import careless
from sync.gold.choice import promoted, rotated

CONTROLS = pool("q", [("pos", "control", "known-positive", 1), ("far", "control", "planted", 0)])
Ints = NDArray[np.int64]

# the file


def test_a_workspace_without_the_file_has_no_gold(tmp_path: Path) -> None:
    assert gold_file.load(tmp_path / "gold.tsv", RULES) == {}


def test_gold_is_read_as_it_was_written_in_the_order_of_its_pairs(tmp_path: Path) -> None:
    path = tmp_path / "gold.tsv"
    one, two = Gold("q2", "d1", 3, "hand"), Gold("q1", "a doc", 0, "consensus")
    gold_file.save(path, [one, two])
    assert path.read_text().splitlines() == [
        "query_id\tdoc_id\tgrade\torigin",
        "q1\ta doc\t0\tconsensus",
        "q2\td1\t3\thand",
    ]
    assert list(gold_file.load(path, RULES).values()) == [two, one]


def test_a_file_from_another_system_is_read(tmp_path: Path) -> None:
    path = tmp_path / "gold.tsv"
    path.write_bytes(b"\xef\xbb\xbfquery_id\tdoc_id\tgrade\torigin\r\nq\td\t2\thand\r\n\r\n")
    assert gold_file.load(path, RULES) == {("q", "d"): Gold("q", "d", 2, "hand")}


def test_every_line_that_is_wrong_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "gold.tsv"
    path.write_text("query\tdoc\nq\td\t2\thand\nq\td\t3\thand\nq\t\t1\thand\nq\te\t9\thand\nq\tf\t1\tmodel\nq\tg\t1\n")
    with pytest.raises(Unreadable) as refused:
        gold_file.load(path, RULES)
    assert [problem.split(":")[0] for problem in refused.value.problems] == [f"line {n}" for n in (1, 3, 4, 5, 6, 7)]
    assert "there already" in refused.value.problems[1]


# answers


def of(*judgments: Judgment, gold: dict[tuple[str, str], Gold] | None = None) -> list[tuple[str, str, bool]]:
    found = answers(judgments, [CONTROLS], gold or {}, RULES)
    return [(a.annotator, a.doc_id, a.right) for a in found]


def test_without_controls_there_are_no_answers() -> None:
    assert answers([grade("q", "pos", 3)], [], {}, RULES) == []
    assert answers([], [CONTROLS], {}, RULES) == []


def test_a_known_positive_takes_any_positive_grade_and_nothing_else() -> None:
    assert [of(grade("q", "pos", value))[0][2] for value in (3, 2, 1, 0)] == [True, True, False, False]


def test_what_was_planted_takes_the_lowest_grade_or_the_next() -> None:
    assert [of(grade("q", "far", value))[0][2] for value in (0, 1, 2, 3)] == [True, True, False, False]


def test_cant_judge_is_no_answer() -> None:
    assert of(grade("q", "pos", "cant_judge", kind="flag")) == []


def test_an_answer_may_lie_one_grade_from_gold_but_not_on_the_other_side() -> None:
    assert [is_right(1, frozenset({gold}), RULES) for gold in RULES.values] == [True, True, True, False]
    two = Rules(
        name="two",
        question="?",
        grades=(Grade(1, "yes", "It is."), Grade(0, "no", "It is not.")),
        positive=frozenset({1}),
        negative=frozenset({0}),
    )
    assert [is_right(said, frozenset({1}), two) for said in (0, 1)] == [False, True]


def test_the_grade_of_the_file_counts_before_anything_else() -> None:
    assert of(grade("q", "pos", 0), gold={("q", "pos"): Gold("q", "pos", 0, "hand")}) == [("ada", "pos", True)]


def test_gold_that_was_taken_out_of_the_file_measures_nobody() -> None:
    shown = pool("q", [("d", "control", "gold:consensus", 1)])
    assert answers([grade("q", "d", 0)], [shown], {}, RULES) == []


def test_the_first_answer_of_an_annotator_counts_however_they_are_given() -> None:
    first = grade("q", "pos", 0, annotation_id=1, updated_at="2026-01-01T00:00:00.000000Z")
    again = grade("q", "pos", 3, annotation_id=2, updated_at="2026-01-02T00:00:00.000000Z")
    for said in ([first, again], [again, first]):
        assert of(*said) == [("ada", "pos", False)]


def test_who_made_the_consensus_of_a_pair_is_not_measured_by_it() -> None:
    """ada voted in the first round; in the second the pair is a control, and bob meets it for the first time."""
    first = pool("q", [("d", "candidate", "dense", 1)])
    second = pool("q", [("d", "control", "gold:consensus", 1), ("e", "candidate", "dense", 1)])
    given_ = [
        grade("q", "d", 3, "ada", pool_id=first.pool_id, annotation_id=1),
        grade("q", "d", 3, "ada", pool_id=second.pool_id, annotation_id=2),
        grade("q", "d", 2, "bob", pool_id=second.pool_id, annotation_id=3),
    ]
    known = {("q", "d"): Gold("q", "d", 3, "consensus")}
    assert [a.annotator for a in answers(given_, [first, second], known, RULES)] == ["bob"]
    by_hand = {("q", "d"): Gold("q", "d", 3, "hand")}
    assert [a.annotator for a in answers(given_, [first, second], by_hand, RULES)] == ["ada", "bob"]


# accuracy


def test_wilsons_interval_by_hand_and_without_answers() -> None:
    assert wilson(0, 0) == (0, 1)
    assert wilson(0, 10)[0] == 0
    assert wilson(10, 10) == pytest.approx((10 / (10 + 1.959964**2), 1))


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_ends_of_wilsons_interval_lie_as_far_as_their_own_error(of: tuple[int, int]) -> None:
    """By its definition: at either end p, |share - p| = z · sqrt(p(1 - p) / n)."""
    right, count = of
    for end in wilson(right, count):
        assert abs(right / count - end) == pytest.approx(1.959964 * sqrt(end * (1 - end) / count), abs=1e-6)


def test_annotators_by_domain_by_hand() -> None:
    queries = {"q": Query(query_id="q", text="a hat", domain="fashion"), "p": Query(query_id="p", text="an owl")}
    other = pool("p", [("pos", "control", "known-positive", 1)])
    said = [
        grade("q", "pos", 3, annotation_id=1, lead_time=4.0),
        grade("q", "far", 2, annotation_id=1, lead_time=4.0),
        grade("p", "pos", 0, annotation_id=2, lead_time=3.0),
        grade("p", "x", 0, "bob", annotation_id=3),
    ]
    found = annotators(said, answers(said, [CONTROLS, other], {}, RULES), queries, RULES, Quality())
    ada, bob = found["ada"], found["bob"]
    assert (ada["answers"], ada["right"], ada["accuracy"]) == (3, 1, 0.3333)
    assert (ada["seconds"], ada["annotations"]) == (2.5, 2)  # 4 s for two judgments, 3 s for one
    assert {name: (one["right"], one["answers"]) for name, one in ada["domains"].items()} == {
        "": (0, 1),
        "fashion": (1, 2),
    }
    assert ada["domains"]["fashion"]["confusion"] == {"0": {"2": 1}, "2|3": {"3": 1}}
    assert (bob["answers"], bob["accuracy"], bob["low"], bob["high"], bob["flags"]) == (0, None, 0, 1, [])


# flags


def test_flags_are_told_from_enough_answers_and_beyond_their_thresholds() -> None:
    quality = Quality(evidence=100, seconds=1, untouched=0.5, few=5)
    assert flags(Work(0, 0, None, 0), quality) == []
    assert flags(Work(1.99, 5, 1.0, 0.5), quality) == []
    assert flags(Work(2.0, 5, 0.99, 0.51), quality) == ["spam", "fast", "untouched"]
    assert flags(Work(2.0, 4, 0.1, 1.0), quality) == ["spam"]


def test_nobody_is_careless_without_answers() -> None:
    assert careless([], RULES) == 0


def told(true: Ints, said: Ints) -> list[Answer]:
    pairs = zip(true.tolist(), said.tolist(), strict=True)
    return [Answer("a", "q", f"d{n}", s, frozenset({t}), True) for n, (t, s) in enumerate(pairs)]


TWENTY = np.repeat(RULES.values, 5)
HALVES = np.array([0] * 10 + [2] * 5 + [3] * 5)
"""Ten planted items, and ten known positives whose grades nobody knows."""


def test_who_is_always_right_is_careful_and_who_answers_alike_or_the_wrong_way_round_is_careless() -> None:
    assert careless(told(TWENTY, TWENTY), RULES) < -4
    assert careless(told(TWENTY, np.full(20, 2)), RULES) > 2
    assert careless(told(TWENTY, 3 - TWENTY), RULES) > 4


def test_a_known_positive_speaks_for_whoever_calls_it_positive() -> None:
    def of_positives(said: int) -> float:
        return careless([Answer("a", "q", f"d{n}", said, RULES.positive, said > 1) for n in range(5)], RULES)

    assert of_positives(3) < of_positives(0)
    assert of_positives(0) > 2


def careful(random: np.random.Generator, true: Ints) -> Ints:
    """The annotators of the simulation: noise 0.55 and a bias of their own, 0.35."""
    perceived = true + random.normal(0, 0.35) + random.normal(0, 0.55, len(true))
    return np.clip(np.rint(perceived), 0, 3).astype(int)


SPAMMERS = {"evenly": [0.25, 0.25, 0.25, 0.25], "mostly one": [0.1, 0.1, 0.1, 0.7], "as usual": [0.6, 0.2, 0.12, 0.08]}


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("kind", SPAMMERS)
def test_spammers_are_told_from_careful_annotators_by_twenty_answers(kind: str, known: bool) -> None:
    """The floor is 0.98 for the area under the curve; at most 2 % of the careful may be flagged (binomial, 0.01).

    known: whether gold has grades, or is half planted and half known to be positive.
    """
    true = TWENTY if known else HALVES

    def odds(said: Ints) -> float:
        answers = [a if known or a.expected == {0} else a._replace(expected=RULES.positive) for a in told(true, said)]
        return careless(answers, RULES)

    seeds = [np.random.default_rng([s, n]) for s in range(8) for n in range(150)]
    good = np.array([odds(careful(random, true)) for random in seeds])
    spam = np.array([odds(random.choice(4, 20, p=SPAMMERS[kind])) for random in seeds[:400]])
    area = np.mean([(good < one).mean() + (good == one).mean() / 2 for one in spam])
    flagged, caught = (
        sum(flags(Work(one, 20, None, 0), Quality()) == ["spam"] for one in some) for some in (good, spam)
    )
    assert area >= 0.98
    assert 1 - sum(comb(len(good), k) * 0.02**k * 0.98 ** (len(good) - k) for k in range(flagged)) >= 0.01
    assert caught / len(spam) >= 0.85


# what becomes gold, and which is used next


def relevant(doc_id: str, value: int, votes: int = 3, confidence: float = 0.99) -> Relevance:
    return Relevance(query_id="q", doc_id=doc_id, grade=value, soft=(), confidence=confidence, votes=votes)


def shown(*doc_ids: str) -> dict[tuple[str, str], Candidate]:
    return {("q", doc_id): Candidate(doc_id=doc_id, source="dense") for doc_id in doc_ids}


def test_only_sure_pairs_with_enough_votes_become_gold() -> None:
    given_ = [relevant("a", 3), relevant("b", 0), relevant("c", 3, votes=2), relevant("d", 3, confidence=0.9)]
    found = promoted(given_, shown("a", "b", "c", "d"), [], Quality(), {})
    assert sorted(found) == [Gold("q", "a", 3, "consensus"), Gold("q", "b", 0, "consensus")]
    assert promoted(given_, shown("a", "b"), found, Quality(), {}) == []


def test_controls_and_what_cannot_stand_in_a_line_become_no_gold() -> None:
    control = {("q", "a"): Candidate(doc_id="a", source="planted", role="control")}
    assert promoted([relevant("a", 0), relevant("b\tc", 0)], control | shown("b\tc"), [], Quality(), {}) == []


def test_of_each_grade_there_is_so_much_gold_and_no_more_the_surest_first() -> None:
    given_ = [relevant(f"d{n}", n % 2, confidence=0.95 + n / 1000) for n in range(20)]
    there = [Gold("p", "x", 0, "hand")]
    found = promoted(given_, shown(*(f"d{n}" for n in range(20))), there, Quality(per_grade=3), {})
    assert sorted((g.grade, g.doc_id) for g in found) == [(0, "d16"), (0, "d18"), (1, "d15"), (1, "d17"), (1, "d19")]


def test_gold_that_has_measured_many_makes_room_for_more_and_stays_known() -> None:
    """One pair a grade: `a` has measured two people, so that `b` becomes gold only where two wear it out."""
    there, sure = [Gold("q", "a", 0, "consensus")], [relevant("b", 0)]
    found = [
        promoted(sure, shown("a", "b"), there, Quality(per_grade=1, worn=worn), {("q", "a"): 2}) for worn in (2, 3)
    ]
    assert found == [[Gold("q", "b", 0, "consensus")], []]


def test_kinds_take_turns_and_the_least_used_comes_first() -> None:
    known = {("q", f"d{n}"): n % 2 for n in range(8)}
    first = rotated(known, {}, 4)
    assert Counter(known[pair] for pair in first) == {0: 2, 1: 2}
    second = rotated(known, Counter(first), 4)
    assert not set(first) & set(second)
    assert rotated(known, {}, 99) == rotated(dict(reversed(known.items())), {}, 99)
    assert sorted(rotated(known, {}, 99)) == sorted(known)


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), max_size=30), st.integers(0, 40))
def test_as_many_are_used_as_are_wanted_and_there(kinds: list[int], wanted: int) -> None:
    known = {("q", f"d{n}"): kind for n, kind in enumerate(kinds)}
    used = {pair: Random(n).randrange(3) for n, pair in enumerate(known)}
    assert len(rotated(known, used, wanted)) == min(wanted, len(kinds))
