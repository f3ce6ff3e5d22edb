"""What annotators see: everything on one screen, in light and in dark, and nothing that the corpus smuggles in."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import screen
from label_studio_sdk import LabelStudio
from playwright.sync_api import Browser, Page, StorageState, ViewportSize, expect

from label_configs.forms import form
from label_configs.forms.envelope import Annotation
from label_configs.records import Modality
from ls_retrieval.studio import Account, Studio

HOSTILE = [
    '<script>window.hacked = 1</script><img src=x onerror="window.hacked = 1">',
    "\"double\" 'single' `back` </div></View> &amp; &lt;b&gt;",
    "{{idx}} {{ 7 * 7 }} $query $candidates[0].html ${query}",
    "**bold** _under_ # head - list [link](javascript:window.hacked=1) ![x](y) | a | b |",
    "مرحبا بالعالم \u202eevil\u202c 🦉👩🏽‍🚀 e\u0301",
    "long " * 2000,
    "javascript:window.hacked=1 data:text/html,<script>window.hacked=1</script>",
    "0",
]
IDS = ["0", "10", "9", "a b", "a/b/../c", "<i>", "ü🦉", "{{idx}}"]
CARD = {"graded": ".lsr-cell", "selection": ".lsr-best .lsf-choice", "ranking": ".htx-ranker-item"}
Connect = Callable[[Account], LabelStudio]

CONTRAST = """element => {
  const channels = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
    .map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0);
  let behind = element;
  while (behind && (channels(getComputedStyle(behind).backgroundColor)[3] ?? 1) === 0) behind = behind.parentElement;
  const ground = behind ? channels(getComputedStyle(behind).backgroundColor) : [255, 255, 255];
  const [a, b] = [light(channels(getComputedStyle(element).color)), light(ground)].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
}"""


@pytest.fixture(scope="module")
def media(document_root: Path) -> Path:
    screen.make_media(document_root)
    return document_root


@pytest.fixture
def dark(browser: Browser, studio: Studio, admin_cookies: StorageState) -> Any:
    size = ViewportSize(width=1400, height=900)
    context = browser.new_context(base_url=studio.url, storage_state=admin_cookies, viewport=size, color_scheme="dark")
    page = context.new_page()
    page.add_init_script("localStorage.setItem('preferred-color-scheme', 'Dark')")
    yield page
    context.close()


@pytest.mark.parametrize(
    ("name", "query"),
    [
        *((name, "text") for name in ("graded", "buckets", "ranking", "pairwise", "selection", "review")),
        *(("graded", query) for query in ("image", "audio", "video")),
    ],
)
def test_the_query_every_card_and_every_answer_stand_on_one_screen(
    page: Page, studio: Studio, sdk: Connect, media: Path, name: str, query: Modality
) -> None:
    there = screen.prepare(page, sdk(studio.admin), media, name, query, mode="blind")
    there.open()
    asked = page.locator(".lsr-question :is(span, img, canvas)").first
    expect(asked).to_be_in_viewport(ratio=1)
    size = asked.bounding_box()
    assert size is not None
    assert min(size["width"] / 100, size["height"] / 20) >= 1
    for shown in [*page.locator("img.lsr-media").all(), *page.locator(".ant-checkbox-wrapper").all()]:
        expect(shown).to_be_in_viewport(ratio=1)


def test_a_blind_task_shows_nothing_of_what_the_model_thinks(
    page: Page, studio: Studio, sdk: Connect, media: Path
) -> None:
    there = screen.prepare(page, sdk(studio.admin), media, "graded", mode="blind")
    there.open()
    assert there.keys() == []
    shown, html = page.locator("body").inner_text(), page.content()
    assert [hint for hint in ("9.75", "m1") if hint in shown] == []
    assert [hint for hint in ("dense:clip", "hard_negative") if hint in html] == []


@pytest.mark.parametrize("name", ["graded", "buckets"])
def test_an_answer_that_nobody_touched_is_flagged(
    page: Page, studio: Studio, sdk: Connect, media: Path, name: str
) -> None:
    there = screen.prepare(page, sdk(studio.admin), media, name)
    there.open()
    there.submit()
    assert [(j.value, j.origin, j.untouched) for j in there.judgments()] == [
        (str(grade), "prediction", True) for grade in screen.SUGGESTED
    ]


def test_a_ranking_is_not_taken_before_its_order_was_confirmed_and_an_unchanged_one_is_flagged(
    page: Page, studio: Studio, sdk: Connect, media: Path
) -> None:
    there = screen.prepare(page, sdk(studio.admin), media, "ranking", mode="blind")
    there.open()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Confirm the order")).to_be_visible()
    expect(page.locator(".ant-modal-wrap button")).to_be_focused()  # before it has opened, it hears no key
    page.keyboard.press("Escape")
    expect(page.locator(".ant-modal-wrap")).to_be_hidden()
    page.keyboard.press("o")
    there.submit()
    assert [(j.rank, j.flags, j.untouched) for j in there.judgments()] == [(n, (), True) for n in range(1, 9)]


def test_reasons_and_dissonance_are_asked_after_the_grades_that_the_rules_name_and_answered_by_keys(
    page: Page, studio: Studio, sdk: Connect, media: Path
) -> None:
    there = screen.prepare(page, sdk(studio.admin), media, "graded", mode="blind")
    there.open()
    first = page.locator(".lsr-cell").first
    asked = {"1": ["literal?"], "q": ["Why?", "literal?"], "a": ["Why?"], "z": []}
    for key, questions in asked.items():
        page.keyboard.press(key)
        expect(first.locator(".ant-select:visible")).to_have_count(len(questions))
        assert first.locator(".ant-select-selection-placeholder:visible").all_inner_texts() == questions
    page.keyboard.press("q")
    lists = (screen.RULES.reasons.codes.index("count"), screen.RULES.dissonance.index("figurative"))
    for nth, place in enumerate(lists):
        asked_for = first.locator(".ant-select-selection-search-input").nth(nth)
        while not asked_for.evaluate("element => element === document.activeElement"):
            page.keyboard.press("Tab")
        page.keyboard.press("ArrowDown")
        expect(page.locator(".ant-select-dropdown:visible")).to_have_count(1)
        for key in [*["ArrowDown"] * (place + 1), "Enter", "Escape"]:
            page.keyboard.press(key)
        expect(page.locator(".ant-select-dropdown:visible")).to_have_count(0)
    page.locator(".lsr-question").click()
    there.submit()
    [said] = there.judgments()
    assert (said.value, said.reasons, said.flags) == ("2", ("count",), ("figurative",))


def test_a_better_match_is_kept_in_the_annotators_words(page: Page, studio: Studio, sdk: Connect, media: Path) -> None:
    there = screen.prepare(page, sdk(studio.admin), media, "graded", mode="blind")
    there.open()
    page.get_by_placeholder("I know a better match").focus()
    page.keyboard.type("a <b>barn</b> owl, $5")
    page.keyboard.press("Enter")
    there.submit()
    [said] = there.judgments()
    assert (said.kind, said.value, said.note) == ("flag", "better_match", "a <b>barn</b> owl, $5")


def test_the_guideline_is_one_click_away_and_explains_every_grade_by_an_example(
    page: Page, studio: Studio, sdk: Connect, media: Path
) -> None:
    there = screen.prepare(page, sdk(studio.admin), media, "graded", mode="blind")
    there.open()
    page.get_by_text("Guideline").click()
    shown = page.locator(".lsr-guide")
    for grade in screen.RULES.grades:
        expect(shown).to_contain_text(grade.sentence)
        expect(shown).to_contain_text(grade.example)


@pytest.mark.parametrize("name", list(CARD))
def test_hostile_text_is_shown_as_it_is_and_does_nothing(
    page: Page, studio: Studio, sdk: Connect, media: Path, name: str
) -> None:
    candidates = screen.items("text", texts=HOSTILE, ids=IDS)
    there = screen.prepare(
        page, sdk(studio.admin), media, name, "text", "text", asked=HOSTILE[0] + HOSTILE[2], candidates=candidates
    )
    there.open()
    expect(page.locator(".lsr-question")).to_have_text(HOSTILE[0] + HOSTILE[2])
    shown = page.locator(f"{CARD[name]} .lsr-text").all()
    for card, text in zip(_in_order(there, shown, name), HOSTILE, strict=True):
        assert " ".join((card.text_content() or "").split()) == " ".join(text.split())
    assert page.evaluate("window.hacked") is None
    if name == "ranking":
        page.keyboard.press("o")
    there.submit()
    assert {j.doc_id for j in there.judgments()} == set(IDS)
    assert page.evaluate("window.hacked") is None


def _in_order(there: screen.Screen, shown: list[Any], name: str) -> list[Any]:
    """The cards by position: a ranking shows them in the model's order."""
    if name != "ranking":
        return shown
    [order] = there.lists().values()
    return [shown[order.index(f"c{n}")] for n in range(len(shown))]


