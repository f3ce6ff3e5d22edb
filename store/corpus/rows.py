"""One row of a corpus or of queries, whatever file it came from, and the record that it becomes."""

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import msgspec

from label_configs.records import Item, Modality, Query, digest

MEDIA: tuple[Modality, ...] = ("image", "audio", "video")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
"""What hashes over ids, tables and terminals take for their own."""
LIMIT = 16_000_000
"""Bytes of one row; a longer one is broken."""
SUFFIXES: Mapping[str, Modality] = {
    **dict.fromkeys((".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"), "image"),
    **dict.fromkeys((".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a"), "audio"),
    **dict.fromkeys((".mp4", ".webm", ".mkv", ".mov", ".avi"), "video"),
}


class Row(msgspec.Struct):
    """BEIR's fields as they are, with `image`, `audio` and `video` beside them; those of queries too."""

    id: str | int | None = msgspec.field(default=None, name="_id")
    text: str = ""
    title: str = ""
    image: str = ""
    audio: str = ""
    video: str = ""
    start: float | None = None
    end: float | None = None
    metadata: dict[str, Any] = {}
    positives: list[str | int] = []
    description: str = ""
    narrative: str = ""
    granularity: str = ""
    domain: str = ""
    lang: str = ""


COLUMNS = frozenset(msgspec.structs.fields(Row)[n].encode_name for n in range(len(Row.__struct_fields__)))
Entry = tuple[str, Row | Exception]
"""Where a row stands, as people say it, and the row, or why there is none."""
Entries = Iterator[Entry]


def of(values: Mapping[str, Any]) -> Row | Exception:
    """The row that a mapping of columns to values makes; others than the known ones are left out."""
    try:
        return msgspec.convert({name: value for name, value in values.items() if name in COLUMNS}, Row)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        return error


def modality(name: str) -> Modality | None:
    """What a file is by its suffix, or None."""
    return SUFFIXES.get(PurePosixPath(name).suffix.lower())


def modality_of(uri: str) -> Modality | None:
    """What lies under a URI by the suffix of its path, or of what it ends in; None for a text."""
    return modality(uri.partition("?")[0]) or modality(uri) if uri.isprintable() and len(uri) < 2000 else None


def item(row: Row) -> Item:
    """The item of a row. Raises ValueError that says what is wrong with it."""
    if row.id is None or not str(row.id).strip():
        raise ValueError("the row has no _id")
    if _CONTROL.search(str(row.id)):
        raise ValueError(f"the _id {row.id!r} has control characters")
    kind, uri = _content(row)
    if kind == "text" and not (row.text.strip() or row.title.strip()):
        raise ValueError(f"item {row.id!r} has neither text nor image, audio or video")
    _check_stretch(row)
    return Item(
        doc_id=str(row.id),
        modality=kind,
        text=row.text,
        uri=uri,
        start=row.start,
        end=row.end,
        title=row.title,
        metadata=row.metadata,
    )


def query(row: Row) -> Query:
    """The query of a row. Raises ValueError that says what is wrong with it."""
    kind, uri = _content(row)
    content = uri or row.text.strip()
    if not content:
        raise ValueError(f"query {row.id!r} is empty" if row.id is not None else "the query is empty")
    _check_stretch(row)
    given = row.id is not None and str(row.id).strip()
    return Query(
        query_id=str(row.id) if given else bare_query_id(content, row.start, row.end),
        modality=kind,
        text=row.text.strip(),
        uri=uri,
        start=row.start,
        end=row.end,
        title=row.title,
        description=row.description,
        narrative=row.narrative,
        granularity=row.granularity,
        domain=row.domain,
        lang=row.lang,
        positives=tuple(map(str, row.positives)),
    )


def bare_query_id(content: str, start: float | None = None, end: float | None = None) -> str:
    """The id of a query that came without one: a hash of its text or URI, and of the stretch of it that is meant."""
    stretch = () if start is None and end is None else (start, end)
    return f"q{digest(content.strip(), *stretch)}"


def _content(row: Row) -> tuple[Modality, str]:
    found = [(m, getattr(row, m)) for m in MEDIA if getattr(row, m)]
    if len(found) > 1:
        raise ValueError(f"more than one medium: {', '.join(m for m, _ in found)}")
    return found[0] if found else ("text", "")


def _check_stretch(row: Row) -> None:
    """Start and end are seconds from 0, the end behind the start."""
    for name, value in (("start", row.start), ("end", row.end)):
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{name} is {value}, no second of a medium")
    if row.end is not None and row.end <= (row.start or 0):
        raise ValueError(f"end {row.end:g} is not behind start {row.start or 0:g}")
