"""Candidate cards: small pieces of HTML built from escaped text and checked URIs.

Label Studio shows them through a Markdown tag, which reads Markdown inside the HTML, so text is escaped for both.
Only one media URI stands in a card: Label Studio resolves the first URI of a string and no further.
"""

import html
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from label_configs.errors import Mendable
from label_configs.records import Item, Modality, Query

_MARKDOWN = re.compile(r"[\\`*_{}\[\]()#+\-.!|~>$:@/]")
_BLANK = re.compile(r"[\x00-\x20\x7f]")
_SCHEMES = {"", "http", "https", "s3", "gs", "azure-blob"}


def text(value: str) -> str:
    """Text as inert HTML that Markdown leaves alone: what either of them reads becomes a character reference."""
    escaped = html.escape(value, quote=True)
    kept = re.split(r"(&[a-z0-9#]+;)", escaped)
    inert = [part if n % 2 else _MARKDOWN.sub(lambda m: f"&#{ord(m[0])};", part) for n, part in enumerate(kept)]
    return re.sub(r"\s*[\r\n]\s*", "<br>", "".join(inert).strip())


def uri(value: str) -> str:
    """A media URI fit for an HTML attribute. Raises Mendable for schemes that a browser must not follow."""
    try:
        scheme = urlsplit(value).scheme.lower()
    except ValueError as error:
        raise Mendable(f"A card cannot show the URI {value[:80]!r}.", why=f"It is malformed: {error}.") from error
    if scheme not in _SCHEMES:
        raise Mendable(
            f"A card cannot show the URI {value[:80]!r}.",
            why=f"Its scheme {scheme!r} is not one of {', '.join(sorted(_SCHEMES - {''}))}.",
        )
    return html.escape(_BLANK.sub(lambda m: quote(m[0]), value), quote=True)


class Card(NamedTuple):
    """How an item is put before annotators: its HTML, and the URI of its media for a player of the form's own."""

    html: str
    uri: str = ""


def clip(shown: str, item: Item | Query) -> str:
    """The URI of an item's media for a player: of a clip with its start and end in seconds (Media Fragments)."""
    if item.start is None and item.end is None:
        return shown
    end = "" if item.end is None else f",{_seconds(item.end)}"
    return f"{shown}#t={_seconds(item.start or 0)}{end}"


def _seconds(time: float) -> str:
    """A time to the millisecond, without an exponent."""
    return f"{time:.3f}".rstrip("0").rstrip(".")


def _text(item: Item, source: str) -> str:
    title = f"<b>{text(item.title)}</b><br>" if item.title else ""
    return f'<div class="lsr-text">{title}{text(item.text)}</div>'


def _image(item: Item, source: str) -> str:
    return f'<img class="lsr-media" src="{uri(source)}" alt="">'


def _audio(item: Item, source: str) -> str:
    return f'<audio class="lsr-media" controls preload="none" src="{uri(source)}"></audio>'


def _video(item: Item, source: str) -> str:
    return f'<video class="lsr-media" controls muted preload="metadata" src="{uri(source)}"></video>'


CARDS: Mapping[Modality, Callable[[Item, str], str]] = {
    "text": _text,
    "image": _image,
    "audio": _audio,
    "video": _video,
}


def card(item: Item, shown: str) -> Card:
    """The card of one item. shown: the URI under which the annotator's browser finds its media."""
    if item.modality == "text":
        return Card(_text(item, shown))
    return Card(CARDS[item.modality](item, clip(shown, item)), clip(shown, item))


def about(query: Query) -> str:
    """What is known of a query beside its content, as HTML: granularity, title, description, narrative."""
    level = f'<span class="lsr-level">{text(query.granularity)}</span>' if query.granularity else ""
    told = [text(part) for part in (query.title, query.description, query.narrative) if part]
    return level + (f'<span class="lsr-told">{" · ".join(told)}</span>' if told else "")
