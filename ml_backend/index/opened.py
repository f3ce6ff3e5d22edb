"""An index in use: opened by memory map, so that several processes share its pages."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np

from label_configs.errors import Mendable
from label_configs.records import ScoredDoc
from ml_backend.encoders.base import Vectors
from ml_backend.index import arrays, ids, kinds, layout, search
from ml_backend.index.exact import Rows
from ml_backend.index.ids import Ids
from ml_backend.index.kinds import Step
from ml_backend.index.search import Segment

_SAMPLE = 4096
_ATTEMPTS = 20


@dataclass(frozen=True, eq=False)
class Index:
    """Items of one corpus as vectors.

    version: hash of fingerprint, documents and their contents, and of what was asked of the index; where it is
    approximate, also of what it was built of. rows: doc_id to position in the corpus. places: by position the row of
    its vector, in the main segment or, counted on, in the fresh one. kept: the positions that are searched, ascending;
    none for all.
    """

    fingerprint: str
    version: str
    rows: Ids
    places: Rows
    main: Segment
    fresh: Segment
    kept: Rows | None = None

    def only(self, doc_ids: Iterable[str]) -> "Index":
        """The index as if it held these of its documents alone; what it does not hold is passed over."""
        found = self.rows.find(list(doc_ids))
        kept = np.unique(found[found >= 0])
        return replace(self, kept=None if len(kept) == len(self.rows) else kept)

    def search(self, queries: Vectors, k: int) -> list[list[ScoredDoc]]:
        """The k nearest documents of each query vector, best first; ties by position in the corpus."""
        positions, scores = self.nearest(queries, k)
        return [
            [ScoredDoc("", doc_id, score) for doc_id, score in zip(self.rows.at(p), s.tolist(), strict=True)]
            for p, s in zip(positions, scores, strict=True)
        ]

    def nearest(self, queries: Vectors, k: int) -> tuple[Rows, Vectors]:
        """The same as arrays: positions in the corpus and scores, each of shape (queries, k or all that there are)."""
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        dim = self.main.vectors.shape[1]
        if queries.shape[1] != dim:
            raise Mendable(
                f"A query of {queries.shape[1]} numbers does not fit an index of {dim}.",
                why="It comes from another model than the index.",
                mend="Run `ls-retrieval index`.",
            )
        if not np.isfinite(queries).all():
            raise Mendable("A query's vector has numbers that are not finite.", mend="Check the encoder's weights.")
        return search.nearest(self._segments, queries, max(k, 0))

    def vectors(self, doc_ids: Sequence[str]) -> Vectors:
        """The documents' vectors, shape (len(doc_ids), dim). Raises KeyError for one that is not there."""
        positions = self.rows.find(doc_ids)
        if (positions < 0).any():
            raise KeyError(doc_ids[int(np.argmax(positions < 0))])
        return self._at(positions)

    def background(self, seed: int = 0) -> Vectors:
        """Up to 4,096 documents' vectors, evenly chosen by a seed: what a similarity is measured against."""
        chosen = np.arange(len(self.rows)) if self.kept is None else self.kept
        if len(chosen) > _SAMPLE:
            chosen = np.sort(np.random.default_rng(seed).choice(chosen, _SAMPLE, replace=False))
        return self._at(chosen)

    def _at(self, positions: Rows) -> Vectors:
        places, whole = self.places[positions], len(self.main.vectors)
        found = np.empty((len(places), self.main.vectors.shape[1]), dtype=np.float32)
        old = places < whole
        found[old], found[~old] = self.main.vectors[places[old]], self.fresh.vectors[places[~old] - whole]
        return found

    @cached_property
    def _segments(self) -> tuple[Segment, Segment]:
        """The segments, with the positions of what is searched alone."""
        positions = positions_of(self.places, self.kept, len(self.main.vectors) + len(self.fresh.vectors))
        whole = len(self.main.vectors)
        return replace(self.main, positions=positions[:whole]), replace(self.fresh, positions=positions[whole:])


def positions_of(places: Rows, kept: Rows | None, rows: int) -> Rows:
    """By row the position in the corpus; -1 for a row that was withdrawn or is not kept."""
    positions = np.full(rows, -1, dtype=np.int64)
    wanted = np.arange(len(places)) if kept is None else kept
    positions[places[wanted]] = wanted
    return positions


def load(folder: Path, name: str, fingerprint: str = "") -> Index:
    """Open the index of an encoder. Raises Mendable where it was never built, or is of another fingerprint.

    Where a build replaces the index in the same moment, what it has put there is opened.
    """
    for _ in range(_ATTEMPTS):
        used = layout.entry(folder, name)
        if fingerprint not in {"", used["fingerprint"]}:
            raise Mendable(
                f"The index of {name!r} is of the model {used['fingerprint']}, not of {fingerprint}.",
                why="Vectors of two models do not compare.",
                mend=layout.mend(folder),
            )
        try:
            return _open(folder, used)
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            missing = error
            if layout.current(folder).get(name) == used:
                break
    raise Mendable(
        f"The index of {name!r} cannot be opened: {missing}.", mend=f"Delete {folder}. {layout.mend(folder)}"
    ) from missing


def _open(folder: Path, used: dict[str, str]) -> Index:
    main = layout.main(folder, used)
    about = layout.read(main)
    vectors, place = arrays.opened(main / "vectors.npy"), main / used["version"]
    known = ids.opened(place)
    approximate = None
    if about.kind in kinds.KINDS:
        approximate = kinds.opened(about.kind, main / "approximate.faiss", Step(about.effort, about.factor), about.at)
    nowhere = np.empty(0, dtype=np.int64)
    return Index(
        used["fingerprint"],
        used["version"],
        known,
        arrays.opened(place / "places.npy"),
        Segment(vectors, nowhere, approximate),
        Segment(arrays.opened(place / "fresh.npy"), nowhere),
    )
