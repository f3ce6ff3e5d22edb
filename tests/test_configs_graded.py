"""The graded form: what annotators get, what an answer means, and that nothing of an answer is lost."""

import json
import re
from dataclasses import replace
from typing import Any, get_args
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from label_configs import rules
from label_configs.cards import Card
from label_configs.errors import Mendable
from label_configs.forms import FORMS, envelope, form, graded
from label_configs.forms.envelope import Annotation, Decoded, Filled, Task
from label_configs.records import Candidate, Judgment, Modality, Pool, Query
from label_configs.rules import CANT_JUDGE, Rules

RULES = rules.parse(rules.preset())
MODALITIES: tuple[Modality, ...] = get_args(Modality)
PLACE = "project 7, task 42, annotation 9, control "
ANSWERS = st.sampled_from([None, CANT_JUDGE, *RULES.values])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ALMOST_REGION = st.fixed_dictionaries(
    {},
    optional={
        "from_name": st.sampled_from(["rel_0", "rel_2", "rel_99", "rel_", "rel_-1", "pw", f"rel_{'9' * 5000}"]) | JSON,
        "type": st.sampled_from(["choices", "ranker", "pairwise"]) | JSON,
        "value": st.fixed_dictionaries({"choices": JSON | st.lists(st.sampled_from(["3", "Exact", "?"]))}) | JSON,
        "origin": JSON,
    },
)


def pool(size: int) -> Pool:
    candidates = tuple(Candidate(doc_id=f"d{n}", source="dense") for n in range(size))
    return Pool(query_id="q1", candidates=candidates, encoder="e", index="i", seed=0, round=2)


def made(size: int, per_screen: int = 8) -> list[Task]:
    cards = {f"d{n}": Card(f"<b>card {n}</b>") for n in range(size)}
    query = Query(query_id="q1", text="a red bus")
    return graded.tasks(pool(size), query, "a red bus", cards, RULES, per_screen=per_screen)


def filled(size: int) -> Filled:
    """A task of that many candidates as it comes back from Label Studio."""
    [task] = made(size, per_screen=10)
    return envelope.read({"id": 42, **json.loads(json.dumps(task))}, project=7)


def annotation(result: Any, **more: Any) -> Annotation:
    given: Annotation = {"id": 9, "result": result, "updated_at": "2026-11-22T10:00:00.000000Z", "lead_time": 12.5}
    return {**given, **more}  # type: ignore[typeddict-item]


def decoded(result: Any, size: int = 4, **more: Any) -> Decoded:
    return graded.judgments(filled(size), annotation(result, **more), RULES, "ann")


def region(control: object, choice: object, **more: object) -> dict[str, object]:
    return {"from_name": control, "to_name": "query", "type": "choices", "value": {"choices": [choice]}, **more}


def said(judgments: list[Judgment]) -> list[tuple[int, str, str, str]]:
    return [(j.position, j.doc_id, j.kind, j.value) for j in judgments]


# --- the config


def config(query: Modality = "text", candidates: Modality = "image", of: Rules = RULES) -> ElementTree.Element:
    return ElementTree.fromstring(graded.xml(of, query, candidates))  # noqa: S314 - made here


@pytest.mark.parametrize("candidates", MODALITIES)
@pytest.mark.parametrize("query", MODALITIES)
def test_the_config_of_every_direction_is_xml_that_shows_the_query_in_its_own_tag(
    query: Modality, candidates: Modality
) -> None:
    [shown] = config(query, candidates).findall(".//*[@name='query']")
    assert (shown.tag, shown.get("value")) == (query.capitalize(), "$query")


def test_no_tag_with_a_name_reads_candidates_so_that_bare_queries_can_be_imported() -> None:
    readers = [tag for tag in config().iter() if "$candidates" in (tag.get("value") or "")]
    assert [(tag.tag, tag.get("name")) for tag in readers] == [("Markdown", None)]


def test_no_key_in_the_repeater_is_fixed_for_it_would_grade_every_card_at_once() -> None:
    [repeater] = config().findall(".//Repeater")
    assert [tag.get("hotkey") for tag in repeater.iter() if tag.get("hotkey")] == []


def test_the_index_stands_once_in_an_attribute_for_only_the_first_is_replaced() -> None:
    values = [value for tag in config().iter() for value in tag.attrib.values()]
    assert [value for value in values if value.count("{{idx}}") > 1] == []
    assert config().findall(".//Choices[@name='rel_{{idx}}']")


