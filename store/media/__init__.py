"""Media of the corpus: read for encoders within limits, shown to annotators under URIs that browsers reach."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from label_configs.errors import Mendable, Unreadable
from label_configs.records import Item, Query
from store import files, places
from store.cells import Cell
from store.corpus.rows import modality
from store.media import kinds, local, pictures, remote
from store.media.pictures import decode
from store.media.remote import Remote
from store.media.shelf import Shelf
from store.settings import Media as MediaSettings

__all__ = ["Clip", "Content", "Media", "decode"]


class Clip(NamedTuple):
    """A stretch of a recording or a film: the bytes of the whole medium, start and end in seconds."""

    medium: bytes
    start: float
    end: float | None


Content = str | bytes | Clip
"""What a model learns from of a record: a text, the bytes of a medium, or a stretch of one."""


@dataclass(frozen=True)
class Media:
    """One reader for all rooms. root: the workspace, from which relative URIs count and which they cannot leave.

    A URI may name a part of a file: `shards/0001.tar#0007.jpg`, `corpus.parquet#image/17`.
    Other URIs, each fetched within limits and kept in a cache: http(s), s3://, gs:// and az:// (members of archives
    too) where `allow` lets them, and Label Studio's own, `/data/upload/…` and `/data/local-files/?d=…`.
    """

    root: Path
    settings: MediaSettings

    def read(self, record: Item | Query) -> bytes:
        """The bytes of a record's medium. Raises Unreadable for what is missing, outside, too large, or not allowed."""
        if places.is_remote(record.uri):
            return self._remote.read(record.uri)
        return local.read(self.root, record.uri, self.settings.max_bytes)

    def content(self, record: Item | Query) -> Content:
        """What a model learns from of a record: its text, title first, or what of its medium counts; see `read`."""
        if record.modality == "text":
            return " ".join(part for part in (record.title, record.text) if part)
        medium = self.read(record)
        whole = record.start is None and record.end is None
        return medium if whole else Clip(medium, record.start or 0.0, record.end)

    def shown(self, record: Item | Query) -> str:
        """The URI under which Label Studio's browser page finds the medium: final, made and put in place by now.

        Pictures are shown as thumbnails, media elsewhere under their own URI, but for members of archives; where
        `serve` is "http" without a `base`, everything is.
        """
        as_it_is = self.settings.serve == "http" and not self.settings.base
        if not record.uri:
            return ""
        if record.modality == "image" and not as_it_is:
            path = self.thumbnail(record)
            return self._shelf.put(str(path.relative_to(self._thumbs)), path.read_bytes())
        if places.is_remote(record.uri) and not remote.archived(record.uri):
            return re.sub("^az://", "azure-blob://", record.uri)
        if as_it_is:
            raise Mendable(
                f"The browser cannot reach {record.uri}.",
                why="[media] serve is 'http' without a base, and this is a path on this machine, or a part of a file.",
                mend="Give http(s) URIs in the corpus, set base, or set serve = 'local-files'.",
            )
        return self._placed(record)

    def thumbnail(self, record: Item | Query) -> Path:
        """A small WebP of a picture, named by the picture's content; made once."""
        content, side = self.read(record), self.settings.thumbnail
        path = self._thumbs / _name(content, f"-{side}.webp")
        if not path.exists():
            files.write(path, pictures.thumbnail(content, record.uri, self.settings.max_pixels, side))
        return path

    def made(self, record: Item | Query) -> list[Path]:
        """The files that this workspace keeps of a record's medium: its thumbnails, and the copy of a remote one."""
        if not record.uri:
            return []
        stem = _name(self.read(record), "-*.webp")
        copies = self._remote.copies(record.uri) if places.is_remote(record.uri) else []
        return [*sorted(self._thumbs.glob(stem)), *copies]

    def missing(self, records: Iterable[Item | Query]) -> list[str]:
        """Media that records name and the workspace does not hold, a sentence each. Nothing is fetched."""
        problems = []
        for record in records:
            if record.uri and not places.is_remote(record.uri):
                try:
                    local.find(self.root, record.uri)
                except Unreadable as error:
                    name = record.doc_id if isinstance(record, Item) else record.query_id
                    problems.append(f"{name}: {error.what}")
        return problems

    def open_shelf(self) -> None:
        """Put a first file where thumbnails go, a note on what lies there. Raises Mendable where it takes none."""
        self._shelf.put("about.txt", b"Pictures and media of annotators' cards, made by ls-retrieval.\n")

    def check_shelf(self) -> None:
        """Raise Mendable where thumbnails go to a bucket that does not answer."""
        self._shelf.check()

    def _placed(self, record: Item | Query) -> str:
        """The URI of a file of the workspace that Label Studio serves where it lies, or that is put on the shelf.

        A row may name any file of the workspace, secrets too: only what is a medium by its suffix is put anywhere; of
        a cell, what is one by how it begins.
        """
        part = None
        if not remote.archived(record.uri):
            path, part = local.find(self.root, record.uri)
            if self.settings.serve == "local-files" and part is None:
                return self._shelf.served(path)
        content, told = self.read(record), "its suffix"
        suffix = PurePosixPath(record.uri).suffix
        if isinstance(part, Cell):
            suffix, told = kinds.suffix(content), "how it begins"
        if modality(f"it{suffix}") is None:
            raise Mendable(f"{record.uri} is not put where browsers get it: by {told} it is no medium.")
        return self._shelf.put(_name(content, suffix), content)

    @property
    def _thumbs(self) -> Path:
        return self.root.resolve() / "media" / "thumbs"

    @cached_property
    def _remote(self) -> Remote:
        return Remote(self.root, self.settings)

    @cached_property
    def _shelf(self) -> Shelf:
        return Shelf(self.root, self.settings)


def _name(content: bytes, ending: str) -> str:
    """A file's name made of its content, in one of 256 folders."""
    name = hashlib.sha256(content).hexdigest()[:32]
    return f"{name[:2]}/{name}{ending}"
