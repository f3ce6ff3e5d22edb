"""The admin's page in a browser, on a backend as it runs: real workers, a real encoder process, credentials."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

import pytest
import requests
import tiny
from playwright.sync_api import Browser, HttpCredentials, Page, ViewportSize, expect
from test_backend_serve import health, only, wait_until
from test_browser_screens import CONTRAST, HOSTILE

from ls_retrieval.serve import running_backend
from ml_backend import library
from store.workspace import Workspace

LOGIN = {"BASIC_AUTH_USER": "admin", "BASIC_AUTH_PASS": "secret", "LABEL_STUDIO_URL": "", "LABEL_STUDIO_API_KEY": ""}
CREDENTIALS = HttpCredentials(username="admin", password="secret")
WIDE = ViewportSize(width=1400, height=900)


@pytest.fixture(scope="module")
def workspace(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The pictures, with a hostile title on each, and texts, among them hostile ones."""
    workspace = tiny.build_workspace(tmp_path_factory.mktemp("ui") / "shapes", tiny_model)
    rows = [json.loads(line) for line in workspace.corpus.read_text().splitlines()]
    rows = [{**row, "title": f"{row['title']} {HOSTILE[n % len(HOSTILE)][:200]}"} for n, row in enumerate(rows)]
    texts = [{"_id": f"<b>{n}</b>\"'>", "title": "", "text": text} for n, text in enumerate(HOSTILE)]
    tiny.write_rows(workspace.corpus, [*rows, *texts])
    library.build(workspace, {"clip": library.load_encoder(workspace, "clip")})
    return workspace


@pytest.fixture(scope="module")
def url(workspace: Workspace) -> Iterator[str]:
    with running_backend(workspace, host="127.0.0.1", port=0, workers=2, environment=LOGIN) as url:
        yield url


@pytest.fixture(scope="module")
def ready(url: str) -> str:
    wait_until(lambda: health(url) == "ready", 60)
    return url


@pytest.fixture
def restored(workspace: Workspace) -> Iterator[None]:
    """Puts settings.toml back as it was."""
    kept = workspace.settings_path.read_bytes()
    yield
    workspace.settings_path.write_bytes(kept)


