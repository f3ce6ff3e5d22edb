"""What moves answers beside relevance."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sync_world import RULES, grade, make_workspace, pool

from label_configs.records import Item, Judgment, Qrel, Query, ScoredDoc
from sync.bias import anchoring, corrected, pace, position, priming, seen, sides
from sync.bias.position import Reader
from sync.dataset import load
from sync.evaluation import ndcg
from sync.report import figures

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


def test_who_answers_whatever_is_shown_does_not_flatten_the_slope() -> None:
    """One of three is a spammer, and is known for one: the slope of -0.1 is that of the other two."""
    readers = READERS | {"a2": Reader(0.0, 0.55, slip=0.99)}
    found = []
    for seed in range(4):
        random, (_, said) = np.random.default_rng([9, seed]), screens(-0.1, seed, queries=150)
        spam = [replace(j, value=str(random.integers(0, 4))) if j.annotator == "a2" else j for j in said]
        found.append(position(seen(spam, RULES, {}), RULES, readers))
    assert np.mean([one["slope"] for one in found if one]) == pytest.approx(-0.1, abs=0.015)


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


# the report


def test_the_report_holds_every_effect_and_both_versions_of_what_leans_by_place(tmp_path: Path) -> None:
    """Items are ranked as they stand on the screen, whose upper places get better grades than they are worth."""
    truth, said = screens(-0.15, 3)
    said += [grade("q0", f"d{n}", "better", kind="preference", side="left", annotation_id=900 + n) for n in range(3)]
    ranked_ = [(q, f"d{n}", float(-n)) for q in sorted({j.query_id for j in said}) for n in range(8)]
    queries = {q: Query(query_id=q, text=q) for q, _, _ in ranked_}
    pools = [pool(q, [(f"d{n}", "candidate", "dense", float(-n)) for n in range(8)]) for q in queries]
    items = {f"d{n}": Item(doc_id=f"d{n}", text="") for n in range(8)}
    data = replace(
        load(make_workspace(tmp_path, labelled=False), "main"),
        judgments=said,
        queries=queries,
        items=items,
        pools=pools,
        run=[ScoredDoc(*hit) for hit in ranked_],
    )
    found = json.loads(json.dumps(figures.report(data)["effects"]))
    assert found["sides"] == {"decided": 3, "left": 3, "share": [1.0, 0.2924, 1.0], "p": 0.25}  # (0.05 / 2) ** (1 / 3)
    assert found["anchoring"]["assisted_queries"] == 0
    assert found["pace"] == []
    assert found["priming"]["screens"] == 300
    assert found["position"]["applied"] == pytest.approx(-0.15, abs=0.05)
    real = ndcg([Qrel(*pair, 1000 * value) for pair, value in truth.items()], data.run)
    assert real is not None
    assert abs(found["ndcg10_corrected"] - real) < abs(found["ndcg10_as_judged"] - real) / 2
