"""The graded form: what annotators get, what an answer means, and that nothing of an answer is lost."""

from collections.abc import Sequence
from xml.etree import ElementTree

import pytest
from asked import PLACE, RULES, decoded, made, pool
from hypothesis import given, settings
from hypothesis import strategies as st

from label_configs.forms import envelope, graded
from label_configs.forms.answers import region
from label_configs.records import Judgment


def said(judgments: Sequence[Judgment]) -> list[tuple[int, str, str, str]]:
    return [(j.position, j.doc_id, j.kind, j.value) for j in judgments]


def graded_as(control: object, choice: object, **more: object) -> dict[str, object]:
    return {**region("", "choices", [choice]), "from_name": control, **more}


# the config


def config() -> ElementTree.Element:
    return ElementTree.fromstring(graded.xml(RULES, "text", "image"))  # noqa: S314 - made here


def test_no_tag_with_a_name_reads_candidates_so_that_bare_queries_can_be_imported() -> None:
    readers = [tag for tag in config().iter() if "$candidates" in (tag.get("value") or "")]
    assert [(tag.tag, tag.get("name")) for tag in readers] == [("Markdown", None)]


def test_the_index_stands_once_in_an_attribute_for_only_the_first_is_replaced() -> None:
    values = [value for tag in config().iter() for value in tag.attrib.values()]
    assert [value for value in values if value.count("{{idx}}") > 1] == []
    assert config().findall(".//Choices[@name='rel_{{idx}}']")


def test_a_card_offers_the_grades_from_best_to_worst_down_its_column_of_the_keyboard_and_cant_judge() -> None:
    [task] = made("graded", 3)
    offered = [(o["alias"], o["value"], o["hotkey"]) for o in task["data"]["candidates"][2]["grades"]]
    assert offered == [
        ("3", "Exact", "3"),
        ("2", "Partial", "e"),
        ("1", "Related", "d"),
        ("0", "Unrelated", "c"),
        ("cant_judge", "?", "shift+3"),
    ]


# the tasks


def test_an_empty_pool_makes_one_task_that_shows_the_query_alone() -> None:
    [task] = made("graded", 0, per_screen=8)
    assert (task["data"]["query"], task["data"]["candidates"]) == ("a red bus", [])


def test_a_task_holds_query_cards_guideline_and_the_envelope_by_which_it_is_read() -> None:
    [task] = made("graded", 2)
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
    tasks = made("graded", 17, per_screen=8)
    assert [len(t["data"]["candidates"]) for t in tasks] == [6, 5, 6]
    assert [t["meta"]["ls_retrieval"]["part"] for t in tasks] == [0, 1, 2]
    assert {t["meta"]["ls_retrieval"]["pool_id"] for t in tasks} == {pool(17).pool_id}
    assert tasks[2]["meta"]["ls_retrieval"]["docs"]["c0"] == "d11"


# the answers


def test_zero_is_a_grade_and_a_card_without_an_answer_has_none() -> None:
    assert said(decoded("graded", [graded.answer(1, "0")]).judgments) == [(1, "d1", "grade", "0")]


def test_a_judgment_carries_everything_that_it_is_joined_by() -> None:
    [judgment] = decoded("graded", [graded.answer(3, "2")]).judgments
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
    regions = [graded_as(f"rel_{n}", "1", origin=origin) for n, origin in enumerate(origins)]
    judgments = decoded("graded", regions).judgments
    assert [j.untouched for j in judgments] == [untouched, untouched]
    assert [j.origin for j in judgments] == [origin or "manual" for origin in origins]


@pytest.mark.parametrize(
    ("choice", "kind", "value"),
    [("Exact", "grade", "3"), ("Unrelated", "grade", "0"), (0, "grade", "0"), ("?", "flag", "cant_judge")],
)
def test_labels_and_numbers_are_read_as_configs_without_aliases_stored_them(
    choice: object, kind: str, value: str
) -> None:
    assert said(decoded("graded", [graded_as("rel_0", choice)]).judgments) == [(0, "d0", kind, value)]


@pytest.mark.parametrize(
    ("broken", "control", "told"),
    [
        (None, "'(none)'", "expected a region, found None"),
        ("rel_1", "'(none)'", "expected a region, found 'rel_1'"),
        ({}, "'(none)'", "the graded form has no such control"),
        (graded_as("pw", "3"), "'pw'", "the graded form has no such control"),
        (graded_as("rel_4", "3"), "'rel_4'", "the task has 4 candidates"),
        (graded_as("rel_1", "7"), "'rel_1'", "'7' is not one of the answers 3, 2, 1, 0, Exact"),
        (graded_as("rel_1", None), "'rel_1'", "None is not one of the answers"),
        ({"from_name": "rel_1"}, "'rel_1'", "expected choices, found None"),
        (graded_as("rel_1", "3", value={"choices": ["3", "0"]}), "'rel_1'", "expected one choice, found ['3', '0']"),
        (graded_as("rel_1", "3", value={"rating": 3}), "'rel_1'", "expected choices, found None"),
        (graded_as("rel_1", "3", value="3"), "'rel_1'", "expected choices, found None"),
        (graded_as("rel_0", "0"), "'rel_0'", "it is answered twice; ['3'] is kept, ['0'] is not"),
    ],
)
def test_a_malformed_region_is_named_with_its_place_and_does_not_drop_the_rest(
    broken: object, control: str, told: str
) -> None:
    judgments, [problem] = decoded("graded", [graded_as("rel_0", "3"), broken, graded_as("rel_3", "1")])
    assert said(judgments) == [(0, "d0", "grade", "3"), (3, "d3", "grade", "1")]
    assert problem.startswith(f"{PLACE}, control {control}: {told}")