class Screen:
    """The page, and what the browser complained of."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.complaints = page, list[str]()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.goto(f"{url}/ui")
        expect(page.locator("#turned")).to_have_text("As in settings.toml")

    def ask(self, text: str) -> None:
        self.page.get_by_label("Query").fill(text)
        self.page.keyboard.press("Enter")
        self.settled()

    def settled(self) -> None:
        expect(self.page.locator("#answer .card").first).to_be_visible(timeout=30_000)
        expect(self.page.locator("#answer")).to_have_attribute("aria-busy", "false")

    def roles(self) -> list[str]:
        """The badges of the pool, in order."""
        return self.page.locator(".cards:not(.small) .badge").all_inner_texts()

    def slide(self, name: str, key: str, times: int = 1) -> None:
        """Turn a knob by the keyboard, and wait for the pool that follows."""
        slider = self.page.locator(f'[id="{name}"]')
        slider.focus()
        for n in range(times):
            if n == times - 1:
                with self.page.expect_response("**/ui/pool"):
                    slider.press(key)
            else:
                slider.press(key)
        self.settled()


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> Any:
    return request.param


def opened(
    browser: Browser, url: str, scheme: Literal["light", "dark"] = "light", size: ViewportSize = WIDE
) -> Iterator[Screen]:
    context = browser.new_context(viewport=size, color_scheme=scheme, http_credentials=CREDENTIALS)
    screen = Screen(context.new_page(), url)
    yield screen
    context.close()
    assert screen.complaints == []


@pytest.fixture
def screen(browser: Browser, ready: str) -> Iterator[Screen]:
    yield from opened(browser, ready)


def test_while_the_encoders_load_the_page_says_so_and_asks_again(browser: Browser, url: str) -> None:
    context = browser.new_context(http_credentials=CREDENTIALS)
    screen = Screen(context.new_page(), url)
    screen.page.get_by_label("Query").fill("something that nobody asked before")
    screen.page.keyboard.press("Enter")  # whether the encoders are loading still or not
    expect(screen.page.locator(".cards:not(.small) .card")).to_have_count(8, timeout=60_000)
    expect(screen.page.locator("#trouble")).to_be_hidden()
    expect(screen.page.locator("#status")).to_have_text("Encoders ready", timeout=30_000)
    context.close()


def test_encoders_that_cannot_be_loaded_are_told_and_known_queries_are_shown_all_the_same(
    browser: Browser, tiny_workspace: Workspace
) -> None:
    text = tiny_workspace.settings_path.read_text().replace("local-dir:", "local-dir:/nowhere")
    tiny_workspace.settings_path.write_text(text)
    with running_backend(tiny_workspace, host="127.0.0.1", port=0, workers=1, environment=LOGIN) as url:
        for screen in opened(browser, url):
            expect(screen.page.locator("#status")).to_have_text("Encoders cannot be loaded", timeout=60_000)
            expect(screen.page.locator("#trouble")).to_contain_text("There is no model folder")
            screen.ask("a red thing")
            assert len(screen.roles()) == 8


def test_without_the_login_there_is_no_page(browser: Browser, ready: str) -> None:
    context = browser.new_context()
    answer = context.request.get(f"{ready}/ui")
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Basic")
    context.close()


def test_a_query_shows_its_pool_with_roles_sources_and_scores(screen: Screen) -> None:
    screen.ask("a red thing")
    assert len(screen.roles()) == 8
    assert {"candidate", "audit"} <= set(screen.roles())
    expect(screen.page.locator(".summary")).to_contain_text("2 known matches")
    card = screen.page.locator(".card.candidate").first
    expect(card.locator(".from")).to_have_text("dense:clip")
    expect(card.locator("meter")).to_be_visible()
    shown = card.locator("img")
    expect(shown).to_be_visible()
    assert shown.evaluate("picture => picture.decode().then(() => picture.naturalWidth)") == tiny.PIXELS
    expect(screen.page.get_by_role("heading", name="Kept out by a margin")).to_be_visible()


def test_all_of_it_goes_by_the_keyboard(screen: Screen) -> None:
    page = screen.page
    page.keyboard.press("Tab")
    expect(page.get_by_text("To the query")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.type("a blue thing")
    page.keyboard.press("Enter")
    screen.settled()
    screen.slide("pool.depth", "ArrowLeft", 2)
    assert len(screen.roles()) == 6
    expect(page.locator('[data-name="pool.depth"] output')).to_have_text("6")
    expect(page.locator("#turned")).to_have_text("1 changed")
    page.locator("#reset").press("Enter")
    expect(page.locator(".cards:not(.small) .card")).to_have_count(8)


def test_the_focus_is_seen(screen: Screen) -> None:
    for name in ("#text", '[id="pool.depth"]', "#candidates"):
        screen.page.locator(name).focus()
        screen.page.keyboard.press("Shift+Tab")
        screen.page.keyboard.press("Tab")
        assert screen.page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)") >= 2


def test_margins_move_negatives_out_of_the_pool_and_back(screen: Screen) -> None:
    screen.ask("a red thing")
    screen.slide("negatives.relative_margin", "Home")
    assert "hard negative" in screen.roles()
    screen.slide("negatives.relative_margin", "End")
    assert "hard negative" not in screen.roles()
    assert "discarded" in screen.roles()


def test_a_card_that_is_taken_for_a_match_counts_as_one(screen: Screen) -> None:
    screen.ask("an unheard-of thing")
    expect(screen.page.locator(".limits")).to_contain_text("no known match, so no margin")
    screen.page.get_by_role("button", name="take for a match").first.click()
    expect(screen.page.locator(".summary")).to_contain_text("1 known match")
    expect(screen.page.locator(".limits")).to_contain_text("a negative may have at most")


@pytest.mark.parametrize("way", ["choose", "drop"])
def test_a_picture_is_a_query_too(screen: Screen, workspace: Workspace, way: str) -> None:
    path = workspace.root / "media" / "green-cross.png"
    if way == "choose":
        screen.page.locator("#file").set_input_files(path)
    else:
        given = screen.page.evaluate_handle(
            "bytes => { const data = new DataTransfer();"
            "data.items.add(new File([new Uint8Array(bytes)], 'green-cross.png', {type: 'image/png'})); return data; }",
            list(path.read_bytes()),
        )
        screen.page.locator("#drop").dispatch_event("drop", {"dataTransfer": given})
    screen.settled()
    expect(screen.page.locator("#picture")).to_be_visible()
    expect(screen.page.locator(".cards:not(.small) .id", has_text="green-cross")).to_be_visible()
    screen.page.get_by_role("button", name="remove it").click()
    expect(screen.page.locator("#picture")).to_be_hidden()


def test_what_is_no_picture_is_told_as_a_sentence(browser: Browser, ready: str) -> None:
    for screen in opened(browser, ready):
        file: Any = {"name": "x.png", "mimeType": "image/png", "buffer": b"<script>window.hacked = 1</script>"}
        screen.page.locator("#file").set_input_files(file)
        expect(screen.page.locator("#trouble")).to_contain_text("What was dropped is no picture that can be read")
        screen.complaints = [line for line in screen.complaints if "400" not in line]  # which the browser notes


@pytest.mark.parametrize("candidates", ["image", "text", "mixed"])
def test_what_a_corpus_smuggles_in_is_shown_as_text(screen: Screen, candidates: str) -> None:
    screen.page.get_by_label("Candidates").select_option(candidates)
    screen.ask("<img src=x onerror='window.hacked = 1'> a red thing")
    assert screen.page.evaluate("window.hacked") is None
    assert screen.page.locator("#answer script, #answer b.x, #answer a, #answer iframe").count() == 0
    ids = screen.page.locator(".cards:not(.small) .id").all_inner_texts()
    assert len(ids) == 8
    if candidates == "text":
        assert any(one.startswith("<b>") for one in ids)
        shown = screen.page.locator(".words").all_inner_texts()
        assert any("window.hacked" in text for text in shown)


def test_settings_are_written_after_their_difference_was_seen(
    screen: Screen, workspace: Workspace, restored: None
) -> None:
    page = screen.page
    screen.ask("a red thing")
    screen.slide("pool.depth", "ArrowRight", 2)
    before = workspace.settings_path.read_text()
    page.get_by_role("button", name="Use these settings").click()
    expect(page.locator("#diff .come")).to_have_text(["+depth = 10\n"])
    page.keyboard.press("Escape")
    assert workspace.settings_path.read_text() == before

    page.get_by_role("button", name="Use these settings").click()
    page.get_by_role("button", name="Write", exact=True).press("Enter")
    expect(page.locator("#turned")).to_have_text("Written. New pools follow it.")
    assert workspace.settings_path.read_text() == before.replace("depth = 8", "depth = 10")
    page.reload()
    expect(page.locator('[data-name="pool.depth"] output')).to_have_text("10")


@pytest.fixture
def evil(ready: str) -> Iterator[str]:
    """A page of somebody else, in the browser in which the admin is logged in."""
    form = f"""<iframe src="{ready}/ui"></iframe><img src="{ready}/ui/thumb?asked=text&candidates=image&doc_id=red-bar">
