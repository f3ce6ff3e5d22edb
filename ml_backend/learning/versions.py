"""What was learned, on disk: one folder a version, and a pointer to that in use, which is switched last.

    models/PROJECT/current.json          what is in use, what was learned in which order, what was rolled back
    models/PROJECT/VERSION/about.json    calibration, figures, and what it was learned from; no clock time
    models/PROJECT/VERSION/query.npy, item.npy    the adapter, where one was kept

A version is the hash of what it was learned from: the same judgments give the same version, to the byte.
"""

import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np

from label_configs.errors import Mendable, Unreadable
from label_configs.records import digest
from ml_backend.index import arrays
from ml_backend.learning.adapter import Adapter, Singles
from ml_backend.learning.calibration import Calibration, before
from ml_backend.learning.proof import Compared
from store import files

T = TypeVar("T")
BASE = "base"
"""The name of what there is before anybody judged."""
_KEPT = 20
_MOST = 64 * 1024 * 1024


class About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a version was learned from, what of it was kept, and what the proof said.

    lessons: judged pairs; graded: those of them that calibrate; untouched: answers that did not teach. ranking:
    nDCG@10 of queries that were left out, before and after. losses: of their grades, before and after. parameters:
    hash of the numbers that predictions depend on. dims: of the adapter's vectors.
    """

    version: str
    rules_hash: str
    encoders: dict[str, str]
    queries: int
    lessons: int
    graded: int
    untouched: int
    ranking: Compared
    losses: tuple[float, float]
    slope: float
    cuts: tuple[float, ...]
    calibrated: bool
    adapted: bool
    parameters: str


class Pointer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """version: in use. learned: all there are, in the order in which they were learned. withdrawn: rolled back from."""

    version: str = BASE
    learned: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()


@dataclass(frozen=True)
class Learned:
    """One version. adapter: None where the score stays as it is."""

    about: About
    calibration: Calibration
    adapter: Adapter | None


def parameters(calibration: Calibration, adapter: Adapter | None) -> str:
    """Hash of what predictions depend on; empty where they are as if nobody had judged."""
    if calibration == before(len(calibration.cuts) + 1) and adapter is None:
        return ""
    numbers = [sha256(array.tobytes()).hexdigest() for array in (adapter.query, adapter.item)] if adapter else []
    return digest(calibration.slope, calibration.cuts, *numbers)


@dataclass(frozen=True)
class Shelf:
    """The versions of one Label Studio project."""

    folder: Path

    @property
    def pointer_path(self) -> Path:
        """The file that changes whenever another version is in use."""
        return self.folder / "current.json"

    def pointer(self) -> Pointer:
        """What is in use. Raises Unreadable for a file that is none of ours."""
        if not self.pointer_path.exists():
            return Pointer()
        return _decoded(self.pointer_path, Pointer)

    def current(self) -> Learned | None:
        """The version in use; None where there is none. Raises Unreadable where its files are damaged."""
        version = self.pointer().version
        return None if version == BASE else self.load(version)

    def load(self, version: str) -> Learned:
        """One version. Raises Unreadable where it is missing or its files are damaged."""
        place = self._place(version)
        about = _decoded(place / "about.json", About)
        adapter = None
        if about.adapted:
            adapter = Adapter(_array(place / "query.npy"), _array(place / "item.npy"))
        calibration = Calibration(about.slope, about.cuts)
        if parameters(calibration, adapter) != about.parameters or about.version != version:
            raise _damaged(place, "its numbers are not those that were learned")
        return Learned(about, calibration, adapter)

    def put(self, learned: Learned) -> bool:
        """Keep a version and use it from now on; False where it was rolled back from, and is only kept.

        What is older than the last twenty goes.
        """
        version, pointer = learned.about.version, self.pointer()
        place = self._place(version)
        if learned.adapter:
            arrays.write(place / "query.npy", learned.adapter.query)
            arrays.write(place / "item.npy", learned.adapter.item)
        about = msgspec.json.format(msgspec.json.encode(learned.about), indent=1)
        files.write(place / "about.json", about + b"\n")
        used = version not in pointer.withdrawn
        order = (*(one for one in pointer.learned if one != version), version)
        now = Pointer(version if used else pointer.version, order, pointer.withdrawn)
        self._switch(now)
        return used

    def forget(self) -> None:
        """Use nothing that was learned: there is nothing to learn from any more."""
        if self.pointer().version != BASE:
            self._switch(msgspec.structs.replace(self.pointer(), version=BASE))

    def roll_back(self, version: str) -> None:
        """Use an earlier version, or BASE. What came after it is not used again, unless something else is learned."""
        pointer = self.pointer()
        if version not in (BASE, *pointer.learned):
            raise Mendable(
                f"There is no version {version!r} to go back to.",
                mend=f"Take one of: {', '.join((BASE, *pointer.learned))}.",
            )
        if version != BASE:
            self.load(version)
        after = pointer.learned[pointer.learned.index(version) + 1 :] if version != BASE else pointer.learned
        withdrawn = tuple(one for one in dict.fromkeys((*pointer.withdrawn, *after)) if one != version)
        self._switch(Pointer(version, pointer.learned, withdrawn))

    def _switch(self, now: Pointer) -> None:
        kept = now.learned[-_KEPT:]
        kept = kept if now.version in (BASE, *kept) else (now.version, *kept[1:])
        files.write(self.pointer_path, msgspec.json.encode(msgspec.structs.replace(now, learned=kept)) + b"\n")
        self._sweep(kept)

    def _sweep(self, kept: Collection[str]) -> None:
        """Remove every other version, and what was begun by processes that were killed."""
        for place in self.folder.iterdir():
            if place.is_dir() and place.name not in kept:
                shutil.rmtree(place, ignore_errors=True)
        for begun in self.folder.rglob(".*.*"):
            begun.unlink(missing_ok=True)

    def _place(self, version: str) -> Path:
        if not version.isalnum():
            raise _damaged(self.folder, f"{version[:20]!r} is no version")
        return self.folder / version


def holds(learned: Learned, rules_hash: str, encoders: Mapping[str, str]) -> bool:
    """Whether a version holds: it was learned under these rules, from the scores of these encoders."""
    return learned.about.rules_hash == rules_hash and learned.about.encoders == encoders


def _decoded(path: Path, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _damaged(path, str(error)) from error


def _array(path: Path) -> Singles:
    try:
        if path.stat().st_size > _MOST:
            raise ValueError("it is too large")
        found = np.array(arrays.opened(path))
    except (OSError, ValueError, EOFError) as error:
        raise _damaged(path, str(error)) from error
    if found.dtype != np.float32 or found.ndim != 2 or not np.isfinite(found).all():
        raise _damaged(path, "it holds something else than an adapter")
    return found


def _damaged(path: Path, why: str) -> Unreadable:
    return Unreadable(
        f"What was learned cannot be read from {path}: {why}.",
        mend="Run `ls-retrieval learn`, or go back to another version with --roll-back.",
    )
