"""Predictions of many screens at a time: what each says is what it would say alone, and what an annotator could say."""

from dataclasses import replace
from typing import Any

import asked
import msgspec
import pytest
from asked import RULES, every_form
from hypothesis import given, settings
from hypothesis import strategies as st

from label_configs.forms import check, plain
from label_configs.forms.envelope import Task
from label_configs.records import Pool
from ml_backend import protocol
from ml_backend.kept import Packed, Scored
from ml_backend.learning.calibration import Calibration
from ml_backend.protocol import Given
from ml_backend.ranker import Ranker, Screen, screen

RANKER = Ranker(RULES, "v1")


def scored(scores: list[float]) -> Pool:
    """A pool whose candidates have these scores."""
    made = asked.pool(len(scores))
    shown = (replace(one, score=score) for one, score in zip(made.candidates, scores, strict=True))
    return replace(made, candidates=tuple(shown))


def through_the_door(tasks: list[Task], **more: object) -> list[Given]:
    """Tasks as a request brings them."""
    body = {"tasks": [{"id": n, **task} for n, task in enumerate(tasks, 1)], "project": "1.2", **more}
    return list(protocol.decode_predict(msgspec.json.encode(body)).tasks)


def shown(name: str, pool: Pool, task: Task) -> Screen:
    return screen(name, Scored.of(pool), task["meta"]["ls_retrieval"]["docs"].values())


@every_form
@settings(deadline=None, max_examples=30)
@given(st.lists(st.lists(st.sampled_from([-3.0, 0.5, 2.0, 3.0]) | st.floats(-9, 30), max_size=9), max_size=4))
def test_a_prediction_is_what_an_annotator_could_say_and_the_same_among_others_as_alone(
    name: str, drawn: list[list[float]]
) -> None:
    pools = [scored(one) for one in drawn]
    pairs = [(pool, task) for pool in pools for task in asked.made(name, len(pool.candidates), per_screen=4)]
    found = RANKER.predictions([shown(name, pool, task) for pool, task in pairs])
    assert found == [RANKER.predict(task, pool) for pool, task in pairs]
    assert [check.problems(asked.stored(task), one, RULES) for (_, task), one in zip(pairs, found, strict=True)] == [
        [] for _ in pairs
    ]


def test_equals_stand_in_the_order_of_the_screen() -> None:
    pool = scored([2.0, 3.0, 2.0, 3.0])
    (task,) = asked.made("ranking", 4)
    predicted: Any = RANKER.predict(task, pool)
    assert predicted["result"][0]["value"] == {"ranker": {"ranking": ["c1", "c3", "c0", "c2"]}}


@every_form
def test_a_task_as_it_was_pushed_comes_as_little_more_than_its_envelope(name: str) -> None:
    made = asked.made(name, 4)
    given = through_the_door(made)
    assert all(isinstance(one, plain.Asked) for one in given)
    assert [plain.asked(one) for one in given] == given
    assert [plain.asked({"id": n, **task}) for n, task in enumerate(made, 1)] == given


def test_a_request_with_a_context_brings_its_tasks_whole() -> None:
    (task,) = through_the_door(asked.made("graded", 4), params={"context": {"result": []}})
    assert isinstance(task, dict)
    assert task["data"]["query"] == "a red bus"


CHANGES: list[dict[str, Any]] = [
    {"data": {}},
    {"data": {"query_id": "q1", "candidates": [{"id": "c1"}, {"id": "c0"}]}},
    {"data": {"query_id": "q1", "candidates": [{"id": "c0"}, {"id": "c1"}, {"id": "c2"}]}},
    {"meta": {}},
    {"id": -1},
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_task_that_was_changed_is_not_predicted(change: dict[str, Any]) -> None:
    (task,) = asked.made("graded", 2)
    assert plain.asked({"id": 1, **task}) is not None
    assert plain.asked({"id": 1, **task, **change}) is None


def test_what_predictions_need_of_a_pool_is_what_the_pool_says() -> None:
    packed, pool = Packed(), scored([1.0, 2.5])
    packed.add(pool)
    assert packed.scored(pool.pool_id) == Scored("q1", {"d0": 1.0, "d1": 2.5})
    assert packed[pool.pool_id] == pool
    assert packed.scored("another") is None


def test_nothing_is_predicted_for_nobody() -> None:
    assert RANKER.predictions([]) == []
    assert Calibration(1.0, (2.0,)).grades([]).tolist() == []