def test_a_card_offers_the_grades_from_best_to_worst_down_its_column_of_the_keyboard_and_cant_judge() -> None:
    [task] = made(3)
    offered = [(o["alias"], o["value"], o["hotkey"]) for o in task["data"]["candidates"][2]["grades"]]
    assert offered == [
        ("3", "Exact", "3"),
        ("2", "Partial", "e"),
        ("1", "Related", "d"),
        ("0", "Unrelated", "c"),
        ("cant_judge", "?", "shift+3"),
    ]


# --- the tasks


def test_an_empty_pool_makes_one_task_that_shows_the_query_alone() -> None:
    [task] = made(0)
    assert (task["data"]["query"], task["data"]["candidates"]) == ("a red bus", [])


def test_a_task_holds_query_cards_guideline_and_the_envelope_by_which_it_is_read() -> None:
    [task] = made(2)
    assert task["data"] == {
        "query_id": "q1",
        "query": "a red bus",
        "about": "",
        "candidates": [
            {"id": f"c{n}", "html": f"<b>card {n}</b>", "grades": candidate["grades"]}
            for n, candidate in enumerate(task["data"]["candidates"])
        ],
        "guideline": RULES.guideline(),
    }
    assert task["meta"] == {
        "ls_retrieval": {
            "v": 1,
            "pool_id": pool(2).pool_id,
            "rules_hash": RULES.hash,
            "form": "graded",
            "round": 2,
            "part": 0,
            "docs": {"c0": "d0", "c1": "d1"},
        }
    }


