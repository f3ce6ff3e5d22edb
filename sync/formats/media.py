"""Media in data sets: embedded in a cell, copied beside, or by reference; originals or thumbnails."""

import hashlib
import re
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from label_configs.records import Item, Query
from store import files
from sync.dataset import Dataset

FOLDER = "media"
_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
"""Of a name that every file system takes."""


def text(record: Item | Query) -> str:
    """What a text record says, title first; what is written of a medium otherwise."""
    return " ".join(part for part in (record.title, record.text) if part)


def cell(record: Item | Query, data: Dataset, folder: Path) -> str | dict[str, Any]:
    """A cell of a Parquet column: a text, or `{"bytes", "path"}` as the hub's Image and Audio features read it."""
    if record.modality == "text":
        return text(record)
    if data.settings.export.media in ("auto", "embedded"):
        content, ending = read(record, data)
        return {"bytes": content, "path": _name(record, content, ending, data)}
    return {"bytes": None, "path": place(record, data, folder)}


def place(record: Item | Query, data: Dataset, folder: Path) -> str:
    """Where a reader of `folder` finds a record's medium: copied to media/ below it, or its own URI by reference."""
    if data.settings.export.media == "reference":
        return record.uri
    known = data.named.get(record.uri, "")
    if not known or not (folder / FOLDER / known).exists():
        content, ending = read(record, data)
        known = _name(record, content, ending, data)
        files.write(folder / FOLDER / known, content)
    return f"{FOLDER}/{known}"


def stretch(record: Item | Query) -> dict[str, float]:
    """Start and end in seconds, where the record is a stretch of its medium."""
    ends = {"start": record.start, "end": record.end}
    return {name: second for name, second in ends.items() if second is not None}


def read(record: Item | Query, data: Dataset) -> tuple[bytes, str]:
    """The bytes of a record's medium, and the suffix that it has; a thumbnail where the settings say so."""
    if record.modality == "image" and data.settings.export.pictures == "thumbnails":
        return data.media.thumbnail(record).read_bytes(), ".webp"
    return data.media.read(record), suffix(record)


def suffix(record: Item | Query) -> str:
    """What the path of a record's medium ends in, in small letters."""
    path = record.uri.rpartition("#")[2] if "#" in record.uri else urlsplit(record.uri).path
    ending = PurePosixPath(path).suffix.lower()
    return ending if _SUFFIX.fullmatch(ending) else ""


def _name(record: Item | Query, content: bytes, ending: str, data: Dataset) -> str:
    """A name by content, made once of a medium."""
    if record.uri not in data.named:
        data.named[record.uri] = hashlib.sha256(content).hexdigest()[:32] + ending
    return data.named[record.uri]
