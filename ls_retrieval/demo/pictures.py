"""A captioned picture: how it is rendered, named and kept, and what its caption is about."""

import hashlib
import io
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

T = TypeVar("T")
LONGEST_SIDE = 384
MOST_WORDS = 5
QUOTES = tuple("“–\"'")
PAIRED = frozenset({"binoculars", "glasses", "jeans", "pants", "pliers", "scissors", "sunglasses"})
DETERMINERS = frozenset({"a", "an", "the", "some", "our", "another", "one", "two", "three"})
QUANTITIES = frozenset({"pair", "couple", "bunch", "cluster", "head", "string", "set", "quarter", "baby"})
# a noun phrase ends at a preposition, a participle or a relative clause
PREPOSITIONS = frozenset(
    {"as", "at", "by", "for", "from", "in", "inside", "into", "like", "of", "on", "or", "to", "with", "without"}
)
PARTICIPLES = frozenset(
    {"called", "covered", "dancing", "hatched", "made", "making", "playing", "that", "used", "which", "worn"}
)
# a caption with one of these is no noun phrase
SENTENCE_WORDS = frozenset(
    {"are", "carries", "carry", "down", "eat", "enter", "has", "is", "lets", "means", "resembles", "stands"}
)


class Track(Protocol):
    """Shows progress while a sequence is worked through; `rich.progress.track` is one."""

    def __call__(self, sequence: Iterable[T], description: str, /) -> Iterable[T]:
        """Yield what `sequence` yields."""
        ...


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of the demo corpus.

    key: opaque id, a hash of the source's content: it does not give the caption away. path: the rendered file.
    caption: an English sentence or name. head: its head noun, or "" if the caption is not a noun phrase.
    group: the folder or subgroup, such as "animals/birds".
    """

    key: str
    path: Path
    caption: str
    head: str
    group: str


class Captioned(Protocol):
    """A medium of the demo corpus whose caption, head noun and group are known; see Picture."""

    @property
    def key(self) -> str:
        """Its id."""

    @property
    def caption(self) -> str:
        """What it is, in English."""

    @property
    def head(self) -> str:
        """The caption's head noun, or ""."""

    @property
    def group(self) -> str:
        """The folder or subgroup."""


class Source(NamedTuple):
    """A picture as a pack ships it: the bytes of an SVG or raster file, with its caption and group."""

    content: bytes
    caption: str
    group: str

    @property
    def key(self) -> str:
        """The picture's id: `p` and the first 10 hex digits of SHA-256 over the content."""
        return "p" + hashlib.sha256(self.content).hexdigest()[:10]


@contextmanager
def fresh(path: Path) -> Iterator[Path]:
    """A temporary neighbour of `path`, which becomes `path` when the block ends well and else vanishes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def head_noun(caption: str) -> str:
    """The head noun of a caption in lower case, or "" for a caption that is not a plain noun phrase.

    The rule is simple on purpose: read the first sentence up to its first comma or bracket; drop determiners and
    quantities ("a pair of"); stop at a preposition or participle; the last word left, in the singular, is the
    head. Sentences ("Eat your bread!", "The red light means …") and quoted signs (“Stop”) have none.
    Compounds lose their first part: "a sea lion" is taken for a lion.
    """
    words = _opening_words(caption)
    core = list(takewhile(lambda word: word not in PREPOSITIONS | PARTICIPLES, _without_quantity(words)))
    if not core or len(core) > MOST_WORDS or SENTENCE_WORDS.intersection(words):
        return ""
    return core[-1] if PAIRED.intersection(core) else singular(core[-1])


def _opening_words(caption: str) -> list[str]:
    """The words of the first clause in lower case; none for a quoted sign or an exclamation without article."""
    words = re.findall(r"\w[\w'-]*\w|\w", re.split(r"[.!?,;:(—]", caption.lower().replace("’", "'"))[0])
    cried = caption.endswith(("!", "?")) and words[:1] and words[0] not in DETERMINERS
    return [] if cried or caption.startswith(QUOTES) else words


def _without_quantity(words: list[str]) -> list[str]:
    while words[:1] and (words[0] in DETERMINERS or (words[0] in QUANTITIES and words[1:2] == ["of"])):
        words = words[1:] if words[0] in DETERMINERS else words[2:]
    return words


def singular(noun: str) -> str:
    """The singular of a regular English plural; other words as they are."""
    for plural, ending in (("ies", "y"), ("sses", "ss"), ("shes", "sh"), ("ches", "ch"), ("xes", "x")):
        if noun.endswith(plural) and len(noun) > len(plural) + 1:
            return noun.removesuffix(plural) + ending
    return noun.removesuffix("s") if noun.endswith("s") and noun[-2:] not in ("ss", "us", "is") else noun


def render(sources: Iterable[Source], workspace: Path, track: Track, limit: int | None = None) -> list[Picture]:
    """Render each source once into `workspace`/media/originals, in the order of the keys; what exists is kept.

    limit: at most so many; as keys are hashes, the first ones are an even sample. Of sources with the same
    content only the first one counts.
    """
    by_key: dict[str, Source] = {}
    for source in sources:
        by_key.setdefault(source.key, source)
    chosen = sorted(by_key.items())[:limit]
    return [_rendered(key, source, workspace) for key, source in track(chosen, "Rendering pictures")]


def _rendered(key: str, source: Source, workspace: Path) -> Picture:
    path = workspace / "media" / "originals" / f"{key}.png"
    if not path.exists():
        with fresh(path) as temporary:
            _draw(source.content, temporary)
    return Picture(key, path, source.caption, head_noun(source.caption), source.group)


def _draw(content: bytes, path: Path) -> None:
    """Write a raster or SVG image as an opaque PNG on white, at most LONGEST_SIDE pixels wide and high."""
    from PIL import Image

    raster = content if content.startswith(b"\x89PNG") else _rasterised(content.decode())
    with Image.open(io.BytesIO(raster)) as image:
        flat = Image.new("RGBA", image.size, "white")
        flat.alpha_composite(image.convert("RGBA"))
    flat.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    flat.convert("RGB").save(path, format="PNG")


def _rasterised(svg: str) -> bytes:
    """The SVG as PNG, LONGEST_SIDE wide; without a dpi resvg refuses drawings measured in millimetres."""
    import resvg_py

    return resvg_py.svg_to_bytes(svg_string=svg, dpi=96, width=LONGEST_SIDE, skip_system_fonts=True)
