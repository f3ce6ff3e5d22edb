"""A workspace as a collection: indexes built, kept and opened; query vectors looked up before they are encoded."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from label_configs.errors import Mendable, Unreadable
from label_configs.records import Item, Modality, Query, Shown
from ml_backend import embed, index
from ml_backend.collection import Collection, Space
from ml_backend.encoders.base import Encoder, Vectors, unsupported
from ml_backend.vectors import VectorStore, key
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


def records(workspace: Workspace) -> tuple[list[Item], list[Query]]:
    """The corpus and its queries. Raises Unreadable where they cannot be read, or do not belong together."""
    there = workspace.read()
    return there.items, there.queries


def build(workspace: Workspace, encoders: Mapping[str, Encoder], advance: Advance = lambda done: None) -> Report:
    """Encode what is new in the corpus and among the queries, and switch to an index that holds all of it."""
    items, queries, left_out = workspace.read()
    media = Media(workspace.root, workspace.settings.media)
    broken = dict.fromkeys(left_out)
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
            workspace.index,
            name,
            encoder.fingerprint,
            doc_ids,
            found.keys,
            store.get,
            settings=workspace.settings.index,
            modalities=[r.modality for r in found.records],
            queries=_by_modality(asked, store),
        )
    return Report(len(doc_ids), list(broken), versions)


def _by_modality(embedded: embed.Embedded, store: VectorStore) -> dict[Modality, Vectors]:
    keys: dict[Modality, list[bytes]] = {}
    for record, content_key in zip(embedded.records, embedded.keys, strict=True):
        keys.setdefault(record.modality, []).append(content_key)
    return {modality: store.get(some) for modality, some in keys.items()}


def open_collection(workspace: Workspace, candidates: Shown, encode: Callable[[str, Query], Vectors]) -> Collection:
    """The items of one modality as they were last indexed.

    An index may know more: what another encoder could not read, and what the corpus has lost since. encode: encoder
    name and query to a vector, for queries that are new.
    """
    indexes = {name: index.load(workspace.index, name) for name in encoder_settings(workspace)}
    indexed = set.intersection(*(set(i.rows) for i in indexes.values()))
    there = (i for i in workspace.read_items().records if i.doc_id in indexed)
    items = {i.doc_id: i for i in there if candidates in {"mixed", i.modality}}
    if not items:
        raise Mendable(
            f"The index holds no item of modality {candidates}.",
            mend="Correct `candidates` of the project in settings.toml; or add such items, and run `index` again.",
        )
    media = Media(workspace.root, workspace.settings.media)
    return Collection(
        items,
        {name: Space(name, i.only(items), _lookup(workspace, name, i, media, encode)) for name, i in indexes.items()},
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
        content_key = key(media.content(query))
        return store.get([content_key])[0] if content_key in store else encode(name, query)

    return vector


def not_indexed(name: str, query: Query) -> Vectors:
    """Stands where no encoder is loaded: raises Unreadable, for a query without a vector."""
    from ml_backend.encoders.open_clip import OpenClip

    if query.modality not in OpenClip.modalities:
        raise unsupported(query.modality, OpenClip.modalities)
    raise Unreadable("It has no vector yet.", mend="Run `ls-retrieval index`, which names it where it cannot be read.")


def totals(workspace: Workspace) -> int:
    """How many records `build` will tell of through `advance`."""
    items, queries = records(workspace)
    return (len(items) + len(queries)) * len(encoder_settings(workspace))
