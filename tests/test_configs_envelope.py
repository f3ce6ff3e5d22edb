"""The envelope: a task is read back as it was pushed, or refused with its place."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from label_configs import rules
from label_configs.errors import Unreadable
from label_configs.forms import envelope
from label_configs.records import Candidate, Pool, Query

RULES = rules.parse(rules.preset())
POOL = Pool(
    query_id="q1",
    candidates=(Candidate(doc_id="a", source="dense"), Candidate(doc_id="b", source="dense")),
    encoder="e",
    index="i",
    seed=0,
)


def stored() -> dict[str, Any]:
    """A task as Label Studio returns it."""
    query = Query(query_id="q1", text="a red bus")
    shown = {"a": "A", "b": "B"}
    [task] = envelope.tasks(
        "graded", POOL, query, "a red bus", RULES, [POOL.candidates], lambda _, doc_id: {"html": shown[doc_id]}
    )
    return {"id": 42, **json.loads(json.dumps(task))}


def ours(task: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = task["meta"]["ls_retrieval"]
    return found


def test_a_task_is_read_back_as_it_was_pushed() -> None:
    assert envelope.read(stored(), project=7) == envelope.Filled(
        project=7,
        task_id=42,
        query_id="q1",
        pool_id=POOL.pool_id,
        rules_hash=RULES.hash,
        form="graded",
        round=1,
        part=0,
        ids=("c0", "c1"),
        docs=("a", "b"),
    )


def test_the_order_of_the_candidates_in_the_stored_task_decides() -> None:
    task = stored()
    task["data"]["candidates"].reverse()
    assert envelope.read(task, project=7).docs == ("b", "a")


@pytest.mark.parametrize("meta", [None, "", [], {}, {"ls_retrieval": None}, {"ls_retrieval": "x"}, {"other": {}}])
def test_a_task_without_our_envelope_is_not_filled_and_cannot_be_read(meta: object) -> None:
    task = stored() | {"meta": meta}
    assert not envelope.is_filled(task)
    with pytest.raises(Unreadable, match="project 7, task 42 has no candidates of this tool"):
        envelope.read(task, project=7)
    assert envelope.is_filled(stored())


@pytest.mark.parametrize("version", [None, 0, 2, "1"])
def test_another_version_of_the_format_is_refused_by_name(version: object) -> None:
    task = stored()
    ours(task)["v"] = version
    with pytest.raises(Unreadable, match=f"project 7, task 42 was written in version {version!r}"):
        envelope.read(task, project=7)


DAMAGE: dict[str, Callable[[dict[str, Any]], object]] = {
    "data is gone": lambda t: t.update(data=None),
    "data is text": lambda t: t.update(data="x"),
    "no query_id": lambda t: t["data"].pop("query_id"),
    "no candidates": lambda t: t["data"].pop("candidates"),
    "candidates are text": lambda t: t["data"].update(candidates="[]"),
    "a candidate is text": lambda t: t["data"].update(candidates=["c0", "c1"]),
    "a candidate without id": lambda t: t["data"]["candidates"][0].pop("id"),
    "a candidate more": lambda t: t["data"]["candidates"].append({"id": "c2"}),
    "a candidate less": lambda t: t["data"]["candidates"].pop(0),
    "a candidate twice": lambda t: t["data"]["candidates"][1].update(id="c0"),
    "no docs": lambda t: ours(t).pop("docs"),
    "docs are a list": lambda t: ours(t).update(docs=["c0", "c1"]),
    "no pool_id": lambda t: ours(t).pop("pool_id"),
    "round is text": lambda t: ours(t).update(round="first"),
    "round is infinite": lambda t: ours(t).update(round=float("inf")),
    "part is missing": lambda t: ours(t).pop("part"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_task_whose_envelope_and_candidates_disagree_is_refused(damage: Callable[[dict[str, Any]], object]) -> None:
    task = stored()
    damage(task)
    with pytest.raises(Unreadable, match="project 7, task 42 was changed since it was pushed"):
        envelope.read(task, project=7)


def test_candidate_ids_start_with_a_letter_for_numbers_are_sorted_anew() -> None:
    assert [envelope.opaque(n) for n in (0, 10)] == ["c0", "c10"]