<script>
  const body = JSON.stringify({{settings: {{pool: {{depth: 3}}}}, base: "x"}});
  const send = (mode, type) => fetch("{ready}/ui/settings", {{method: "POST", mode, credentials: "include", body,
    headers: {{"Content-Type": type}}}}).then(answer => answer.status || "opaque", () => "refused");
  Promise.all([send("cors", "application/json"), send("no-cors", "text/plain")]).then(said => document.title = said);
</script>"""

    class Evil(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(form.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Evil) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


def test_a_page_of_somebody_else_can_neither_write_nor_frame_nor_look(
    browser: Browser, ready: str, evil: str, workspace: Workspace
) -> None:
    before = workspace.settings_path.read_bytes()
    context = browser.new_context(http_credentials=CREDENTIALS)
    page = context.new_page()
    page.goto(f"{ready}/ui")
    page.goto(evil)
    expect(page).to_have_title("refused,refused")
    assert page.frames[1].url == "chrome-error://chromewebdata/"
    assert page.locator("img").evaluate("picture => picture.naturalWidth") == 0
    assert workspace.settings_path.read_bytes() == before
    context.close()


# how it looks

READ = [
    "h1",
    ".facts",
    ".status",
    ".quiet",
    "small",
    "summary",
    ".chip",
    "figcaption",
    ".badge",
    ".rank",
    ".id",
    ".why",
]


def test_every_text_is_readable_in_light_and_dark(
    browser: Browser, ready: str, scheme: Literal["light", "dark"]
) -> None:
    for screen in opened(browser, ready, scheme):
        screen.ask("a red thing")
        for name in [*READ, "button.primary", ".match", ".from", ".score b"]:
            for element in screen.page.locator(f"{name}:visible:not(:disabled)").all()[:12]:
                assert element.evaluate(CONTRAST) >= 4.5, (name, element.inner_text())
        ground = screen.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == ("rgb(245, 246, 249)" if scheme == "light" else "rgb(18, 21, 28)")


@pytest.mark.parametrize("width", [1400, 800, 390])
def test_nothing_is_wider_than_the_screen_and_the_settings_are_at_hand(
    browser: Browser, ready: str, width: int
) -> None:
    for screen in opened(browser, ready, size=ViewportSize(width=width, height=900)):
        screen.ask("a red thing")
        assert screen.page.evaluate("document.documentElement.scrollWidth") <= width
        depth = screen.page.locator('[id="pool.depth"]')
        if width < 1000:
            expect(depth).to_be_hidden()
            screen.page.get_by_role("button", name="Show", exact=True).click()
        expect(depth).to_be_in_viewport()


def test_every_control_has_a_name_and_a_sentence(screen: Screen) -> None:
    sliders = screen.page.locator("#knobs input[type=range], #knobs select")
    unnamed = "all => all.filter(one => !one.labels.length || !document.getElementById("
    unnamed += "one.getAttribute('aria-describedby')).innerText.trim().length).map(one => one.id)"
    screen.page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
    assert sliders.count() > 15
    assert sliders.evaluate_all(unnamed) == []


def test_nothing_is_fetched_from_anywhere_else(browser: Browser, ready: str) -> None:
    context = browser.new_context(http_credentials=CREDENTIALS)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    Screen(page, ready).ask("a red thing")
    page.wait_for_load_state("networkidle")
    assert len(asked) > 5
    assert [url for url in asked if not url.startswith(ready)] == []
    context.close()


def test_an_answer_says_when_it_is_from_the_wrong_place(ready: str) -> None:
    said = requests.post(f"{ready}/ui/settings", json={}, auth=("admin", "secret"), timeout=5)
    assert (said.status_code, said.json()) == (403, {"error": "Only the page itself may send this."})


def test_the_workers_that_show_it_never_load_torch(screen: Screen, workspace: Workspace) -> None:
    screen.ask("yet another thing")
    screen.page.locator("#file").set_input_files(workspace.root / "media" / "green-cross.png")
    expect(screen.page.get_by_role("heading", name="The pool of the picture")).to_be_visible()
    workers = only(Workspace(workspace.root.resolve()), "gunicorn")
    assert len(workers) == 3
    assert not [pid for pid in workers if "libtorch" in Path(f"/proc/{pid}/maps").read_text()]
