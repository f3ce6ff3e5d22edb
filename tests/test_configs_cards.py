"""Cards: whatever a corpus holds is shown as it is, and does nothing, as HTML and as Markdown."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from label_configs import cards
from label_configs.cards import Card
from label_configs.errors import Mendable
from label_configs.records import Item, Modality, Query

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
HOSTILE = [
    "",
    "   ",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</div></div><style>*{display:none}</style>",
    '" onmouseover="alert(1)" \'',
    "{{idx}} {% raw %} $query $candidates[0].html",
    "&lt;b&gt; &amp; &#60;script&#62; &nbsp",
    "**bold** _it_ `code` ~~gone~~ [link](javascript:alert(1)) ![i](x) <http://a.b>",
    "# heading\n\n    indented\n\n- list\n1. list\n\n> quote\n\n|a|b|\n|-|-|\n\n```\nfence",
    "one\r\rtwo\r\r    code",
    "setext\n===\n***\n[ref]: x",
    "s3://bucket/key http://evil.example www.evil.example a@b.example",
    "\u202etxt.exe\u202c שלום مرحبا",
    "👩‍👩‍👧 🇩🇪 e\u0301",
    "back\\slash \\<b> \\",
    "long " * 2000,
]


class Read(HTMLParser):
    """What a browser makes of HTML: its elements with their attributes, and its text; a `<br>` is a line break."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()
        self.text = self.text.strip()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br":
            self.text += "\n"
        else:
            self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def readings(html: str) -> list[Read]:
    """The card as HTML, as a Markdown document, and with its text read as Markdown, as Label Studio does."""
    document = MARKDOWN.render(html).removeprefix("<p>")
    return [Read(html), Read(document), Read(MARKDOWN.renderInline(html))]


def as_shown(text: str) -> str:
    return re.sub(r"\s*[\r\n]\s*", "\n", text.strip()).strip()


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
@example("x\r\r    y")
def test_any_text_comes_back_as_it_was_and_adds_no_element(text: str) -> None:
    for read in readings(cards.card(Item(doc_id="d", text=text), "").html):
        assert read.text == as_shown(text)
        assert read.elements == [("div", {"class": "lsr-text"})]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_and_titles_are_shown_and_do_nothing(text: str) -> None:
    for read in readings(cards.card(Item(doc_id="d", text=text, title="T " + text), "").html):
        assert read.text == as_shown(f"{as_shown('T ' + text)}\n{as_shown(text)}")
        assert read.elements == [("div", {"class": "lsr-text"}), ("b", {})]


def test_text_holds_no_uri_for_label_studio_to_resolve_and_no_variable_to_fill() -> None:
    card = cards.text("s3://bucket/key gs://bucket/key {{idx}} $query")
    assert not re.search(r"://|\{\{|\$", card)


@pytest.mark.parametrize(("modality", "element"), [("image", "img"), ("audio", "audio"), ("video", "video")])
def test_a_media_card_is_one_element_with_one_uri(modality: Modality, element: str) -> None:
    source = "/data/local-files/?d=a%20b&x=\"><script>'$query{{idx}}*b*"
    item = Item(doc_id="d", modality=modality, uri="x", text="<b>caption</b>", title="t")
    for read in readings(cards.card(item, source).html):
        [(tag, attributes)] = read.elements
        assert (tag, attributes["class"], attributes["src"]) == (element, "lsr-media", source)
        assert read.text == ""


@pytest.mark.parametrize(
    ("start", "end", "fragment"),
    [
        (None, None, ""),
        (2.5, None, "#t=2.5"),
        (None, 7.0, "#t=0,7"),
        (0.0, 0.001, "#t=0,0.001"),
        (12345.678, 1234567.25, "#t=12345.678,1234567.25"),
        (1e-9, 1e7, "#t=0,10000000"),
    ],
)
def test_a_clip_is_named_to_the_millisecond_however_long_the_medium(
    start: float | None, end: float | None, fragment: str
) -> None:
    item = Item(doc_id="d", modality="video", uri="x", start=start, end=end)
    made = cards.card(item, "/v.mp4")
    assert made.uri == f"/v.mp4{fragment}"
    assert f'src="{made.uri}"' in made.html


def test_what_is_known_of_a_query_is_shown_inert_and_nothing_where_nothing_is_known() -> None:
    assert cards.about(Query(query_id="q", text="x")) == ""
    known = Query(query_id="q", granularity="a<b", title="*T*", narrative="N")
    assert cards.about(known) == ('<span class="lsr-level">a&lt;b</span><span class="lsr-told">&#42;T&#42; · N</span>')


def test_a_text_card_does_not_show_the_id_and_no_card_gives_it_away() -> None:
    item = Item(doc_id="secret-7", text="seen", metadata={"role": "gold"})
    assert cards.card(item, "") == Card('<div class="lsr-text">seen</div>')


@pytest.mark.parametrize(
    "uri",
    ["http://a.b/c.png", "HTTPS://a.b/c.png", "s3://b/k", "gs://b/k", "azure-blob://b/k", "/data/x.png", "a/b.png", ""],
)
def test_uris_of_known_schemes_and_paths_pass_unchanged(uri: str) -> None:
    assert cards.uri(uri) == uri


@pytest.mark.parametrize(
    "uri",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        " javascript:alert(1)",
        "java\nscript:alert(1)",
        "\x01javascript:alert(1)",
        "javascript://%0aalert(1)",
        "data:text/html,<script>",
        "data:image/svg+xml,<svg onload=alert(1)>",
        "vbscript:x",
        "file:///etc/passwd",
        "blob:x",
        "http://[broken",
    ],
)
def test_uris_that_a_browser_must_not_follow_are_refused_with_the_uri(uri: str) -> None:
    with pytest.raises(Mendable) as caught:
        cards.uri(uri)
    assert repr(uri) in str(caught.value)


def test_blanks_and_line_breaks_in_a_uri_are_percent_encoded() -> None:
    assert cards.uri("a b\n\n\tc\r.png") == "a%20b%0A%0A%09c%0D.png"
