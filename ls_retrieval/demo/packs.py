"""The packs of pictures that the demo can be built on: a new pack is one module and its lines here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from ls_retrieval.demo import openmoji, stamps
from ls_retrieval.demo.pictures import Picture, Track

__all__ = ["ATTRIBUTION", "LICENCE", "PACKS", "Pack", "Picture", "Track", "default_pack"]


class Pack(Protocol):
    """Brings a pack's pictures into a workspace."""

    def __call__(self, cache: Path, workspace: Path, track: Track, /, *, limit: int | None = None) -> list[Picture]:
        """Fetch what must be fetched into `cache`, render into `workspace`; at most `limit` pictures."""
        ...


PACKS: Mapping[str, Pack] = {"stamps": stamps.pictures, "openmoji": openmoji.pictures}
LICENCE: Mapping[str, str] = {"stamps": stamps.LICENCE, "openmoji": openmoji.LICENCE}
ATTRIBUTION: Mapping[str, str] = {"stamps": stamps.ATTRIBUTION, "openmoji": openmoji.ATTRIBUTION}


def default_pack() -> str:
    """The photographs of `stamps` where Debian's tools can fetch them, else `openmoji`."""
    return "stamps" if stamps.available() else "openmoji"
