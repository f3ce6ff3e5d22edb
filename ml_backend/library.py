"""A workspace as a collection: indexes built, kept and opened; query vectors looked up before they are encoded."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from typing import NamedTuple

import numpy as np

from label_configs.errors import Mendable, Unreadable
from label_configs.records import Item, Modality, Query, Shown
from ml_backend import embed, index
from ml_backend.collection import Collection, Space
from ml_backend.encoders import ENCODERS
from ml_backend.encoders.base import Encode, Encoder, Vectors, listed, unsupported
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
    choice = encoder_settings(workspace)[name]
    return ENCODERS[choice.kind](choice, workspace.root, workspace.settings.media)


def records(workspace: Workspace) -> tuple[list[Item], list[Query]]:
    """The corpus and its queries. Raises Unreadable where they cannot be read, or do not belong together."""
    there = workspace.read()
    return there.items, there.queries


def build(workspace: Workspace, encoders: Mapping[str, Encoder], advance: Advance = lambda done: None) -> Report:
    """Encode what is new in the corpus and among the queries, and switch to indexes that hold all of it.

    Every encoder indexes what it reads; what none of them reads is left out. Raises Unreadable, and leaves the index as
    it is, where more of the items are broken than may be.
    """
    items, queries, left_out = workspace.read()
    broken = dict.fromkeys([*left_out, *_unread([*items, *queries], encoders.values())])
    indexed: set[str] = set()
    versions = {}
    for name, encoder in encoders.items():
        found = _embed(workspace, name, encoder, items, advance)
        _refuse_many_broken(found, workspace.settings.media.max_broken)
        asked = _embed(workspace, name, encoder, queries, advance)
        broken |= dict.fromkeys([*found.broken, *asked.broken])
        documents = _by_id(found)
        if documents:
            store = VectorStore(workspace.embeddings / encoder.fingerprint)
            versions[name] = index.build(
                workspace.index,
                name,
                encoder.fingerprint,
                [item.doc_id for item, _ in documents],
                [content_key for _, content_key in documents],
                store.get,
                settings=workspace.settings.index,
                modalities=[item.modality for item, _ in documents],
                queries=_by_modality(asked, store),
            )
            indexed |= {item.doc_id for item, _ in documents}
    if not indexed:
        raise Mendable("No item of the corpus can be encoded.", problems=list(broken)[:20])
    return Report(len(indexed), list(broken), versions)


def _refuse_many_broken(found: embed.Embedded, most: float) -> None:
    """A place that does not answer must not empty the index."""
    total = len(found.records) + len(found.broken)
    if len(found.broken) > most * total:
        raise Unreadable(
            f"{len(found.broken)} of {total} items cannot be encoded; the index stays as it was.",
            problems=found.broken[:20],
            mend="Mend them and run it again: what has a vector keeps it. Or raise max_broken under [media].",
        )


def _by_id(embedded: embed.Embedded) -> list[tuple[Item, bytes]]:
    """Items with their keys, in the order of their ids: ties and samples do not depend on the order of the corpus."""
    held = zip(embedded.records, embedded.keys, strict=True)
    return sorted(((r, content_key) for r, content_key in held if isinstance(r, Item)), key=lambda one: one[0].doc_id)


def _by_modality(embedded: embed.Embedded, store: VectorStore) -> dict[Modality, Vectors]:
    keys: dict[Modality, list[bytes]] = {}
    for record, content_key in zip(embedded.records, embedded.keys, strict=True):
        keys.setdefault(record.modality, []).append(content_key)
    return {modality: store.get(some) for modality, some in keys.items()}


def _unread(given: Sequence[embed.Record], encoders: Iterable[Encoder]) -> list[str]:
    """A sentence for each record of a modality that no encoder reads."""
    read = frozenset[Modality]().union(*(encoder.modalities for encoder in encoders))
    return [f"{embed.name(r)}: {unsupported(r.modality, read).line}" for r in given if r.modality not in read]


def _embed(
    workspace: Workspace, name: str, encoder: Encoder, given: Sequence[embed.Record], advance: Advance
) -> embed.Embedded:
    readable = [record for record in given if record.modality in encoder.modalities]
    store, media = (
        VectorStore(workspace.embeddings / encoder.fingerprint),
        Media(workspace.root, workspace.settings.media),
    )
    return embed.embed(readable, encoder, store, media, batch=workspace.settings.encoders[name].batch, advance=advance)


def open_collection(workspace: Workspace, candidates: Shown, encode: Encode, *, asked: Modality = "text") -> Collection:
    """The items of one modality, or of all, as they were last indexed, for queries of the modality `asked`.

    Its spaces are those of the encoders that read both; each holds the items that its encoder could read, which need
    not be all. An index may know more: what the corpus has lost since. encode: for queries that are new.
    """
    names = _reading(workspace, asked, candidates)
    built = index.current(workspace.index)
    opened = {name: index.load(workspace.index, name) for name in names if name in built or not built}
    there = [i for i in workspace.read_items().records if candidates in {"mixed", i.modality}]
    held = {name: one.rows.known([i.doc_id for i in there]) for name, one in opened.items()}
    known = set[str]().union(*held.values())
    if not known:
        raise Mendable(
            f"The index holds no item of modality {candidates}.",
            mend="Correct `candidates` of the project in settings.toml; or add such items, and run `index` again.",
        )
    media = Media(workspace.root, workspace.settings.media)
    spaces = {
        name: Space(name, opened[name].only(doc_ids), _lookup(workspace, name, opened[name], media, encode))
        for name, doc_ids in held.items()
        if doc_ids
    }
    return Collection({i.doc_id: i for i in there if i.doc_id in known}, spaces)


def _reading(workspace: Workspace, asked: Modality, candidates: Shown) -> list[str]:
    """The encoders whose space holds such queries and such candidates; Mendable where there is none."""
    reads = {name: ENCODERS[choice.kind].modalities for name, choice in encoder_settings(workspace).items()}
    found = [name for name, read in reads.items() if asked in read and (candidates == "mixed" or candidates in read)]
    if not found:
        raise Mendable(
            f"No encoder reads both {asked} queries and {candidates} candidates.",
            problems=[f"{name} reads {listed(read, 'and')}" for name, read in reads.items()],
            mend="Add one under [encoders] in settings.toml, or correct `query` and `candidates` of the project.",
        )
    return found


def _lookup(
    workspace: Workspace, name: str, opened: index.Index, media: Media, encode: Encode
) -> Callable[[Query], Vectors]:
    store = VectorStore(workspace.embeddings / opened.fingerprint)

    def vector(query: Query) -> Vectors:
        content_key = key(query.modality, media.content(query))
        return store.get([content_key])[0] if content_key in store else encode(name, opened.fingerprint, query)

    return vector


def not_indexed(name: str, fingerprint: str, query: Query) -> Vectors:
    """Stands where no encoder is loaded: raises Unreadable, for a query without a vector."""
    raise Unreadable("It has no vector yet.", mend="Run `ls-retrieval index`, which names it where it cannot be read.")


def encoding(workspace: Workspace) -> Encode:
    """Encodes queries that have no vector yet, by encoders that are loaded when the first such query comes."""
    media, load = Media(workspace.root, workspace.settings.media), cache(partial(load_encoder, workspace))

    def encode(name: str, fingerprint: str, query: Query) -> Vectors:
        encoder = load(name)
        if encoder.fingerprint != fingerprint:
            raise Mendable(f"The encoder {name!r} is not the one of its index.", mend="Run `ls-retrieval index`.")
        if query.modality not in encoder.modalities:
            raise unsupported(query.modality, encoder.modalities)
        return np.asarray(encoder.encode(query.modality, [media.content(query)])[0])

    return encode


def totals(workspace: Workspace) -> int:
    """How many records `build` will tell of through `advance`: a record for each encoder that reads it."""
    items, queries = records(workspace)
    modalities = [*(item.modality for item in items), *(query.modality for query in queries)]
    reads = [ENCODERS[choice.kind].modalities for choice in encoder_settings(workspace).values()]
    return sum(modality in read for read in reads for modality in modalities)
