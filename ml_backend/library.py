"""A workspace as a collection: indexes built, kept and opened; query vectors looked up before they are encoded."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from label_configs.errors import Mendable
from label_configs.records import Item, Query
from ml_backend import embed, index
from ml_backend.collection import Collection, Space
from ml_backend.encoders.base import Encoder, Vectors
from ml_backend.vectors import VectorStore, key
from store import corpus
from store.media import Media
from store.settings import Encoder as EncoderSettings
from store.workspace import Workspace

Advance = Callable[[int], None]


class Report(NamedTuple):
    """What indexing did: items that have vectors, those that could not be read, and index versions by encoder."""

    items: int
    broken: list[str]
    versions: dict[str, str]


def encoder_settings(workspace: Workspace) -> Mapping[str, EncoderSettings]:
    """The configured encoders; Mendable where there is none."""
    found = workspace.settings.encoders
    if not found:
        raise Mendable(
            f"{workspace.settings_path} names no encoder.",
            mend='Add a section [encoders.clip] with model = "ViT-B-32" and pretrained = "laion2b_s34b_b79k".',
        )
    return found


def load_encoder(workspace: Workspace, name: str) -> Encoder:
    """Load the weights of one configured encoder; takes seconds."""
    from ml_backend.encoders.open_clip import OpenClip

    return OpenClip(encoder_settings(workspace)[name], workspace.root, workspace.settings.media.max_pixels)


def build(workspace: Workspace, encoders: Mapping[str, Encoder], advance: Advance = lambda done: None) -> Report:
    """Encode what is new in the corpus and among the queries, and switch to an index that holds all of it."""
    items, queries = corpus.items(workspace.corpus), corpus.queries(workspace.queries)
    media = Media(workspace.root, workspace.settings.media)
    broken: dict[str, None] = {}
    versions = {}
    for name, encoder in encoders.items():
        store = VectorStore(workspace.embeddings / encoder.fingerprint)
        batch = workspace.settings.encoders[name].batch
        found = embed.embed(items, encoder, store, media, batch=batch, advance=advance)
        asked = embed.embed(queries, encoder, store, media, batch=batch, advance=advance)
        broken |= dict.fromkeys([*found.broken, *asked.broken])
        if not found.keys:
            raise Mendable("No item of the corpus can be encoded.", problems=list(broken)[:20])
        doc_ids = [r.doc_id for r in found.records if isinstance(r, Item)]
        versions[name] = index.build(
            workspace.index, name, encoder.fingerprint, doc_ids, found.keys, store.get(found.keys)
        )
    return Report(len(doc_ids), list(broken), versions)


def open_collection(workspace: Workspace, encode: Callable[[str, Query], Vectors]) -> Collection:
    """The collection as it was last indexed. encode: encoder name and query to a vector, for queries that are new."""
    indexes = {name: index.load(workspace.index, name) for name in encoder_settings(workspace)}
    indexed = set.intersection(*(set(i.rows) for i in indexes.values()))
    items = {i.doc_id: i for i in corpus.items(workspace.corpus) if i.doc_id in indexed}
    media = Media(workspace.root, workspace.settings.media)
    return Collection(
        items, {name: Space(name, i, _lookup(workspace, name, i, media, encode)) for name, i in indexes.items()}
    )


def _lookup(
    workspace: Workspace,
    name: str,
    opened: index.Index,
    media: Media,
    encode: Callable[[str, Query], Vectors],
) -> Callable[[Query], Vectors]:
    store = VectorStore(workspace.embeddings / opened.fingerprint)

    def vector(query: Query) -> Vectors:
        content_key = key(embed.content(query, media))
        return store.get([content_key])[0] if content_key in store else encode(name, query)

    return vector


def local_encode(encoders: Mapping[str, Encoder], media: Media) -> Callable[[str, Query], Vectors]:
    """Encode a query in this process."""

    def encode(name: str, query: Query) -> Vectors:
        vectors = encoders[name].encode(query.modality, [embed.content(query, media)])
        return np.asarray(vectors[0])

    return encode


def not_indexed(query: Query) -> Mendable:
    """What to do about a query without a vector."""
    return Mendable(f"The query {query.query_id!r} has no vector yet.", mend="Run `ls-retrieval index` first.")


def totals(workspace: Workspace) -> int:
    """How many records `build` will tell of through `advance`."""
    records: Sequence[object] = [*corpus.items(workspace.corpus), *corpus.queries(workspace.queries)]
    return len(records) * len(encoder_settings(workspace))
