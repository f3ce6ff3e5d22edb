"""Decoding is total: whatever comes is read, or named with its place, and drops nothing that stands beside it."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pytest
from asked import PLACE, RULES, annotation, config, decoded, every_form, filled, made, stored
from editor import Editor
from hypothesis import given, settings
from hypothesis import strategies as st

from label_configs.errors import Unreadable
from label_configs.forms import FORMS, answers, envelope, form
from label_configs.records import Judgment
from store import columns
from store.judgments import SCHEMA

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -1, 2**63, 1e308, 0.5])
    | st.floats()
    | st.text()
    | st.sampled_from(["\ud800", "c0", "c1", "3", "match", "none", "prediction"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
VALUE = st.fixed_dictionaries(
    {},
    optional={
        "choices": st.lists(st.sampled_from(["3", "?", "c0", "tie", "none", "vague", "literal"])) | JSON,
        "taxonomy": st.lists(st.lists(st.sampled_from(["object", "literal"]))) | JSON,
        "text": JSON,
        "ranker": st.dictionaries(st.sampled_from(["_", "3", "ranking"]), st.lists(st.sampled_from(["c0", "c1"])))
        | JSON,
        "ranges": st.lists(st.fixed_dictionaries({"start": JSON, "end": JSON})) | JSON,
        "start": JSON,
        "end": JSON,
        "labels": JSON,
        "selected": JSON,
    },
)


def almost(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """Things that nearly are regions of the form."""
    controls = sorted(Editor(config(name), made(name, 4)[0]).controls)
    kinds = ["choices", "taxonomy", "textarea", "ranker", "labels", "timelinelabels", "pairwise", "relation"]
    return st.fixed_dictionaries(
        {
            "from_name": st.sampled_from([*controls, "rel_99", f"rel_{'9' * 5000}", "rel_00"]) | JSON,
            "value": VALUE | JSON,
        },
        optional={"type": st.sampled_from(kinds) | JSON, "origin": JSON, "meta": JSON},
    )


def kept(said: Sequence[Judgment]) -> int:
    """Judgments fit for the table: as many as it takes."""
    return int(
        columns.table([{**asdict(j), "revision": 1, "deleted": False, "since": ""} for j in said], SCHEMA).num_rows
    )


@every_form
@settings(deadline=None)
@given(data=st.data())
def test_anything_as_a_result_is_read_or_named_and_what_is_read_can_be_kept(name: str, data: st.DataObject) -> None:
    said, problems = decoded(name, data.draw(JSON | st.lists(JSON | almost(name), max_size=6)))
    assert kept(said) == len(said)
    assert all(problem.startswith(PLACE) for problem in problems)
    assert all(len(problem) < 2000 and problem.isprintable() for problem in problems)


@every_form
@settings(deadline=None)
@given(data=st.data())
def test_whatever_stands_beside_an_answer_does_not_drop_it(name: str, data: st.DataObject) -> None:
    flag = answers.region("flags", "choices", ["vague"])
    beside = data.draw(st.lists(JSON | almost(name).filter(lambda r: r["from_name"] != "flags"), max_size=6))
    said = decoded(name, [*beside, flag, *beside]).judgments
    assert [j.value for j in said if not j.doc_id and j.value != answers.BETTER] == ["vague"]


FRAME = ("id", "updated_at", "lead_time", "completed_by", "was_cancelled", "created_at", "result")


@every_form
@settings(deadline=None)
@given(frame=st.dictionaries(st.sampled_from(FRAME), JSON), missing=st.sets(st.sampled_from(FRAME)))
def test_anything_as_an_annotation_is_read_or_named(name: str, frame: dict[str, Any], missing: set[str]) -> None:
    odd = {k: v for k, v in {**annotation([]), **frame}.items() if k not in missing}
    said, problems = form(name).judgments(filled(name, 4), odd, RULES, "ann")  # type: ignore[arg-type]
    assert kept(said) == len(said)
    assert all(problem.startswith("project 7, task 42, annotation ") for problem in problems)


@every_form
@pytest.mark.parametrize(
    ("odd", "told"),
    [
        ({"id": None}, "annotation None: expected an id, found None"),
        ({"id": True}, "annotation True: expected an id, found True"),
        ({"id": 2**63}, f"annotation {2**63}: expected an id, found {2**63}"),
        ({"updated_at": None}, "annotation 9: expected updated_at, found None"),
        ({"updated_at": 17}, "annotation 9: expected updated_at, found 17"),
    ],
)
def test_an_annotation_without_id_or_time_is_named_and_says_nothing(name: str, odd: Any, told: str) -> None:
    flag = answers.region("flags", "choices", ["vague"])
    assert decoded(name, [flag], **odd) == ([], [f"project 7, task 42, {told}"])


@every_form
@pytest.mark.parametrize("lead_time", ["12.5", True, float("nan"), float("inf"), 10**400, [1]])
def test_a_lead_time_that_is_none_is_named_and_the_answer_kept(name: str, lead_time: object) -> None:
    [said], [problem] = decoded(name, [answers.region("flags", "choices", ["vague"])], lead_time=lead_time)
    assert (said.value, said.lead_time) == ("vague", None)
    assert problem.startswith(f"{PLACE}: expected lead_time in seconds, found ")


@settings(deadline=None)
@given(data=st.data(), name=st.sampled_from(sorted(FORMS)))
def test_any_json_as_a_task_is_read_or_refused(data: st.DataObject, name: str) -> None:
    task: Any = stored(made(name, 3)[0])
    ours = task["meta"]["ls_retrieval"]
    place = data.draw(
        st.sampled_from([task, task["data"], task["meta"], ours, ours["docs"], *task["data"]["candidates"]])
    )
    if place:
        place[data.draw(st.sampled_from(sorted(place)))] = data.draw(JSON)
    anything: Any = data.draw(JSON)
    for one in (task, anything):
        try:
            read = envelope.read(one, project=7)
        except Unreadable:
            continue
        assert kept(form(name).judgments(read, annotation([], was_cancelled=True), RULES, "a").judgments) == 1
