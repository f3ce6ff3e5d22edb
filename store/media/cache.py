"""Copies of remote media, with a record for every URI. It may be deleted at any time.

    media/cache/<aa>/<sha256>      media/cache/uris/<aa>/<hash of URI>.json

A medium is named by its content, an archive by its URI and version. Everything is written whole or not at all, and what
is used bears the time of it, so that any number of processes may read, write and trim at once.
"""

import hashlib
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from store import files
from store.media import trim
from store.media.base import Arriving, Current, Fetched, Stamp, Unreachable, checked

T = TypeVar("T")
Fetch = Callable[[Stamp], Fetched]
"""Fetches a medium. Raises Current where it is still what the stamp stands for."""
FetchArchive = Callable[[Stamp], Arriving]
"""The same for what is too large to be held."""
_LOOKS = 20
"""How often the whole cache is looked through while as much arrives as it may hold."""


class Record(msgspec.Struct, frozen=True):
    """What was fetched under a URI. checked: when it was last known to be current, seconds since 1970."""

    uri: str
    sha256: str
    stamp: Stamp
    checked: float


class Cache:
    """fresh_for: seconds for which a copy is taken as current without asking. most: bytes of all copies together."""

    def __init__(self, folder: Path, fresh_for: float, most: int) -> None:
        self._folder, self._fresh_for, self._most = folder, fresh_for, most
        self._arrived = most

    def get(self, uri: str, name: str, limit: int, fetch: Fetch) -> bytes:
        """The medium under a URI: the copy while it is fresh or still current, else fetched.

        A copy whose place does not answer is used as it is. Raises Unreadable as `fetch` does.
        """
        record = self._record(uri)
        kept = self._kept(record) if record else None
        if record is None or kept is None:
            return self._keep(uri, fetch(Stamp()))
        checked(name, len(kept), limit)
        return self._renewed(record, kept, lambda stamp: self._keep(uri, fetch(stamp)))

    def archive(self, uri: str, fetch: FetchArchive) -> Path:
        """Where the copy of an archive lies; otherwise as `get`. It is not deleted while it is in use."""
        record = self._record(uri)
        kept = self._blob(record.sha256) if record else None
        if record is None or kept is None or not kept.is_file():
            return self._pour(uri, fetch(Stamp()))
        self._use(record)
        return self._renewed(record, kept, lambda stamp: self._pour(uri, fetch(stamp)))

    def _renewed(self, record: Record, kept: T, fetch: Callable[[Stamp], T]) -> T:
        """The copy that is kept while it is fresh, still current, or its place does not answer; else another."""
        if 0 <= time.time() - record.checked < self._fresh_for:
            return kept
        try:
            return fetch(record.stamp)
        except Current:
            self._note(record.uri, record.sha256, record.stamp)
        except Unreachable:
            pass
        return kept

    def files(self, uri: str) -> list[Path]:
        """What is kept under a URI: the record, and the copy that it names."""
        record = self._record(uri)
        return [path for path in (self._place(uri), self._blob(record.sha256)) if path.exists()] if record else []

    def _keep(self, uri: str, fetched: Fetched) -> bytes:
        sha256 = hashlib.sha256(fetched.content).hexdigest()
        files.write(self._blob(sha256), fetched.content)
        self._note(uri, sha256, fetched.stamp)
        self._trim(len(fetched.content))
        return fetched.content

    def _pour(self, uri: str, arriving: Arriving) -> Path:
        sha256 = hashlib.sha256(f"{uri}\0{arriving.stamp.etag}".encode("utf-8", "surrogatepass")).hexdigest()
        path = self._blob(sha256)
        with files.replacing(path) as temporary, temporary.open("wb") as file:
            for piece in arriving.pieces:
                file.write(piece)
        self._note(uri, sha256, arriving.stamp)
        self._trim(path.stat().st_size)
        return path

    def _note(self, uri: str, sha256: str, stamp: Stamp) -> None:
        files.write(self._place(uri), msgspec.json.encode(Record(uri, sha256, stamp, time.time())))

    def _record(self, uri: str) -> Record | None:
        try:
            return msgspec.json.decode(self._place(uri).read_bytes(), type=Record)
        except (OSError, msgspec.MsgspecError):
            return None

    def _kept(self, record: Record) -> bytes | None:
        """The copy, if it is whole."""
        try:
            content = self._blob(record.sha256).read_bytes()
        except OSError:
            return None
        if hashlib.sha256(content).hexdigest() != record.sha256:
            return None
        self._use(record)
        return content

    def _use(self, record: Record) -> None:
        """Set the time of the last use, which not every file system does, of the copy and its record."""
        for path in (self._blob(record.sha256), self._place(record.uri)):
            with suppress(OSError):
                os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))

    def _trim(self, arrived: int) -> None:
        """Keep the copies within their limit; looked at when the first arrives, and after every twentieth of it."""
        self._arrived += arrived
        if self._arrived * _LOOKS >= self._most:
            self._arrived = 0
            trim.trim(self._folder, self._most)

    def _blob(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256

    def _place(self, uri: str) -> Path:
        name = hashlib.sha256(uri.encode("utf-8", "surrogatepass")).hexdigest()
        return self._folder / "uris" / name[:2] / f"{name}.json"
