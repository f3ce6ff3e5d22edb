"""Encode what has no vector yet, batch by batch; a crash loses at most the batch in hand."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from label_configs.errors import Unreadable
from label_configs.records import Item, Modality, Query
from ml_backend.encoders.base import Encoder, unsupported
from ml_backend.vectors import VectorStore, key
from store.media import Content, Media

Record = Item | Query


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
    """Give every record a vector. advance: told how many records are done, after each batch."""
    found = Embedded([], [], [])
    with store.writing():
        for group in _groups(records, batch):
            _embed_group(group, encoder, store, media, found)
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


def _embed_group(group: list[Record], encoder: Encoder, store: VectorStore, media: Media, found: Embedded) -> None:
    modality = group[0].modality
    if modality not in encoder.modalities:
        why = unsupported(modality, encoder.modalities).line
        found.broken.extend(f"{_name(record)}: {why}" for record in group)
        return
    fresh: dict[bytes, tuple[Record, Content]] = {}
    for record in group:
        try:
            read = media.content(record)
        except Unreadable as error:
            found.broken.append(f"{_name(record)}: {error.line}")
            continue
        found.records.append(record)
        found.keys.append(key(read))
        if found.keys[-1] not in store:
            fresh[found.keys[-1]] = (record, read)
    if fresh:
        _encode(modality, fresh, encoder, store, found)


def _encode(
    modality: Modality,
    fresh: dict[bytes, tuple[Record, Content]],
    encoder: Encoder,
    store: VectorStore,
    found: Embedded,
) -> None:
    """Encode a batch; where it holds something broken, one by one, so that only the broken one is left out."""
    try:
        store.add(list(fresh), encoder.encode(modality, [read for _, read in fresh.values()]))
    except Unreadable:
        for content_key, (_, read) in fresh.items():
            try:
                store.add([content_key], encoder.encode(modality, [read]))
            except Unreadable as error:
                _leave_out(content_key, error.line, found)


def _leave_out(content_key: bytes, reason: str, found: Embedded) -> None:
    for where in reversed([n for n, k in enumerate(found.keys) if k == content_key]):
        found.broken.append(f"{_name(found.records[where])}: {reason}")
        del found.keys[where], found.records[where]


def _name(record: Record) -> str:
    name = record.doc_id if isinstance(record, Item) else record.query_id
    return f"{name} ({record.uri})" if record.uri else name
