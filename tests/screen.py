"""One task of any form and direction in a real Label Studio, and what an annotator sees and does there."""

import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
from label_studio_sdk import LabelStudio
from PIL import Image
from playwright.sync_api import Page, expect

from label_configs import cards, rules
from label_configs.forms import envelope, form
from label_configs.forms.envelope import Filled
from label_configs.records import Candidate, Item, Judgment, Modality, Mode, Pool, Query, Shown, Suggested

RULES = rules.parse(rules.preset())
SUGGESTED = [3, 2, 1, 0, 0, 1, 2, 3]
"""The grades that the model of these tests gives, by position; of equal grades the first scores higher."""
QUERY = "a red bus at night"
COLOURS = ["crimson", "seagreen", "royalblue", "goldenrod", "purple", "teal", "sienna", "slategray"]
SUFFIX = {"image": "png", "audio": "wav", "video": "mp4"}
FOLDER = "media"
_MIXTURE: tuple[Modality, ...] = ("text", "image", "audio", "video")


def make_media(root: Path) -> None:
    """Eight pictures, sounds of six seconds and films of four, in a folder that Label Studio may serve."""
    folder = root / FOLDER
    folder.mkdir(exist_ok=True)
    for n, colour in enumerate(COLOURS):
        Image.new("RGB", (400, 300), colour).save(folder / f"{n}.png")
        _tone(folder / f"{n}.wav", 220.0 * (n + 1))
        _film(folder / f"{n}.mp4", colour)


def items(shown: Shown, texts: Sequence[str] = (), ids: Sequence[str] = ()) -> list[Item]:
    """Eight candidates; numbers, spaces and slashes in their ids."""
    made = []
    for n in range(8):
        modality = _MIXTURE[n % 4] if shown == "mixed" else shown
        doc_id = ids[n] if ids else f"{n}" if n % 2 else f"doc/{n} ü"
        text = (texts[n] if texts else f"a bus, number {n}") if modality == "text" else ""
        made.append(Item(doc_id=doc_id, modality=modality, text=text, uri=_uri(modality, n)))
    return made


@dataclass
class Screen:
    """A task that is on the page. Keys are the signs of a choice: what an annotator reads on its button."""

    page: Page
    client: LabelStudio
    project: int
    task: Filled
    annotation: int = field(default=0)

    def open(self) -> None:
        """Open the label stream and wait until everything is shown."""
        self.page.goto(f"/projects/{self.project}/data?labeling=1")
        self._settle()

    def reopen(self) -> None:
        """Open the task again from the Data Manager, as somebody does who looks at what was answered."""
        self.page.goto(f"/projects/{self.project}/data?task={self.task.task_id}")
        self._settle()

    def submit(self) -> None:
        """Submit by the keyboard."""
        with self.page.expect_response(lambda r: "/annotations" in r.url and r.request.method == "POST"):
            self.page.keyboard.press("Control+Enter")

    def keys(self) -> list[str]:
        """The keys of all choices that are chosen."""
        chosen = self.page.locator(".ant-checkbox-wrapper-checked .lsf-hint")
        return sorted(hint.strip("[]") for hint in chosen.all_inner_texts())

    def lists(self) -> dict[str, list[str]]:
        """The candidates in every list of a Ranker, by the list's name, from the top."""
        found: dict[str, list[str]] = self.page.locator("[data-rbd-droppable-id]").evaluate_all(
            "lists => Object.fromEntries(lists.map(l => [l.dataset.rbdDroppableId,"
            " [...l.querySelectorAll('[data-ranker-id]')].map(i => i.dataset.rankerId)]))"
        )
        return found

    def carry(self, candidate: str, *arrows: str) -> None:
        """Walk to a card of a Ranker by Tab, lift it with Space, carry it, put it down."""
        for _ in range(80):
            if self.page.evaluate("document.activeElement.dataset.rankerId") == candidate:
                break
            self.page.keyboard.press("Tab")
        for key in ("Space", *arrows, "Space"):
            self.page.keyboard.press(key)
            self.page.wait_for_timeout(400)  # a step is animated, and a key pressed meanwhile is lost

    def judgments(self) -> list[Judgment]:
        """What was answered, read through the SDK."""
        annotations: Any = self.client.tasks.get(str(self.task.task_id)).annotations
        assert len(annotations) == 1
        decoded = form(self.task.form).judgments(self.task, annotations[0], RULES, "somebody")
        assert not decoded.problems, decoded.problems
        return decoded.judgments

    def _settle(self) -> None:
        expect(self.page.locator(".lsr-query")).to_be_visible(timeout=20_000)
        self.page.wait_for_load_state("networkidle")
        self.page.wait_for_function("[...document.images].every(i => i.complete)")