@pytest.mark.parametrize("name", ["graded", "selection", "ranking", "review"])
def test_text_is_readable_in_the_dark(dark: Page, studio: Studio, sdk: Connect, media: Path, name: str) -> None:
    there = screen.prepare(dark, sdk(studio.admin), media, name, "text", "text")
    there.open()
    expect(dark.locator("[data-color-scheme=dark]").first).to_be_attached()
    for shown in (".lsr-question span", ".lsr-about span", ".lsr-text", ".lsf-hint"):
        for element in dark.locator(f"{shown}:visible").all():
            assert element.evaluate(CONTRAST) >= 4.5, (name, shown, element.inner_text())


def test_bare_queries_are_accepted_and_show_the_query_alone(page: Page, studio: Studio, sdk: Connect) -> None:
    client = sdk(studio.admin)
    made = client.projects.create(title="bare", label_config=form("graded").xml(screen.RULES, "text", "image"))
    client.projects.import_tasks(int(made.id or 0), request=[{"query": "a red boat"}])  # type: ignore[list-item]
    page.goto(f"/projects/{made.id}/data?labeling=1")
    expect(page.locator(".lsr-question")).to_contain_text("a red boat")
    expect(page.locator(".lsr-cell")).to_have_count(0)


def test_a_draft_reads_as_the_answer_that_it_will_be(page: Page, studio: Studio, sdk: Connect, media: Path) -> None:
    client = sdk(studio.admin)
    there = screen.prepare(page, client, media, "graded", mode="blind")
    there.open()
    with page.expect_response(lambda r: "/drafts" in r.url and r.request.method == "POST", timeout=20_000) as saved:
        page.keyboard.press("1")
    draft: Annotation = saved.value.json()
    decoded = form("graded").judgments(there.task, draft, screen.RULES, "somebody")
    assert [(j.position, j.value) for j in decoded.judgments] == [(0, "3")]
    assert decoded.problems == []
