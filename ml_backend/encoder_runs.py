"""What an encoder ranks for given queries, over all items: what it is evaluated by, and against other encoders."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from label_configs.errors import Mendable
from label_configs.records import Item
from ml_backend import embed
from ml_backend.encoders import ENCODERS
from ml_backend.encoders.base import Encoder, Vectors, unsupported
from ml_backend.index.exact import Rows, nearest
from ml_backend.vectors import VectorStore
from store.media import Media
from store.settings import Encoder as EncoderSettings
from store.settings import OpenClip
from store.workspace import Workspace

_AT_ONCE = 256
"""Queries whose hits are found together."""


class Space(NamedTuple):
    """Records and their vectors in one encoder's space, a row each; a sentence for each record that has none."""

    ids: list[str]
    vectors: Vectors
    broken: list[str]


class Hits(NamedTuple):
    """For each query, a row each, the places of the nearest items and their scores, best first."""

    places: Rows
    scores: Vectors


def choice(workspace: Workspace, name: str) -> EncoderSettings:
    """The encoder that is meant: one of the settings, or any open_clip model, as MODEL:PRETRAINED or local-dir:PATH."""
    if name in workspace.settings.encoders:
        return workspace.settings.encoders[name]
    if name.startswith(("local-dir:", "hf-hub:")):
        return OpenClip(model=name)
    model, _, pretrained = name.partition(":")
    if model and pretrained:
        return OpenClip(model=model, pretrained=pretrained)
    known = ", ".join(workspace.settings.encoders) or "none"
    raise Mendable(
        f"There is no encoder {name!r}.",
        mend=f"Those of the settings are: {known}. Or name any open_clip model: ViT-B-32:openai, local-dir:PATH.",
    )


def load(workspace: Workspace, name: str) -> Encoder:
    """Load its weights; takes seconds."""
    settings = choice(workspace, name)
    return ENCODERS[settings.kind](settings, workspace.root, workspace.settings.media)


def encoded(
    workspace: Workspace,
    name: str,
    encoder: Encoder,
    records: Sequence[embed.Record],
    advance: Callable[[int], None] = lambda done: None,
) -> Space:
    """The records' vectors; those that were encoded before are read. Mendable where the encoder reads none of them."""
    readable = [record for record in records if record.modality in encoder.modalities]
    if records and not readable:
        raise Mendable(f"{name}: {unsupported(records[0].modality, encoder.modalities).line}")
    store = VectorStore(workspace.embeddings / encoder.fingerprint)
    media, batch = Media(workspace.root, workspace.settings.media), choice(workspace, name).batch
    found = embed.embed(readable, encoder, store, media, batch=batch, advance=advance)
    return Space(
        [r.doc_id if isinstance(r, Item) else r.query_id for r in found.records], store.get(found.keys), found.broken
    )


def ranked(queries: Space, items: Space, depth: int) -> Hits:
    """The nearest `depth` items of each query, exactly."""
    count = min(depth, len(items.ids))
    blocks = [
        nearest(queries.vectors[start : start + _AT_ONCE], items.vectors, count)
        for start in range(0, len(queries.ids), _AT_ONCE)
    ]
    if not blocks or not count:
        return Hits(np.zeros((0, count), np.int64), np.zeros((0, count), np.float32))
    return Hits(np.concatenate([rows for _, rows in blocks]), np.concatenate([scores for scores, _ in blocks]))