def prepare(
    page: Page,
    client: LabelStudio,
    root: Path,
    form_name: str,
    query: Modality = "text",
    shown: Shown = "image",
    *,
    mode: Mode = "assist",
    asked: str = QUERY,
    described: str = "One bus, and no other.",
    candidates: Sequence[Item] = (),
) -> Screen:
    """A project of that form and direction with one task of eight candidates, or the first of them."""
    chosen = form(form_name)
    made = client.projects.create(
        title=f"{form_name} {query} {shown}",
        label_config=chosen.xml(RULES, query, shown),
        show_collab_predictions=mode == "assist",
    )
    project = int(made.id or 0)
    storage = client.import_storage.local
    storage.create(project=project, path=str(root / FOLDER), title="media", use_blob_urls=True)
    task = _task(form_name, _query(query, asked, described), list(candidates) or items(shown))
    grades = SUGGESTED[: len(task["data"]["candidates"])]
    regions = chosen.suggestion(Suggested(grades, sorted(range(len(grades)), key=lambda n: -grades[n])))
    predicted = {"model_version": "m1", "score": 0.5, "result": regions}
    imported: Any = client.projects.import_tasks(
        project,
        request=[{**task, "predictions": [predicted]}],  # type: ignore[list-item]
        return_task_ids=True,
    )
    [task_id] = imported.task_ids
    stored = client.tasks.get(str(task_id)).model_dump() | {"id": task_id}
    return Screen(page, client, project, envelope.read(stored, project))


def _task(form_name: str, query: Query, candidates: Sequence[Item]) -> Mapping[str, Any]:
    pool = Pool(
        query_id=query.query_id,
        candidates=tuple(
            Candidate(doc_id=i.doc_id, source="dense:clip", role="hard_negative", score=9.75) for i in candidates
        ),
        encoder="e",
        index="i",
        seed=0,
    )
    by_id = {item.doc_id: cards.card(item, _address(item.uri)) for item in candidates}
    content = query.text if query.modality == "text" else _address(query.uri)
    return form(form_name).tasks(pool, query, content, by_id, RULES, per_screen=8)[0]


def _query(modality: Modality, asked: str, described: str) -> Query:
    if modality == "text":
        return Query(query_id="q1", text=asked, granularity="instance", description=described)
    return Query(query_id="q1", modality=modality, uri=_uri(modality, 0))


def _uri(modality: Modality, n: int) -> str:
    return "" if modality == "text" else f"{FOLDER}/{n}.{SUFFIX[modality]}"


def _address(uri: str) -> str:
    return f"/data/local-files/?d={uri}" if uri else ""


def _tone(path: Path, hertz: float) -> None:
    times = np.arange(6 * 8000) / 8000
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes((9000 * np.sin(2 * np.pi * hertz * times)).astype("<i2").tobytes())


def _film(path: Path, colour: str) -> None:
    """A white square that crosses the colour, 25 frames a second."""
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for n in range(100):
            picture = Image.new("RGB", (160, 120), colour)
            picture.paste("white", (n, 40, n + 40, 80))
            film.mux(stream.encode(av.VideoFrame.from_image(picture)))
        film.mux(stream.encode())
