"""Every form: whatever an annotator does comes back as it was done."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

import pytest
from asked import PLACE, RULES, config, decoded, directions, every_form, filled, made, pool, stored
from editor import Editor
from hypothesis import given, settings
from hypothesis import strategies as st
from seen import AGAIN, Picture, again

from label_configs.cards import Card
from label_configs.errors import Mendable
from label_configs.forms import FORMS, envelope, form, selection
from label_configs.records import Candidate, Query, Suggested


def editors(name: str) -> st.SearchStrategy[tuple[Editor, int]]:
    """A task of any direction and size on the screen."""
    direction, size = st.integers(0, len(directions(name)) - 1), st.integers(2, 10)
    return st.tuples(direction, size).map(lambda d: (Editor(config(name, d[0]), made(name, d[1])[0]), d[1]))


def work(data: st.DataObject, editor: Editor) -> None:
    for _ in range(data.draw(st.integers(0, 12))):
        editor.do(data.draw(editor.edits()))


def submitted(data: st.DataObject, editor: Editor) -> list[dict[str, Any]]:
    regions: list[dict[str, Any]] = json.loads(json.dumps(editor.result()))
    data.draw(st.randoms(use_true_random=False)).shuffle(regions)
    return regions


def sensible(picture: Picture) -> bool:
    """Nobody said at once that one is the best and that none is."""
    return not (selection.NONE in picture.get("best", ()) and len(picture["best"]) > 1)


def test_every_form_can_be_seen_again() -> None:
    assert set(AGAIN) == set(FORMS)
    assert all(directions(name) for name in FORMS)


@every_form
@settings(deadline=None)
@given(data=st.data())
def test_whatever_an_annotator_does_comes_back_as_it_was_done(name: str, data: st.DataObject) -> None:
    editor, size = data.draw(editors(name))
    work(data, editor)
    said, problems = decoded(name, submitted(data, editor), size=size)
    seen = editor.picture()
    if sensible(seen):
        assert problems == []
        assert again(name, said) == seen
    else:
        [problem] = problems
        assert problem.startswith(f"{PLACE}, control 'best': ")
        assert "contradict" in problem
        assert again(name, said) == {k: v for k, v in seen.items() if k != "best"}
    assert {j.origin for j in said} <= {"manual"}


@every_form
@settings(deadline=None)
@given(data=st.data())
def test_a_draft_reads_as_what_there_is_of_it(name: str, data: st.DataObject) -> None:
    editor, size = data.draw(editors(name))
    work(data, editor)
    draft: dict[str, Any] = {"user": "ann@example.org", "was_postponed": False, "annotation": None}
    said, problems = decoded(name, editor.result(draft=True), size=size, **draft)
    seen = editor.picture()
    if name == "ranking" and not editor.controls["ranking"].answer:
        seen = {k: v for k, v in seen.items() if k not in {"ranking", "checked"}}
    if sensible(seen):
        assert (again(name, said), problems) == (seen, [])


@every_form
@settings(deadline=None)
@given(data=st.data())
def test_any_part_of_an_answer_reads_as_that_part(name: str, data: st.DataObject) -> None:
    editor, size = data.draw(editors(name))
    work(data, editor)
    whole = submitted(data, editor)
    kept = [region for region in whole if data.draw(st.booleans())]
    said, problems = decoded(name, kept, size=size)
    controls = {region["from_name"] for region in kept}
    if name != "moment" and sensible(editor.picture()):  # there each range is a region
        seen = {k: v for k, v in editor.picture().items() if k in controls}
        if "ranking" not in seen:
            seen.pop("checked", None)
        assert (again(name, said), problems) == (seen, [])
    assert len(problems) <= len(kept)


# what a model suggested


def suggestions(data: st.DataObject, size: int) -> Suggested:
    grades = data.draw(st.lists(st.sampled_from(RULES.values), min_size=size, max_size=size))
    return Suggested(grades, data.draw(st.permutations(range(size))))


@every_form
@settings(deadline=None)
@given(data=st.data())
def test_a_suggestion_that_nobody_touched_is_flagged_in_every_judgment(name: str, data: st.DataObject) -> None:
    editor, size = data.draw(editors(name))
    shown = len(filled(name, size).docs)
    suggested = form(name).suggestion(suggestions(data, shown))
    editor.prefill(json.loads(json.dumps(suggested)))
    said, problems = decoded(name, editor.result(), size=size)
    assert problems == []
    assert [(j.untouched, j.origin) for j in said] == [(True, "prediction")] * len(said)
    assert bool(said) == bool(suggested)
    assert again(name, said) == editor.picture()


@every_form
@settings(deadline=None)
@given(data=st.data())
def test_a_suggestion_that_somebody_changed_is_theirs(name: str, data: st.DataObject) -> None:
    editor, size = data.draw(editors(name))
    shown = len(filled(name, size).docs)
    suggested = form(name).suggestion(suggestions(data, shown))
    editor.prefill(suggested)
    work(data, editor)
    values = {region["from_name"]: region["value"] for region in suggested}
    for region in editor.result():
        if region["value"] != values.get(region["from_name"]):
            said = [j for j in decoded(name, [region], size=size).judgments if j.doc_id]
            assert [j.untouched for j in said] == [False] * len(said)
            assert {j.origin for j in said} <= {"prediction-changed", "manual"}


@every_form
def test_a_screen_without_candidates_is_suggested_nothing_that_means_something(name: str) -> None:
    suggested = form(name).suggestion(Suggested([], []))
    assert decoded(name, suggested, size=4) == ([], [])


# older shapes


def _label(region: dict[str, Any], editor: Editor) -> dict[str, Any]:
    """A choice by what its button says, as configs without aliases store it."""
    if region["type"] != "choices":
        return region
    options = editor.controls[region["from_name"]].options
    return {**region, "value": {"choices": [options[one] for one in region["value"]["choices"]]}}


def _bare(region: dict[str, Any], editor: Editor) -> dict[str, Any]:
    """A Ranker's list without its name, and its items whole."""
    lists = region["value"].get("ranker")
    if not lists or set(lists) != {"ranking"}:
        return region
    return {**region, "value": {"ranker": [{"id": one, "html": ""} for one in lists["ranking"]]}}