@settings(deadline=None)
@given(size=st.integers(0, 120), per_screen=st.integers(1, 20))
def test_screens_hold_at_most_per_screen_and_differ_by_one_at_most_and_lose_nothing(size: int, per_screen: int) -> None:
    screens = envelope.parts(pool(size), per_screen)
    sizes = [len(screen) for screen in screens]
    assert len(screens) == max(1, -(-size // per_screen))
    assert max(sizes) <= per_screen
    assert max(sizes) - min(sizes) <= 1
    assert tuple(c for screen in screens for c in screen) == pool(size).candidates


def test_a_deep_pool_becomes_parts_of_one_pool_whose_ids_start_anew() -> None:
    tasks = made(17)
    assert [len(t["data"]["candidates"]) for t in tasks] == [6, 5, 6]
    assert [t["meta"]["ls_retrieval"]["part"] for t in tasks] == [0, 1, 2]
    assert {t["meta"]["ls_retrieval"]["pool_id"] for t in tasks} == {pool(17).pool_id}
    assert tasks[2]["meta"]["ls_retrieval"]["docs"]["c0"] == "d11"


def test_a_task_is_the_same_whatever_the_role_source_score_rank_or_reason_of_its_candidates() -> None:
    honest = pool(4)
    disguised = tuple(
        Candidate(doc_id=c.doc_id, source="gold", role="control", score=1.0, rank=n, reason="known positive")
        for n, c in enumerate(honest.candidates)
    )
    cards = {c.doc_id: Card("card") for c in honest.candidates}
    both = [
        graded.tasks(p, Query(query_id="q1"), "q", cards, RULES)
        for p in (honest, replace(honest, candidates=disguised, encoder="other", index="other"))
    ]
    assert both[0] == both[1]


# --- the answers


@settings(deadline=None)
@given(st.lists(ANSWERS, max_size=10), st.randoms(use_true_random=False))
def test_any_picture_of_grades_cant_judge_and_blanks_comes_back_from_its_regions(
    picture: list[int | str | None], order: Any
) -> None:
    regions = [graded.answer(n, str(answer)) for n, answer in enumerate(picture) if answer is not None]
    order.shuffle(regions)
    expected = [
        (n, f"d{n}", "flag" if answer == CANT_JUDGE else "grade", str(answer))
        for n, answer in enumerate(picture)
        if answer is not None
    ]
    for result in (regions, json.loads(json.dumps(regions))):
        judgments, problems = decoded(result, size=len(picture))
        assert (said(judgments), problems) == (expected, [])


def test_zero_is_a_grade_and_a_card_without_an_answer_has_none() -> None:
    assert said(decoded([graded.answer(1, "0")]).judgments) == [(1, "d1", "grade", "0")]


def test_a_judgment_carries_everything_that_it_is_joined_by() -> None:
    [judgment] = decoded([graded.answer(3, "2")]).judgments
    assert judgment == Judgment(
        kind="grade",
        project=7,
        task_id=42,
        annotation_id=9,
        updated_at="2026-11-22T10:00:00.000000Z",
        query_id="q1",
        doc_id="d3",
        value="2",
        annotator="ann",
        rules_hash=RULES.hash,
        pool_id=pool(4).pool_id,
        form="graded",
        round=2,
        position=3,
        lead_time=12.5,
    )


@pytest.mark.parametrize("result", [[], None, {}, ""])
def test_an_annotation_without_regions_says_nothing_and_is_no_problem(result: object) -> None:
    assert decoded(result) == ([], [])


def test_a_skipped_task_is_one_flag_and_its_leftover_regions_do_not_count() -> None:
    [flag] = decoded([graded.answer(0, "3")], was_cancelled=True).judgments
    assert (flag.kind, flag.value, flag.doc_id, flag.position) == ("flag", "skipped", "", -1)


@pytest.mark.parametrize(
    ("origins", "untouched"),
    [
        (["prediction", "prediction"], True),
        (["prediction", "prediction-changed"], False),
        (["prediction", "manual"], False),
        (["prediction", None], False),
    ],
)
def test_an_annotation_is_untouched_when_every_region_is_still_the_prediction(
    origins: list[str | None], untouched: bool
) -> None:
    regions = [region(f"rel_{n}", "1", origin=origin) for n, origin in enumerate(origins)]
    judgments = decoded(regions).judgments
    assert [j.untouched for j in judgments] == [untouched, untouched]
    assert [j.origin for j in judgments] == [origin or "manual" for origin in origins]


@pytest.mark.parametrize(
    ("choice", "kind", "value"),
    [("Exact", "grade", "3"), ("Unrelated", "grade", "0"), (0, "grade", "0"), ("?", "flag", CANT_JUDGE)],
)
def test_labels_and_numbers_are_read_as_configs_without_aliases_stored_them(
    choice: object, kind: str, value: str
) -> None:
    assert said(decoded([region("rel_0", choice)]).judgments) == [(0, "d0", kind, value)]


@pytest.mark.parametrize(
    ("broken", "control", "told"),
    [
        (None, "'(none)'", "expected a region, found None"),
        ("rel_1", "'(none)'", "expected a region, found 'rel_1'"),
        ({}, "'(none)'", "the graded form has no such control"),
        (region("pw", "3"), "'pw'", "the graded form has no such control"),
        (region("rel_4", "3"), "'rel_4'", "the task has 4 candidates"),
        (region("rel_1", "7"), "'rel_1'", "'7' is not one of the answers 3, 2, 1, 0, Exact"),
        (region("rel_1", None), "'rel_1'", "None is not one of the answers"),
        ({"from_name": "rel_1"}, "'rel_1'", "expected choices, found None"),
        (region("rel_1", "3", value={"choices": ["3", "0"]}), "'rel_1'", "expected one choice, found ['3', '0']"),
        (region("rel_1", "3", value={"rating": 3}), "'rel_1'", "expected choices, found None"),
        (region("rel_1", "3", value="3"), "'rel_1'", "expected choices, found None"),
        (region("rel_0", "0"), "'rel_0'", "it is answered twice; ['3'] is kept, ['0'] is not"),
    ],
)
def test_a_malformed_region_is_named_with_its_place_and_does_not_drop_the_rest(
    broken: object, control: str, told: str
) -> None:
    judgments, [problem] = decoded([region("rel_0", "3"), broken, region("rel_3", "1")])
    assert said(judgments) == [(0, "d0", "grade", "3"), (3, "d3", "grade", "1")]
    assert problem.startswith(f"{PLACE}{control}: {told}")


@settings(deadline=None)
@given(st.lists(JSON | ALMOST_REGION, max_size=6))
def test_every_thing_in_a_result_becomes_one_judgment_or_one_problem(regions: list[Any]) -> None:
    judgments, problems = decoded([region("rel_1", "2"), *regions])
    assert len(judgments) + len(problems) == 1 + len(regions)
    assert (1, "d1", "grade", "2") in said(judgments)
    assert all(problem.startswith(PLACE) for problem in problems)


@settings(deadline=None)
@given(JSON)
def test_decoding_any_json_as_result_raises_nothing(result: Any) -> None:
    assert all(re.match(PLACE, problem) for problem in decoded(result).problems)


def test_an_unknown_form_is_refused_with_the_names_there_are() -> None:
    assert form("graded") is FORMS["graded"]
    with pytest.raises(Mendable, match="Take one of: graded"):
        form("grades")
