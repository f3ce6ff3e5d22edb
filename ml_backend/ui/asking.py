"""What the page sends: read at the door, within limits."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, NamedTuple, TypeVar

import msgspec

from label_configs.errors import Unreadable
from label_configs.records import Modality, Query, Shown
from store.corpus.rows import bare_query_id
from store.media import pictures
from store.settings import Media
from store.settings_file import Value

T = TypeVar("T")
Name = Annotated[str, msgspec.Meta(max_length=1000)]
Turned = dict[Name, dict[Name, Value]]


class Ask(msgspec.Struct, forbid_unknown_fields=True):
    """A query in words, by the id of a known one, or as a picture (base64).

    settings: the knobs that were turned. positives: items that the admin takes for matches.
    """

    candidates: Shown
    text: Annotated[str, msgspec.Meta(max_length=10_000)] = ""
    picture: bytes = b""
    positives: Annotated[list[Name], msgspec.Meta(max_length=1000)] = []
    settings: Turned = {}


class Save(msgspec.Struct, forbid_unknown_fields=True):
    """Knobs to write. base: names the file that the admin has seen the difference to; without it, it is shown."""

    settings: Turned
    base: str = ""


class Asked(NamedTuple):
    """A query, and the picture that it is, where it lies in no workspace. known: whether the workspace has it."""

    query: Query
    picture: bytes
    known: bool


class Sought(msgspec.Struct, forbid_unknown_fields=True):
    """Which item's picture or recording is wanted: of the collection for such queries and such candidates."""

    asked: Modality
    candidates: Shown
    doc_id: str


def decode(body: bytes, kind: type[T]) -> T:
    """Read a body of the page. Raises Unreadable."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"The request is not what the page sends: {error}.") from error


def query(ask: Ask, find: Callable[[str], Query | None], media: Media) -> Asked:
    """The query that is asked. find: a known query by its text or id.

    Raises Unreadable for a picture that cannot be read, for both or neither of words and picture.
    """
    words = ask.text.strip()
    if bool(words) == bool(ask.picture):
        raise Unreadable("There is nothing to look for." if not words else "Give words or a picture, not both.")
    known = find(words) if words else None
    made = known or (Query(query_id=bare_query_id(words), text=words) if words else _picture(ask.picture, media))
    positives = dict.fromkeys([*made.positives, *ask.positives])
    return Asked(replace(made, positives=tuple(positives)), ask.picture, known is not None)


def _picture(content: bytes, media: Media) -> Query:
    if len(content) > media.max_bytes:
        raise Unreadable(f"The picture has {len(content)} bytes; at most {media.max_bytes} are read.")
    pictures.decode(content, "What was dropped", media.max_pixels)
    return Query(query_id=bare_query_id(hashlib.sha256(content).hexdigest()), modality="image", title="A picture")
