"""Encode what has no vector yet, batch by batch; a crash loses at most the batch in hand."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from label_configs.errors import Unreadable
from label_configs.records import Item, Modality, Query
from ml_backend.encoders.base import Encoder, Vectors
from ml_backend.vectors import VectorStore, clip_key, key
from store.media import Clip, Content, Media

Record = Item | Query
_HELD = 64 * 1024 * 1024
"""Bytes of media from which on what is read is encoded before more is read."""


class Embedded(NamedTuple):
    """keys: the content hash of every record that has a vector, in their order. broken: a sentence for each other."""

    records: list[Record]
    keys: list[bytes]
    broken: list[str]


def embed(
    records: Sequence[Record],
    encoder: Encoder,
    store: VectorStore,
    media: Media,
    *,
    batch: int = 32,
    advance: Callable[[int], None] = lambda done: None,
) -> Embedded:
    """Give every record, of modalities that the encoder reads, a vector.

    advance: told how many records are done, after each batch.
    """
    found, reader = Embedded([], [], []), _Reader(media)
    with store.writing():
        for group in _groups(records, batch):
            _embed_group(group, encoder, store, reader, found)
            advance(len(group))
    return found


def _groups(records: Sequence[Record], size: int) -> Iterator[list[Record]]:
    """Batches of one modality each, in order."""
    group: list[Record] = []
    for record in records:
        if group and (len(group) == size or record.modality != group[0].modality):
            yield group
            group = []
        group.append(record)
    if group:
        yield group


class _Reader:
    """Reads contents with their keys: a medium of which several stretches follow each other, once for all of them."""

    def __init__(self, media: Media) -> None:
        self._media = media
        self._known, self._medium, self._key = ("", ""), b"", b""

    def __call__(self, record: Record) -> tuple[bytes, Content]:
        if record.modality == "text" or (record.start is None and record.end is None):
            content = self._media.content(record)
            return key(record.modality, content), content
        if (record.modality, record.uri) != self._known:
            medium = self._media.read(record)
            self._known, self._medium, self._key = (record.modality, record.uri), medium, key(record.modality, medium)
        start = record.start or 0.0
        return clip_key(self._key, start, record.end), Clip(self._medium, start, record.end)


def _embed_group(group: list[Record], encoder: Encoder, store: VectorStore, reader: _Reader, found: Embedded) -> None:
    modality, held = group[0].modality, 0
    fresh: dict[bytes, Content] = {}
    for record in group:
        try:
            content_key, read = reader(record)
        except Unreadable as error:
            found.broken.append(f"{name(record)}: {error.line}")
            continue
        found.records.append(record)
        found.keys.append(content_key)
        if content_key not in store and content_key not in fresh:
            held += len(read) if isinstance(read, str | bytes) else 0
            fresh[content_key] = read
        if held > _HELD:
            _encode(modality, fresh, encoder, store, found)
            fresh, held = {}, 0
    _encode(modality, fresh, encoder, store, found)


def _encode(
    modality: Modality, fresh: dict[bytes, Content], encoder: Encoder, store: VectorStore, found: Embedded
) -> None:
    """Encode a batch; where it holds something broken, its halves, so that only the broken one is left out.

    What the model makes nothing finite of is left out too.
    """
    if not fresh:
        return
    keys = list(fresh)
    try:
        _keep(keys, encoder.encode(modality, list(fresh.values())), store, found)
    except Unreadable as error:
        if len(keys) == 1:
            _leave_out(keys[0], error.line, found)
            return
        for half in (keys[: len(keys) // 2], keys[len(keys) // 2 :]):
            _encode(modality, {k: fresh[k] for k in half}, encoder, store, found)


def _keep(keys: list[bytes], vectors: Vectors, store: VectorStore, found: Embedded) -> None:
    """Keep the vectors of a batch but for those that are not finite; of several, one at least must be."""
    finite = np.isfinite(vectors).all(axis=1)
    if len(keys) > 1 and not finite.any():
        store.add(keys, vectors)  # which says what to do about the encoder
    store.add([keys[n] for n in np.flatnonzero(finite)], vectors[finite])
    for n in np.flatnonzero(~finite):
        _leave_out(keys[n], "The encoder gives it a vector that is not finite. Replace it, or leave it out.", found)


def _leave_out(content_key: bytes, reason: str, found: Embedded) -> None:
    for where in reversed([n for n, k in enumerate(found.keys) if k == content_key]):
        found.broken.append(f"{name(found.records[where])}: {reason}")
        del found.keys[where], found.records[where]


def name(record: Record) -> str:
    """What a record is called in a list of those left out."""
    called = record.doc_id if isinstance(record, Item) else record.query_id
    return f"{called} ({record.uri})" if record.uri else called
