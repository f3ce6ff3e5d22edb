"""What keeps a prediction that Label Studio would take and not survive from leaving."""

import json
from typing import Any

import asked
import pytest
from asked import RULES, every_form

from label_configs.forms import FORMS, answers, check
from label_configs.records import Suggested

SIZES = {"pairwise": 2, "review": 1, "moment": 1}


def task(name: str) -> dict[str, Any]:
    return asked.stored(asked.made(name, SIZES.get(name, 4))[0])


def prediction(name: str, **more: Any) -> dict[str, Any]:
    size = len(task(name)["data"]["candidates"])
    suggested = Suggested((3, 0, 2, 1)[:size], [n for n in (0, 2, 3, 1) if n < size])
    found = {"result": FORMS[name].suggestion(suggested), "score": 0.5, "model_version": "v1", **more}
    return dict(json.loads(json.dumps(found)))


@every_form
def test_what_a_form_suggests_may_leave(name: str) -> None:
    assert check.problems(task(name), prediction(name), RULES) == []


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -float("inf"), None, "0.5", True, [0.5]])
def test_a_score_is_a_finite_number(score: object) -> None:
    found = {**prediction("graded"), "score": score}
    assert [problem.split(",")[0] for problem in check.problems(task("graded"), found, RULES)] == [
        "expected a finite score"
    ]


@pytest.mark.parametrize("version", ["", None, 5])
def test_a_prediction_says_its_version(version: object) -> None:
    found = check.problems(task("graded"), prediction("graded", model_version=version), RULES)
    assert [problem.split(",")[0] for problem in found] == ["expected a model_version"]


@pytest.mark.parametrize("result", [None, "x", {}, 5])
def test_regions_stand_in_a_list(result: object) -> None:
    (problem,) = check.problems(task("graded"), prediction("graded", result=result), RULES)
    assert problem.startswith("expected regions, found")


@pytest.mark.parametrize(
    ("name", "region", "told"),
    [
        ("graded", answers.region("rel_0", "choices", ["7"]), "'7' is not one of the answers"),
        ("graded", answers.region("rel_4", "choices", ["1"]), "the task has 4 candidates"),
        ("graded", answers.region("mood", "choices", ["1"]), "the graded form has no such control"),
        ("graded", "rel_0", "expected a region, found 'rel_0'"),
        ("selection", answers.region("best", "choices", ["c9"]), "'c9' is not one of the answers"),
        ("pairwise", answers.region("pick", "choices", ["left"]), "'left' is not one of the answers"),
        (
            "ranking",
            answers.region("ranking", "ranker", {"ranking": ["c0", "c1", "c2", "c3", "c9"]}),
            "no candidate 'c9'",
        ),
        ("ranking", answers.region("ranking", "ranker", {"ranking": ["c0", "c1", "c2", "c0"]}), "stands twice"),
        ("ranking", answers.region("ranking", "ranker", {"ranking": ["c2", "c0"]}), "it leaves out c1, c3"),
        ("buckets", answers.region("buckets", "ranker", {"3": ["c0"], "_": ["c1", "c3"]}), "it leaves out c2"),
        (
            "buckets",
            answers.region("buckets", "ranker", {"best": ["c0", "c1", "c2", "c3"]}),
            "'best' is not one of the",
        ),
    ],
)
def test_what_an_annotator_could_not_have_said_is_named(name: str, region: object, told: str) -> None:
    (problem,) = check.problems(task(name), prediction(name, result=[region]), RULES)
    assert told in problem


def test_a_task_that_was_changed_gets_no_prediction() -> None:
    changed = task("graded")
    changed["data"]["candidates"].pop()
    (problem,) = check.problems(changed, prediction("graded"), RULES)
    assert "was changed since it was pushed" in problem
    (unknown,) = check.problems({"id": 1, "data": {}, "meta": {}}, prediction("graded"), RULES)
    assert "has no candidates of this tool" in unknown
