"""The graded form as an annotator meets it: real Label Studio, real Chromium, keys only."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from label_studio_sdk import LabelStudio
from PIL import Image
from playwright.sync_api import Page, expect

from label_configs import cards, rules
from label_configs.forms import envelope, form
from label_configs.forms.envelope import Filled
from label_configs.records import Candidate, Item, Judgment, Pool, Query
from ls_retrieval.studio import Account, Studio
from store.media import Media
from store.settings import Media as MediaSettings
from store.settings import Project

RULES = rules.parse(rules.preset())
COLOURS = ["crimson", "seagreen", "royalblue", "goldenrod", "purple", "teal", "sienna", "slategray"]
DOCS = [f"doc/{n} ü" for n in range(8)]
# the automatic keys of Label Studio, candidate by candidate, from the lowest grade to the highest
KEYS = ["1234", "5678", "90qw", "etas", "dfgz", "xcvb", "yiop", "jkln"]
SUGGESTED = [3, 2, 1, 0, 0, 1, 2, 3]
QUERY = '<b>bold</b> "quoted" {{idx}} $query *stars* 🦉 مرحبا'


@dataclass(frozen=True)
class Prepared:
    """A project with one task of eight pictures."""

    client: LabelStudio
    project: Project
    task: Filled

    def judgments(self, annotator: str = "somebody") -> list[Judgment]:
        annotations: Any = self.client.tasks.get(str(self.task.task_id)).annotations
        assert len(annotations) == 1
        decoded = form("graded").judgments(self.task, annotations[0], RULES, annotator)
        assert decoded.problems == []
        return decoded.judgments


Prepare = Callable[[str], Prepared]


@pytest.fixture
def prepare(studio: Studio, sdk: Callable[[Account], LabelStudio], document_root: Path) -> Prepare:
    """`prepare(mode)` makes a project in that mode with one pushed task."""

    def make(mode: str) -> Prepared:
        folder = document_root / "media"
        folder.mkdir(exist_ok=True)
        client = sdk(studio.admin)
        made = client.projects.create(
            title=f"graded {mode}",
            label_config=form("graded").xml(RULES, "text", "image"),
            show_collab_predictions=mode == "assist",
        )
        project = Project.model_validate({"id": made.id, "mode": mode})
        client.import_storage.local.create(project=project.id, path=str(folder), title="media", use_blob_urls=True)
        task_id = _push(client, project, document_root)
        stored = client.tasks.get(str(task_id)).model_dump() | {"id": task_id}
        return Prepared(client, project, envelope.read(stored, project.id))

    return make


def _push(client: LabelStudio, project: Project, root: Path) -> int:
    items = {}
    for doc_id, colour in zip(DOCS, COLOURS, strict=True):
        uri = f"media/{colour}.png"
        Image.new("RGB", (400, 300), colour).save(root / uri)
        items[doc_id] = Item(doc_id=doc_id, modality="image", uri=uri)
    pool = Pool(
        query_id="q1",
        candidates=tuple(Candidate(doc_id=d, source="dense:clip", role="hard_negative", score=9.75) for d in DOCS),
        encoder="e",
        index="i",
        seed=0,
    )
    query = Query(query_id="q1", text=QUERY)
    media = Media(root, MediaSettings())
    html = {doc_id: cards.card(item, media.shown(item)) for doc_id, item in items.items()}
    (task,) = form("graded").tasks(pool, query, query.text, html, RULES, per_screen=8)
    predicted = {"model_version": "m1", "score": 0.5, "result": form("graded").result(dict(enumerate(SUGGESTED)))}
    imported: Any = client.projects.import_tasks(
        project.id,
        request=[{**task, "predictions": [predicted]}],  # type: ignore[list-item]
        return_task_ids=True,
    )
    return int(imported.task_ids[0])


def _open(page: Page, prepared: Prepared) -> None:
    page.goto(f"/projects/{prepared.project.id}/data?labeling=1")
    expect(page.locator("img.lsr-media")).to_have_count(8)
    page.wait_for_function("[...document.querySelectorAll('img.lsr-media')].every(i => i.complete && i.naturalWidth)")


def _chosen(page: Page) -> list[str]:
    chosen: list[str] = page.locator(".lsr-cell:has(.ant-checkbox-checked)").evaluate_all(
        "cells => cells.map(c => [...c.querySelectorAll('.ant-checkbox-checked')]"
        ".map(b => b.closest('label').innerText.split('[')[0].trim()).join('+'))"
    )
    return chosen


def test_every_card_is_graded_by_one_key_and_the_answer_comes_back_as_it_was_given(
    page: Page, prepare: Prepare
) -> None:
    prepared = prepare("blind")
    _open(page, prepared)
    given = [2, 0, 3, 1, 0, 3, 2]
    for keys, grade in zip(KEYS, given, strict=False):
        page.keyboard.press(keys[grade])
    page.keyboard.press("Shift+7")
    labels = {g.value: g.label for g in RULES.grades}
    assert _chosen(page) == [labels[grade] for grade in given] + ["?"]

    with page.expect_response(lambda r: "/annotations" in r.url and r.request.method == "POST"):
        page.keyboard.press("Control+Enter")
    said = prepared.judgments()
    assert [(j.doc_id, j.kind, j.value) for j in said[:7]] == [
        (d, "grade", str(g)) for d, g in zip(DOCS, given, strict=False)
    ]
    assert (said[7].doc_id, said[7].kind, said[7].value) == (DOCS[7], "flag", "cant_judge")
    assert [j.position for j in said] == list(range(8))
    assert {j.origin for j in said} == {"manual"}
    assert not any(j.untouched for j in said)
    assert all(j.lead_time and j.lead_time > 0 for j in said)

    page.goto(f"/projects/{prepared.project.id}/data?task={prepared.task.task_id}")
    expect(page.locator("img.lsr-media")).to_have_count(8)
    expect(page.locator(".lsr-cell .ant-checkbox-checked")).to_have_count(8)
    assert _chosen(page) == [labels[grade] for grade in given] + ["?"]


def test_a_blind_task_shows_all_cards_without_scrolling_and_nothing_of_what_the_model_thinks(
    page: Page, prepare: Prepare
) -> None:
    prepared = prepare("blind")
    _open(page, prepared)
    assert _chosen(page) == []
    for image in page.locator("img.lsr-media").all():
        expect(image).to_be_in_viewport(ratio=1)
    shown = page.locator("body").inner_text()
    assert QUERY in shown
    for hint in ("9.75", "dense:clip", "hard_negative", "m1"):
        assert hint not in shown
    html = page.content()
    assert "dense:clip" not in html
    assert "hard_negative" not in html


def test_an_assist_task_is_prefilled_and_an_untouched_answer_is_flagged(page: Page, prepare: Prepare) -> None:
    prepared = prepare("assist")
    _open(page, prepared)
    expect(page.locator(".lsr-cell .ant-checkbox-checked")).to_have_count(8)
    labels = {g.value: g.label for g in RULES.grades}
    assert _chosen(page) == [labels[grade] for grade in SUGGESTED]
    with page.expect_response(lambda r: "/annotations" in r.url and r.request.method == "POST"):
        page.keyboard.press("Control+Enter")
    said = prepared.judgments()
    assert [int(j.value) for j in said] == SUGGESTED
    assert all(j.untouched for j in said)


def test_bare_queries_are_accepted_and_show_the_query_alone(
    page: Page, studio: Studio, sdk: Callable[[Account], LabelStudio]
) -> None:
    client = sdk(studio.admin)
    made = client.projects.create(title="bare", label_config=form("graded").xml(RULES, "text", "image"))
    client.projects.import_tasks(int(made.id or 0), request=[{"query": "a red boat"}])  # type: ignore[list-item]
    page.goto(f"/projects/{made.id}/data?labeling=1")
    expect(page.locator(".lsr-query")).to_contain_text("a red boat")
    expect(page.locator(".lsr-cell")).to_have_count(0)
