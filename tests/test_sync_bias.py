"""What moves answers beside relevance."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from scipy import stats
from sync_world import RULES, grade

from label_configs.records import Judgment, Qrel, ScoredDoc
from sync.bias import anchoring, corrected, pace, position, priming, seen, sides
from sync.bias.position import Reader

READERS = {f"a{n}": Reader(0.0, 0.55) for n in range(3)}


def screens(
    slope: float, seed: int, *, queries: int = 100, cards: int = 8, primed: float = 0.0
) -> tuple[dict[tuple[str, str], int], list[Judgment]]:
    """True grades, mostly 0, in drawn order; and what three annotators say of them who lean by place, and by what
    they said before.
    """
    random = np.random.default_rng(seed)
    truth: dict[tuple[str, str], int] = {}
    said = []
    for q in range(queries):
        grades = random.choice(4, cards, p=[0.5, 0.2, 0.2, 0.1])
        truth |= {(f"q{q}", f"d{n}"): int(value) for n, value in enumerate(grades)}
        for who in range(3):
            before = 1.0
            for place, true in enumerate(grades):
                felt = true + slope * (place - (cards - 1) / 2) + primed * (before - 1) + random.normal(0, 0.55)
                before = int(np.clip(np.rint(felt), 0, 3))
                number = q * 3 + who + 1
                said.append(grade(f"q{q}", f"d{place}", int(before), f"a{who}", position=place, annotation_id=number))
    return truth, said


# position


def test_without_answers_or_with_one_place_there_is_no_slope() -> None:
    assert position(seen([], RULES, {}), RULES, {}) is None
    assert position(seen([grade("q", "d", 3)], RULES, {}), RULES, {}) is None
    assert corrected(seen([], RULES, {}), RULES, {}, 0.0, 0.0) == ()


@pytest.mark.parametrize("slope", [-0.1, 0.0, 0.05])
def test_the_slope_is_found_on_the_scale_of_grades_though_answers_stop_at_its_ends(slope: float) -> None:
    found = [position(seen(screens(slope, seed)[1], RULES, {}), RULES, READERS) for seed in range(4)]
    assert all(found)
    slopes = [one["slope"] for one in found if one]
    errors = [(one["high"] - one["low"]) / 3.92 for one in found if one]
    assert np.mean(slopes) == pytest.approx(slope, abs=3 * float(np.mean(errors)) / 2)  # the mean of four
    assert abs(np.mean([one["linear"] for one in found if one])) <= abs(np.mean(slopes)) + 0.01


def test_a_slope_that_may_be_none_is_not_applied() -> None:
    found = position(seen(screens(0.0, 1)[1], RULES, {}), RULES, READERS)
    assert found is not None
    assert found["low"] < 0 < found["high"]
    assert found["p"] > 0.05
    assert found["applied"] == 0


def test_each_place_has_its_mean_within_the_queries() -> None:
    said = [grade(f"q{q}", f"d{n}", 3 - n, position=n) for q in range(4) for n in range(4)]
    found = position(seen(said, RULES, {}), RULES, READERS)
    assert found is not None
    assert [(one["place"], one["answers"], one["mean"]) for one in found["places"]] == [
        (0, 4, 1.5),
        (1, 4, 0.5),
        (2, 4, -0.5),
        (3, 4, -1.5),
    ]
    assert found["linear"] == -1.0
    assert found["middle"] == 1.5


def test_tasks_in_the_models_order_are_left_out_of_the_fit() -> None:
    _, blind = screens(0.0, 2)
    ordered = [grade(f"z{q}", f"d{n}", 3 - n, position=n, annotator="a0") for q in range(30) for n in range(4)]
    whole = position(seen([*blind, *ordered], RULES, {}, {f"z{q}" for q in range(30)}), RULES, READERS)
    alone = position(seen(blind, RULES, {}), RULES, READERS)
    assert whole is not None
    assert alone is not None
    assert whole["slope"] == pytest.approx(alone["slope"], abs=0.005)


def test_corrected_grades_are_nearer_to_the_truth() -> None:
    truth, said = screens(-0.15, 3, queries=150)
    of = seen(said, RULES, {})
    found = position(of, RULES, READERS)
    assert found is not None
    right = []
    for slope in (0.0, found["applied"]):
        relevance = corrected(of, RULES, READERS, slope, found["middle"])
        right.append(sum(r.grade == truth[r.query_id, r.doc_id] for r in relevance))
    assert right[1] > right[0]


def test_only_the_last_answer_of_an_annotator_counts() -> None:
    early = grade("q", "d", 0, updated_at="2026-01-01T00:00:00.000000Z", position=1)
    late = grade("q", "d", 3, updated_at="2026-01-02T00:00:00.000000Z", annotation_id=2, position=4)
    of = seen([late, early], RULES, {})
    assert (of.grade.tolist(), of.place.tolist()) == ([3], [4])


# anchoring


def ranked(grades: Mapping[str, Sequence[int]]) -> tuple[list[Qrel], list[ScoredDoc]]:
    qrels = [Qrel(q, f"d{n}", value) for q, values in grades.items() for n, value in enumerate(values)]
    return qrels, [ScoredDoc(q, f"d{n}", -n) for q, values in grades.items() for n in range(len(values))]


def test_assistance_is_compared_with_the_queries_that_stay_blind() -> None:
    helped, blind = {f"h{n}": [3, 0] for n in range(12)}, {f"b{n}": [0, 3] for n in range(8)}
    found = anchoring(*ranked({**helped, **blind}), set(helped))
    assert (found["assisted_queries"], found["blind_queries"], found["assisted"]) == (12, 8, 1.0)
    assert found["blind"] == round(1 / np.log2(3), 4)
    assert found["difference"] == round(1 - 1 / np.log2(3), 4)
    assert found["p"] is not None
    assert found["p"] < 0.001


def test_alike_queries_show_no_anchoring_and_too_few_none_either() -> None:
    alike = {f"q{n}": [3, 0] for n in range(9)}
    assert anchoring(*ranked(alike), {"q1", "q2"})["p"] == 1.0
    assert anchoring(*ranked(alike), set())["difference"] is None


# sides


def test_sides_are_tested_by_the_binomial_and_ties_do_not_count() -> None:
    said = [grade("q", f"d{n}", "better", kind="preference", side="left" if n < 15 else "right") for n in range(20)]
    found = sides([*said, grade("q", "x", "tie", kind="preference", side="left")])
    assert (found["decided"], found["left"]) == (20, 15)
    assert found["p"] == pytest.approx(stats.binomtest(15, 20).pvalue, abs=1e-6)
    assert sides([]) == {"decided": 0, "left": 0, "share": None, "p": None}


# priming


def test_answers_that_lean_on_the_one_before_are_told_from_those_that_do_not() -> None:
    leaning, free = (priming(screens(0.0, 4, primed=primed)[1]) for primed in (0.25, 0.0))
    assert leaning["effect"] is not None
    assert free["effect"] is not None
    assert leaning["p"] is not None
    assert free["p"] is not None
    assert leaning["effect"] > 0.05 > abs(free["effect"])
    assert leaning["p"] < 0.01 < free["p"]


def test_screens_of_two_answers_say_nothing_of_priming() -> None:
    said = [grade("q", f"d{n}", n, position=n) for n in range(2)]
    assert priming(said) == {"screens": 0, "effect": None, "p": None}


# time


def test_the_time_of_an_annotation_is_shared_among_its_judgments() -> None:
    said = [grade("q", f"d{n}", 0, lead_time=40.0, annotation_id=1) for n in range(8)]
    said += [grade("h", "d", 0, lead_time=9.0, annotation_id=2), grade("h", "e", 0, annotation_id=3)]
    blind, helped = pace(said, {"h"})
    assert (blind["form"], blind["assisted"], blind["annotations"], blind["median"]) == ("graded", False, 1, 5.0)
    assert (helped["assisted"], helped["annotations"], helped["median"]) == (True, 1, 9.0)
