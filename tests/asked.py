"""A task of any form as it comes back from Label Studio, and an annotation of it with what is read of it."""

import json
from functools import cache
from typing import Any, get_args

import pytest

from label_configs import rules
from label_configs.cards import Card
from label_configs.errors import Mendable
from label_configs.forms import FORMS, envelope, form
from label_configs.forms.envelope import Annotation, Decoded, Filled, Task
from label_configs.records import Candidate, Modality, Pool, Query, Shown
from label_configs.rules import Rules

RULES = rules.parse(rules.preset())
MODALITIES: tuple[Modality, ...] = get_args(Modality)
SHOWN: tuple[Shown, ...] = (*MODALITIES, "mixed")
every_form = pytest.mark.parametrize("name", FORMS)
PLACE = "project 7, task 42, annotation 9"


def pool(size: int) -> Pool:
    candidates = tuple(Candidate(doc_id=f"d{n}", source="dense") for n in range(size))
    return Pool(query_id="q1", candidates=candidates, encoder="e", index="i", seed=0, round=2)


def made(name: str, size: int, per_screen: int = 10, of: Rules = RULES) -> list[Task]:
    cards = {f"d{n}": Card(f"<b>card {n}</b>", f"{n}.wav") for n in range(size)}
    query = Query(query_id="q1", text="a red bus")
    return form(name).tasks(pool(size), query, "a red bus", cards, of, per_screen=per_screen)


def stored(task: Task) -> dict[str, Any]:
    """A task as Label Studio returns it."""
    return {"id": 42, **json.loads(json.dumps(task))}


@cache
def filled(name: str, size: int) -> Filled:
    return envelope.read(stored(made(name, size)[0]), project=7)


def annotation(result: Any, **more: Any) -> Annotation:
    given: Annotation = {"id": 9, "result": result, "updated_at": "2026-11-22T10:00:00.000000Z", "lead_time": 12.5}
    return {**given, **more}  # type: ignore[typeddict-item]


@cache
def directions(name: str) -> list[tuple[Modality, Shown]]:
    """Every direction that the form shows."""
    return [(query, shown) for query in MODALITIES for shown in SHOWN if _shows(name, query, shown)]


def _shows(name: str, query: Modality, shown: Shown) -> bool:
    try:
        FORMS[name].xml(RULES, query, shown)
    except Mendable:
        return False
    return True


@cache
def config(name: str, direction: int = 0) -> str:
    return form(name).xml(RULES, *directions(name)[direction])


def decoded(name: str, result: Any, task: Filled | None = None, size: int = 4, **more: Any) -> Decoded:
    return form(name).judgments(task or filled(name, size), annotation(result, **more), RULES, "ann")
