"""Build an index: only what changed, beside the one in use, and switched to last."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from label_configs.errors import Mendable
from label_configs.records import Modality, digest
from ml_backend.encoders.base import Vectors
from ml_backend.index import arrays, ids, kinds, layout, measure
from ml_backend.index.exact import Rows
from ml_backend.index.layout import About
from store import files
from store.settings import IndexSettings

_BLOCK = 16_384
_KEY = 32
_SHOWN = 20
_EXACT = "exact"

Read = Callable[[Rows], Vectors]
"""Numbers of documents to their vectors."""
Stored = Vectors | Callable[[Sequence[bytes]], Vectors]
"""Vectors of all documents, or what gives those of some content keys: then they are never in memory at once."""


def build(
    folder: Path,
    name: str,
    fingerprint: str,
    doc_ids: Sequence[str],
    keys: Sequence[bytes],
    vectors: Stored,
    *,
    settings: IndexSettings = IndexSettings(),  # noqa: B008 - frozen
    modalities: Sequence[Modality] = (),
    queries: Mapping[Modality, Vectors] | None = None,
) -> str:
    """Write the index of encoder `name` and switch to it; returns its version. A no-op where nothing changed.

    keys: the content of each document, up to 32 bytes. modalities: of each document. queries: the workspace's own, by
    modality, that an approximate kind is measured by. Raises Mendable for ids that are there twice, for vectors that
    are not finite, and where another process is building.
    """
    _check(doc_ids)
    corpus = Corpus(fingerprint, doc_ids, _packed(keys), _reader(keys, vectors), modalities, queries or {})
    wish = _wish(settings, corpus)
    used = layout.current(folder).get(name, {})
    there = used.get("fingerprint") == fingerprint and used["version"] == _version(corpus, wish, used["main"])
    if there and not layout.leftovers(folder):
        return used["version"]
    with files.locked(folder / ".lock", "building the index"):
        layout.sweep(folder)
        main, rows = _main(folder, used, corpus, wish, settings)
        version = _version(corpus, wish, main)
        entry = {"fingerprint": fingerprint, "main": main, "version": version}
        if not (layout.main(folder, entry) / version).exists():
            _write_version(layout.main(folder, entry), version, corpus, rows)
        if used != entry:
            layout.switch(folder, name, entry)
            layout.sweep(folder)
    return version


class Corpus(NamedTuple):
    """What an index is built of. keys: shape (documents, 32). read: some of the vectors, by document number."""

    fingerprint: str
    doc_ids: Sequence[str]
    keys: NDArray[np.uint8]
    read: Read
    modalities: Sequence[Modality]
    queries: Mapping[Modality, Vectors]


def _check(doc_ids: Sequence[str]) -> None:
    if not doc_ids:
        raise Mendable("There are no documents to index.")
    twice = [doc_id for doc_id, count in Counter(doc_ids).items() if count > 1]
    if twice:
        raise Mendable(
            f"{len(twice)} doc_ids are there more than once.",
            problems=twice[:_SHOWN],
            mend="Rename all but one of each.",
        )


def _packed(keys: Sequence[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(key.ljust(_KEY, b"\0") for key in keys), dtype=np.uint8).reshape(-1, _KEY)


def _reader(keys: Sequence[bytes], vectors: Stored) -> Read:
    if callable(vectors):
        return lambda numbers: vectors([keys[n] for n in numbers])
    return lambda numbers: vectors[numbers]


def _wish(settings: IndexSettings, corpus: Corpus) -> str:
    """What is asked of the index: where it is exact from the start, nothing else matters."""
    plan = kinds.plan(settings.kind, len(corpus.doc_ids))
    if not plan:
        return _EXACT
    tests = ", ".join(map(str, measure.sources(corpus.modalities, corpus.queries)))
    return f"{' or '.join(plan)}, recall {settings.recall:g} at {settings.at} of {tests}"


def _version(corpus: Corpus, wish: str, main: str) -> str:
    """What is found depends on this alone: exact search finds the same whatever an index was before."""
    before = "" if wish == _EXACT else main
    return digest(corpus.fingerprint, wish, before, *corpus.doc_ids, *map(bytes.hex, map(bytes, corpus.keys)))


def _main(
    folder: Path, used: Mapping[str, str], corpus: Corpus, wish: str, settings: IndexSettings
) -> tuple[str, Rows]:
    """The main segment to search, and the row in it of each document, -1 for one that it does not hold.

    The old one while it is what is wished, and little is new or gone; otherwise a new one of all documents.
    """
    if used.get("fingerprint") == corpus.fingerprint:
        old = layout.main(folder, used)
        keys = arrays.opened(old / "keys.npy")
        rows = _matched(keys, corpus.keys)
        new, gone = int((rows < 0).sum()), len(keys) - int((rows >= 0).sum())
        if layout.read(old).wish == wish and new + gone <= settings.slack * len(keys):
            return used["main"], rows
    name = digest(corpus.fingerprint, wish, corpus.keys.tobytes().hex(), *corpus.modalities)
    place = folder / corpus.fingerprint / name
    if not place.exists():
        _write_main(place, corpus, wish, settings)
    return name, np.arange(len(corpus.doc_ids))


def _matched(old: NDArray[np.uint8], keys: NDArray[np.uint8]) -> Rows:
    """For each key an old row of the same content, each row used once; -1 where there is none left."""
    free: dict[bytes, list[int]] = {}
    raw = old.tobytes()
    for row in reversed(range(len(old))):
        free.setdefault(raw[row * _KEY : (row + 1) * _KEY], []).append(row)
    found = (free.get(bytes(key)) for key in keys)
    return np.array([rows.pop() if rows else -1 for rows in found], dtype=np.int64)


def _write_main(place: Path, corpus: Corpus, wish: str, settings: IndexSettings) -> None:
    begun = time.perf_counter()
    _write_vectors(place / "vectors.npy", corpus, np.arange(len(corpus.doc_ids)))
    arrays.write(place / "keys.npy", corpus.keys)
    about = _approximated(place, corpus, wish, settings)
    seconds = round(time.perf_counter() - begun, 2)
    files.write(place / "about.json", msgspec.json.encode(msgspec.structs.replace(about, seconds=seconds)))


def _approximated(place: Path, corpus: Corpus, wish: str, settings: IndexSettings) -> About:
    """Build the first of the planned kinds that finds what was asked for; exact search where none does."""
    exact = About(wish, "exact", len(corpus.doc_ids), settings.at)
    plan = kinds.plan(settings.kind, len(corpus.doc_ids))
    if not plan:
        return exact
    vectors = arrays.opened(place / "vectors.npy")
    tests = measure.probes(vectors, corpus.modalities, corpus.queries)
    for name in plan:
        index = kinds.built(name, vectors)
        tuned = measure.tune(name, index, vectors, tests, settings.recall, settings.at)
        if tuned.step:
            with files.replacing(place / "approximate.faiss") as temporary:
                kinds.write(temporary, index)
            return msgspec.structs.replace(exact, kind=name, tested=tuned.tested, **tuned.step._asdict())
        exact.tried.append(f"{name} (recall@{settings.at} {tuned.recall:.3f})")
    return exact


def _write_version(main: Path, version: str, corpus: Corpus, rows: Rows) -> None:
    place, whole = main / version, len(arrays.opened(main / "keys.npy"))
    new = np.flatnonzero(rows < 0)
    rows[new] = whole + np.arange(len(new))
    _write_vectors(place / "fresh.npy", corpus, new)
    arrays.write(place / "places.npy", rows)
    ids.of(corpus.doc_ids).write(place)


def _write_vectors(path: Path, corpus: Corpus, numbers: Rows) -> None:
    """The vectors of these documents, block by block; Mendable names those with numbers that are not finite."""
    dim = corpus.read(np.arange(1)).shape[1]
    broken: list[str] = []

    def blocks() -> Iterator[Vectors]:
        for start in range(0, len(numbers), _BLOCK):
            block = numbers[start : start + _BLOCK]
            vectors = np.asarray(corpus.read(block), dtype=np.float32)
            broken.extend(corpus.doc_ids[n] for n in block[~np.isfinite(vectors).all(axis=1)])
            yield vectors
        if broken:
            raise Mendable(
                f"The vectors of {len(broken)} documents are not finite.",
                problems=broken[:_SHOWN],
                mend="Delete the workspace's embeddings/ and check the encoder's weights.",
            )

    arrays.write_blocks(path, (len(numbers), dim), np.dtype(np.float32), blocks())