def _line(region: dict[str, Any], editor: Editor) -> dict[str, Any]:
    return {**region, "value": {"text": region["value"]["text"][0]}} if region["type"] == "textarea" else region


OLDER: Mapping[str, Callable[[dict[str, Any], Editor], dict[str, Any]]] = {
    "labels for aliases": _label,
    "a list without a name": _bare,
    "a text that is no list": _line,
    "to_name of the control itself": lambda region, _: {**region, "to_name": region["from_name"]},
    "to_name of several": lambda region, _: {**region, "to_name": "query,cards"},
    "no to_name": lambda region, _: {k: v for k, v in region.items() if k != "to_name"},
    "no id and no origin": lambda region, _: {k: v for k, v in region.items() if k not in {"id", "origin"}},
    "more than we know of": lambda region, _: {**region, "item_index": 0, "meta": {"text": ["x"]}, "score": None},
}


@every_form
@pytest.mark.parametrize("older", OLDER)
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_older_shapes_of_an_answer_mean_the_same(name: str, older: str, data: st.DataObject) -> None:
    editor, size = data.draw(editors(name))
    work(data, editor)
    regions = submitted(data, editor)
    aged = [OLDER[older](region, editor) for region in regions]
    assert decoded(name, aged, size=size).judgments == decoded(name, regions, size=size).judgments


@every_form
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_ids_that_are_numbers_mean_the_same_as_text(name: str, data: st.DataObject) -> None:
    editor, size = data.draw(editors(name))
    work(data, editor)
    task = stored(made(name, size)[0])
    text = json.dumps([task, submitted(data, editor)])
    numbered, result = json.loads(re.sub(r'"c(\d)"(?!:)', r"\1", re.sub(r'"c(\d)":', r'"\1":', text)))
    said = decoded(name, result, envelope.read(numbered, project=7)).judgments
    assert [asdict(j) for j in said] == [asdict(j) for j in decoded(name, json.loads(text)[1], size=size).judgments]


@pytest.mark.parametrize("from_name", ["pick", "pw"])
@pytest.mark.parametrize(("side", "better"), [("left", "d0"), ("right", "d1")])
def test_label_studios_own_pairwise_tag_is_read(from_name: str, side: str, better: str) -> None:
    region = {"from_name": from_name, "to_name": "l,r", "type": "pairwise", "value": {"selected": side}}
    [said] = decoded("pairwise", [region], size=2).judgments
    assert (said.value, said.doc_id, said.side) == ("better", better, side)


@pytest.mark.parametrize("name", ["graded", "buckets", "ranking", "moment", "review"])
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_candidates_appended_after_the_answer_change_nothing_of_it(name: str, data: st.DataObject) -> None:
    editor, size = data.draw(editors(name))
    work(data, editor)
    result = submitted(data, editor)
    longer = stored(made(name, size)[0])
    longer["data"]["candidates"].append({"id": "late"})
    longer["meta"]["ls_retrieval"]["docs"]["late"] = "d99"
    after = decoded(name, result, envelope.read(longer, project=7))
    assert after == decoded(name, result, size=size)


@every_form
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_a_skipped_task_is_one_flag_whatever_is_left_in_it(name: str, data: st.DataObject) -> None:
    editor, size = data.draw(editors(name))
    work(data, editor)
    [flag], problems = decoded(name, submitted(data, editor), size=size, was_cancelled=True)
    assert (flag.kind, flag.value, flag.doc_id, flag.position, problems) == ("flag", "skipped", "", -1, [])


@every_form
@pytest.mark.parametrize("result", [[], None, {}, ""])
def test_an_annotation_without_regions_says_nothing_and_is_no_problem(name: str, result: object) -> None:
    assert decoded(name, result) == ([], [])


@every_form
def test_a_task_is_the_same_whatever_the_role_source_score_rank_or_reason_of_its_candidates(name: str) -> None:
    honest = pool(4)
    disguised = tuple(
        Candidate(doc_id=c.doc_id, source="gold", role="control", score=1.0, rank=n, reason="known positive")
        for n, c in enumerate(honest.candidates)
    )
    cards = {c.doc_id: Card("card", "a.wav") for c in honest.candidates}
    first, second = (
        form(name).tasks(p, Query(query_id="q1"), "q", cards, RULES, per_screen=8)
        for p in (honest, replace(honest, candidates=disguised, encoder="other", index="other"))
    )
    assert first == second


@every_form
@settings(deadline=None)
@given(size=st.integers(0, 40), per_screen=st.integers(1, 10))
def test_every_candidate_of_a_pool_stands_on_a_screen_and_every_screen_is_read_back(
    name: str, size: int, per_screen: int
) -> None:
    read = [envelope.read(stored(task), project=7) for task in made(name, size, per_screen)]
    shown = [doc_id for task in read for doc_id in task.docs]
    assert set(shown) == ({f"d{n}" for n in range(size)} if name != "pairwise" or size > 1 else set())
    assert len(shown) == (size if name != "pairwise" else 2 * len(read))
    assert [task.part for task in read] == list(range(len(read)))


def test_an_unknown_form_is_refused_with_the_names_there_are() -> None:
    assert form("graded") is FORMS["graded"]
    with pytest.raises(Mendable, match=f"Take one of: {', '.join(FORMS)}"):
        form("grades")
