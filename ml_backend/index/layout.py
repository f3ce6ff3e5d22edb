"""Where the indexes of a workspace lie, and which are in use.

    index/current.json                  encoder name to what is in use: written last
    index/FINGERPRINT/MAIN/             vectors.npy, keys.npy, about.json, and approximate.faiss where there is one
    index/FINGERPRINT/MAIN/VERSION/     what is searched of it, and what is new: places.npy, fresh.npy, ids.*.npy

A folder is complete once current.json names it; any other was left by a build that was interrupted or replaced.
"""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from label_configs.errors import Mendable
from store import files

CURRENT = "current.json"
_ENTRY = {"fingerprint", "main", "version"}
_NAME = re.compile(r"[\w-]{1,100}")


class Measured(msgspec.Struct, frozen=True):
    """What was measured of some test queries. recall: share of the nearest that were found. ms: for one query."""

    queries: str
    count: int
    recall: float
    ms: float

    def __str__(self) -> str:
        return f"{self.recall:.3f} of {self.count} {self.queries} ({self.ms:.2f} ms each)"


class About(msgspec.Struct, frozen=True):
    """What a main segment is, and how well it finds.

    wish: what was asked of it. tried: kinds that did not reach the recall that was wanted.
    """

    wish: str
    kind: str
    items: int
    at: int
    effort: int = 0
    factor: int = 0
    seconds: float = 0.0
    tested: list[Measured] = []
    tried: list[str] = []

    def __str__(self) -> str:
        return "; ".join([self.kind, *self._measured(), *(f"not reached by {one}" for one in self.tried)])

    def _measured(self) -> Iterator[str]:
        yield from (f"recall@{self.at} {one}" for one in self.tested)
        yield f"built in {self.seconds:.1f} s"


def current(folder: Path) -> dict[str, dict[str, str]]:
    """Encoder name to fingerprint, main segment and version of the index in use; what is not so laid out is none.

    Raises Unreadable where the file is damaged.
    """
    path = folder / CURRENT
    read = files.read_json(path, dict[str, Any], f"Delete it. {mend(folder)}") if path.exists() else {}
    return {name: entry for name, entry in read.items() if _is_entry(entry)}


def _is_entry(found: object) -> bool:
    """Whether it names folders, and each by a name that leads nowhere else."""
    return isinstance(found, dict) and set(found) == _ENTRY and all(map(_is_name, found.values()))


def _is_name(found: object) -> bool:
    return isinstance(found, str) and _NAME.fullmatch(found) is not None


def entry(folder: Path, name: str) -> dict[str, str]:
    """What is in use of an encoder; Mendable where its index was never built."""
    now = current(folder)
    if name not in now:
        raise Mendable(f"The encoder {name!r} has no index.", mend=mend(folder))
    return now[name]


def about(folder: Path, name: str) -> About:
    """What the index of an encoder is, and how well it finds. Raises Mendable where it was never built."""
    return read(main(folder, entry(folder, name)))


def read(place: Path) -> About:
    """What the main segment in a folder says of itself."""
    return msgspec.json.decode((place / "about.json").read_bytes(), type=About)


def mend(folder: Path) -> str:
    """What to do about an index that cannot be used."""
    return f"Run `ls-retrieval index --workspace {folder.parent}`."


def main(folder: Path, used: Mapping[str, str]) -> Path:
    """The folder of a main segment."""
    return folder / used["fingerprint"] / used["main"]


def switch(folder: Path, name: str, used: dict[str, str]) -> None:
    """From now on this is what the encoder's index is."""
    now = {**current(folder), name: used}
    files.write(folder / CURRENT, json.dumps(now, indent=1, sort_keys=True) + "\n")


def leftovers(folder: Path) -> list[Path]:
    """Folders that no entry uses, and what an interrupted switch left."""
    entries = current(folder).values()
    mains = {main(folder, one) for one in entries}
    needed = {*mains, *(path.parent for path in mains), *(main(folder, one) / one["version"] for one in entries)}
    inside = [place for place in (folder, *{path.parent for path in mains}, *mains) if place.exists()]
    unused = [path for place in inside for path in place.iterdir() if path.is_dir() and path not in needed]
    return sorted([*unused, *folder.glob(f".{CURRENT}.*")])


def sweep(folder: Path) -> None:
    """Delete what is left over; who has it open keeps it until it is closed."""
    for path in leftovers(folder):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
