"""Every form in many directions, from opening to judgments: real Label Studio, real Chromium, keys where there are."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import screen
from label_studio_sdk import LabelStudio
from playwright.sync_api import Page, expect
from screen import SUGGESTED, Screen

from label_configs.forms import FORMS, keys
from label_configs.records import Judgment, Modality, Shown
from ls_retrieval.studio import Account, Studio

GIVEN: list[int | None] = [2, 0, 3, 1, 1, 3, 0, None]  # None: can't judge
Told = tuple[object, ...]


@dataclass(frozen=True)
class Case:
    """What an annotator finds and does in one form, and what it means.

    state: what the screen shows of an answer. said: what is compared of each judgment.
    """

    state: Callable[[Screen], Any]
    prefilled: Any
    answer: Callable[[Screen], None]
    given: Any
    said: Callable[[Judgment], Told]
    expected: Callable[[tuple[str, ...]], list[Told]]


def grade_key(position: int, grade: int | None) -> str:
    return keys.doubt(position) if grade is None else keys.grade(3 - grade, position)


def press(*pressed: str) -> Callable[[Screen], None]:
    """Keys as they stand on the buttons, `alt+v`, pressed one after the other."""

    def answer(shown: Screen) -> None:
        for key in pressed:
            shown.page.keyboard.press("+".join(part.capitalize() if len(part) > 1 else part for part in key.split("+")))

    return answer


def grade(shown: Screen) -> None:
    press(*(grade_key(n, one) for n, one in enumerate(GIVEN)), "alt+v")(shown)


def sort_into_buckets(shown: Screen) -> None:
    shown.carry("c1", "ArrowRight", "ArrowRight")
    shown.carry("c3", "ArrowRight")


def rank(shown: Screen) -> None:
    shown.carry("c7", "ArrowUp")
    press("o")(shown)


def review(shown: Screen) -> None:
    press("2", "w", "p", "x")(shown)
    shown.page.get_by_placeholder("In your own words").focus()
    shown.page.keyboard.type("blue, not red")
    shown.page.keyboard.press("Enter")


def mark_sound(shown: Screen) -> None:
    shown.page.keyboard.press("1")
    drag(shown.page, ".lsf-audio-tag canvas, canvas", 0.25, 0.5, 0.5)


def mark_film(shown: Screen) -> None:
    shown.page.keyboard.press("1")
    frames = shown.page.locator(".lsf-timeline-frames__keypoints").bounding_box()
    assert frames
    first, width = 150, 16  # pixels before the first frame, and of each
    left, y = frames["x"] + first, frames["y"] + frames["height"] / 2
    shown.page.mouse.move(left + 2.5 * width, y)
    shown.page.mouse.down()
    shown.page.mouse.move(left + 8 * width, y, steps=5)
    shown.page.mouse.move(left + 12.5 * width, y, steps=5)
    shown.page.mouse.up()


def drag(page: Page, where: str, start: float, end: float, height: float) -> None:
    box = page.locator(where).first.bounding_box()
    assert box
    y = box["y"] + height * box["height"]
    page.mouse.move(box["x"] + start * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + (start + end) / 2 * box["width"], y, steps=5)
    page.mouse.move(box["x"] + end * box["width"], y, steps=5)
    page.mouse.up()


def regions(shown: Screen) -> int:
    return shown.page.locator(".lsf-outliner-item").count()


GRADED = Case(
    state=Screen.keys,
    prefilled=sorted(grade_key(n, one) for n, one in enumerate(SUGGESTED)),
    answer=grade,
    given=sorted([*(grade_key(n, one) for n, one in enumerate(GIVEN)), "alt+v"]),
    said=lambda j: (j.kind, j.doc_id, j.value, j.position, j.origin),
    expected=lambda docs: [
        *(("grade", docs[n], str(one), n, "prediction-changed") for n, one in enumerate(GIVEN) if one is not None),
        ("flag", docs[7], "cant_judge", 7, "prediction-changed"),
        ("flag", "", "vague", -1, "manual"),
    ],
)
BUCKETS = Case(
    state=Screen.lists,
    prefilled={
        "_": [],
        "3": ["c0", "c7"],
        "2": ["c1", "c6"],
        "1": ["c2", "c5"],
        "0": ["c3", "c4"],
        "cant_judge": [],
    },
    answer=sort_into_buckets,
    given={
        "_": [],
        "3": ["c0", "c7"],
        "2": ["c6"],
        "1": ["c2", "c5"],
        "0": ["c1", "c4"],
        "cant_judge": ["c3"],
    },
    said=lambda j: (j.kind, j.doc_id, j.value, j.rank),
    expected=lambda docs: [
        ("grade", docs[0], "3", 1),
        ("grade", docs[1], "0", 1),
        ("grade", docs[2], "1", 1),
        ("flag", docs[3], "cant_judge", 1),
        ("grade", docs[4], "0", 2),
        ("grade", docs[5], "1", 2),
        ("grade", docs[6], "2", 1),
        ("grade", docs[7], "3", 2),
    ],
)
RANKING = Case(
    state=Screen.lists,
    prefilled={"ranking": ["c0", "c7", "c1", "c6", "c2", "c5", "c3", "c4"]},
    answer=rank,
    given={"ranking": ["c7", "c0", "c1", "c6", "c2", "c5", "c3", "c4"]},
    said=lambda j: (j.kind, j.doc_id, j.rank, j.flags, j.untouched, j.origin),
    expected=lambda docs: [
        ("ranking", docs[n], rank, (), False, "prediction-changed")
        for rank, n in enumerate([7, 0, 1, 6, 2, 5, 3, 4], 1)
    ],
)
PAIRWISE = Case(
    state=Screen.keys,
    prefilled=["1"],
    answer=press("2", "alt+a"),
    given=["2", "alt+a"],
    said=lambda j: (j.kind, j.value, j.doc_id, j.other_doc_id, j.side),
    expected=lambda docs: [
        ("preference", "better", docs[1], docs[0], "right"),
        ("flag", "abstract", "", "", ""),
    ],
)
TIE = Case(
    state=Screen.keys,
    prefilled=["1"],
    answer=press("t"),
    given=["t"],
    said=PAIRWISE.said,
    expected=lambda docs: [("preference", "tie", docs[0], docs[1], "left")],
)
SELECTION = Case(
    state=Screen.keys,
    prefilled=["1"],
    answer=press("1", "3", "5"),
    given=["3", "5"],
    said=lambda j: (j.kind, j.doc_id, j.value),
    expected=lambda docs: [("choice", doc, "best" if n in {2, 4} else "rest") for n, doc in enumerate(docs)],
)
NONE = Case(
    state=Screen.keys,
    prefilled=["1"],
    answer=press("1", "n"),
    given=["n"],
    said=SELECTION.said,
    expected=lambda docs: [("choice", doc, "none") for doc in docs],
)
REVIEW = Case(
    state=Screen.keys,
    prefilled=["1"],
    answer=review,
    given=["2", "p", "w", "x"],
    said=lambda j: (j.kind, j.doc_id, j.value, set(j.reasons), j.flags, j.note),
    expected=lambda docs: [("grade", docs[0], "2", {"attribute", "style"}, ("figurative",), "blue, not red")],
)
SOUND = Case(
    state=regions,
    prefilled=0,
    answer=mark_sound,
    given=1,
    said=lambda j: (j.kind, j.doc_id, j.value, round(j.start or 0, 1), round(j.end or 0, 1)),
    expected=lambda docs: [("moment", docs[0], "match", 1.5, 3.0)],
)
FILM = Case(
    state=regions,
    prefilled=0,
    answer=mark_film,
    given=1,
    said=lambda j: (j.kind, j.doc_id, j.value, j.start, j.end),
    expected=lambda docs: [("moment", docs[0], "match", 2 / 25, 12 / 25)],  # frames 3 to 13
)
NOWHERE = Case(
    state=Screen.keys,
    prefilled=[],
    answer=press("n"),
    given=["n"],
    said=lambda j: (j.kind, j.doc_id, j.value, j.start),
    expected=lambda docs: [("moment", docs[0], "none", None)],
)

CASES: list[tuple[str, Modality, Shown, Case]] = [
    ("graded", "text", "image", GRADED),
    ("graded", "image", "text", GRADED),
    ("graded", "image", "image", GRADED),
    ("graded", "text", "audio", GRADED),
    ("graded", "text", "video", GRADED),
    ("graded", "text", "mixed", GRADED),
    ("graded", "audio", "text", GRADED),
    ("graded", "video", "text", GRADED),
    ("buckets", "text", "image", BUCKETS),
    ("buckets", "image", "text", BUCKETS),
    ("ranking", "text", "image", RANKING),
    ("ranking", "audio", "text", RANKING),
    ("pairwise", "text", "image", PAIRWISE),
    ("pairwise", "image", "image", PAIRWISE),
    ("pairwise", "text", "audio", TIE),
    ("selection", "text", "image", SELECTION),
    ("selection", "text", "video", SELECTION),
    ("selection", "image", "text", NONE),
    ("moment", "text", "audio", SOUND),
    ("moment", "text", "video", FILM),
    ("moment", "image", "video", NOWHERE),
    ("review", "text", "image", REVIEW),
    ("review", "video", "text", REVIEW),
]


def test_at_least_sixteen_pairs_of_form_and_direction_are_proven_and_every_form_among_them() -> None:
    assert len({(form, query, shown) for form, query, shown, _ in CASES}) >= 16
    assert {form for form, *_ in CASES} == set(FORMS)


@pytest.fixture(scope="module")
def media(document_root: Path) -> Path:
    screen.make_media(document_root)
    return document_root


@pytest.mark.parametrize(("form", "query", "shown", "case"), CASES, ids=lambda value: str(value)[:9])
def test_an_answer_comes_back_as_it_was_given(
    page: Page,
    studio: Studio,
    sdk: Callable[[Account], LabelStudio],
    media: Path,
    form: str,
    query: Modality,
    shown: Shown,
    case: Case,
) -> None:
    there = screen.prepare(page, sdk(studio.admin), media, form, query, shown)
    there.open()
    assert case.state(there) == case.prefilled
    case.answer(there)
    assert case.state(there) == case.given
    there.submit()
    said = there.judgments()
    assert [case.said(judgment) for judgment in said] == case.expected(there.task.docs)
    assert all(judgment.lead_time and judgment.lead_time > 0 for judgment in said)
    there.reopen()
    expect(page.locator(".lsr-query")).to_be_visible()
    assert case.state(there) == case.given
