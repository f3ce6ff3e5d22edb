"""Copies of remote media, content-addressed, with a record for every URI. It may be deleted at any time.

    media/cache/<aa>/<sha256>      media/cache/uris/<aa>/<hash of URI>.json

Everything is written whole or not at all, so that any number of processes may use it at once.
"""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from store import files
from store.media.base import Current, Fetched, Stamp, Unreachable, checked

Fetch = Callable[[Stamp], Fetched]
"""Fetches a medium. Raises Current where it is still what the stamp stands for."""


class Record(msgspec.Struct, frozen=True):
    """What was fetched under a URI. checked: when it was last known to be current, seconds since 1970."""

    uri: str
    sha256: str
    stamp: Stamp
    checked: float


class Cache:
    """fresh_for: seconds for which a copy is taken as current without asking."""

    def __init__(self, folder: Path, fresh_for: float) -> None:
        self._folder, self._fresh_for = folder, fresh_for

    def get(self, uri: str, name: str, limit: int, fetch: Fetch) -> bytes:
        """The medium under a URI: the copy while it is fresh or still current, else fetched.

        A copy whose place does not answer is used as it is. Raises Unreadable as `fetch` does.
        """
        record = self._record(uri)
        kept = self._kept(record) if record else None
        if record is None or kept is None:
            return self._keep(uri, fetch(Stamp()))
        checked(name, len(kept), limit)
        if 0 <= time.time() - record.checked < self._fresh_for:
            return kept
        try:
            return self._keep(uri, fetch(record.stamp))
        except Current:
            self._note(uri, record.sha256, record.stamp)
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
        return fetched.content

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
        return content if hashlib.sha256(content).hexdigest() == record.sha256 else None

    def _blob(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256

    def _place(self, uri: str) -> Path:
        name = hashlib.sha256(uri.encode("utf-8", "surrogatepass")).hexdigest()
        return self._folder / "uris" / name[:2] / f"{name}.json"
