"""Publishing a version: parts, manifest, an entry of the history, and latest.json last.

Two writers at once: of an entry of the history only one can be made (`If-None-Match`; what was written is read back,
for servers that do not know it). Whoever comes second is told so, and latest.json is written until it names the last
entry, so that a writer who was held up cannot leave it behind.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from label_configs.errors import Mendable, Unreadable
from sync.bucket.layout import (
    LATEST,
    PARTS,
    Entry,
    Publication,
    encode,
    entry,
    history_place,
    latest,
    listing,
    manifest,
    manifest_place,
    newest,
    read,
    unreachable,
)

if TYPE_CHECKING:
    from obstore.store import ObjectStore

GRACE = timedelta(hours=1)
"""A part that no version names is spared for so long: it may belong to one that is being published."""
_TRIES = 10
_FILES, _PIECES = 6, 12
"""Files that go up at once, and pieces of them, of five megabytes each: memory does not grow with what is published."""


class Difference(NamedTuple):
    """The names of files that a version adds, changes and no longer has, beside the one before."""

    added: list[str]
    changed: list[str]
    removed: list[str]


class Published(NamedTuple):
    """The version that `latest.json` names now, how many bytes were written for it, and what it changed."""

    version: str
    written: int
    difference: Difference


def publish(
    bucket: "ObjectStore",
    files: Mapping[str, Path],
    about: Mapping[str, Any],
    state: Mapping[str, str],
    *,
    dry_run: bool = False,
    advance: Callable[[int], None] = lambda done: None,
) -> Published:
    """Publish files, by their names in the version. about: what the manifest says beside the files;
    state: what the history says of where they come from.

    Killed at any point, it is run again; readers see the version before, or this one. Raises Mendable where another
    writer publishes at the same time.
    """
    entries = {name: entry(path) for name, path in sorted(files.items())}
    described = encode({**about, "files": entries})
    version = hashlib.sha256(described).hexdigest()[:16]
    parts = {one["part"]: files[name] for name, one in entries.items()}
    with _explained():
        last = newest(bucket)
        known = _files(bucket, last)
        again = last.version == version
        fresh = last if again else Publication(last.number + 1, version, manifest_place(version), state)
        lacking = _lacking(bucket, parts, {one["part"] for one in known.values()})
        unsaid = _lacks_manifest(bucket, fresh.manifest, described, again)
        written = sum(parts[part].stat().st_size for part in lacking)
        written += unsaid * len(described) + (not again) * len(latest(fresh))
        if dry_run:
            written += len(latest(fresh)) if read(bucket, LATEST) != latest(fresh) else 0
            return Published(version, written, _difference(known, entries))
        advance(len(parts) - len(lacking))
        _upload(bucket, {part: parts[part] for part in lacking}, advance)
        if unsaid:
            bucket.put(fresh.manifest, described)
        if not again:
            _restore(bucket, parts)
            _record(bucket, fresh)
            _restore(bucket, parts)
        written += settle(bucket)
    return Published(version, written, _difference(known, entries))


def settle(bucket: "ObjectStore") -> int:
    """Let latest.json name the last entry of the history, whoever else writes it; returns the bytes written."""
    written = 0
    for _ in range(_TRIES):
        wanted = latest(newest(bucket))
        if read(bucket, LATEST) == wanted:
            return written
        bucket.put(LATEST, wanted)
        written += len(wanted)
    raise Mendable("latest.json is written by others all the time.", mend="Let one sync at a time use the bucket.")


def _files(bucket: "ObjectStore", last: Publication) -> dict[str, Entry]:
    """The files of the last publication; none where its manifest is lost, so that everything is written anew."""
    try:
        return dict(manifest(bucket, last).get("files", {}))
    except Unreadable:
        return {}


def _lacking(bucket: "ObjectStore", parts: Mapping[str, Path], named: set[str]) -> list[str]:
    """The parts to write: those that are not there, and old ones that the last version does not name, which may be
    about to be swept. One listing tells, however many there are."""
    kept = {
        str(found["path"])
        for found in listing(bucket, PARTS)
        if found["path"] in parts
        and found["size"] == parts[str(found["path"])].stat().st_size
        and (found["path"] in named or _young(found))
    }
    return [part for part in parts if part not in kept]


def _lacks_manifest(bucket: "ObjectStore", place: str, described: bytes, again: bool) -> bool:
    """Whether the manifest is to be written: an old one of an earlier version may be about to be swept as well."""
    if read(bucket, place) != described:
        return True
    return not again and not any(_young(found) for found in listing(bucket, place.rpartition("/")[0]))


def _young(found: Mapping[str, Any]) -> bool:
    return bool(datetime.now(UTC) - found["last_modified"] < GRACE / 2)


def _upload(
    bucket: "ObjectStore", parts: Mapping[str, Path], advance: Callable[[int], None] = lambda done: None
) -> None:
    """Write parts, some at once; where one fails, those that have not begun are not begun."""
    together = max(1, min(_FILES, len(parts)))
    with ThreadPoolExecutor(together) as pool:
        pieces = _PIECES // together
        begun = [pool.submit(bucket.put, part, path, max_concurrency=pieces) for part, path in parts.items()]
        try:
            for done in as_completed(begun):
                done.result()
                advance(1)
        finally:
            pool.shutdown(cancel_futures=True)


def _restore(bucket: "ObjectStore", parts: Mapping[str, Path]) -> None:
    """Write once more what somebody swept while the others were written: from now on the manifest names them."""
    there = {str(found["path"]) for found in listing(bucket, PARTS)}
    _upload(bucket, {part: path for part, path in parts.items() if part not in there})


def _record(bucket: "ObjectStore", publication: Publication) -> None:
    """Add to the history. A request that was repeated finds its own entry, which is as good as made."""
    from obstore.exceptions import AlreadyExistsError

    place, content = history_place(publication.number), latest(publication)
    with suppress(AlreadyExistsError):
        bucket.put(place, content, mode="create")
    if read(bucket, place) != content:
        raise Mendable("Another sync has just published into the bucket.", mend="Run it again.")


def _difference(before: Mapping[str, Entry], after: Mapping[str, Entry]) -> Difference:
    both = before.keys() & after.keys()
    return Difference(
        sorted(after.keys() - both),
        sorted(name for name in both if before[name]["sha256"] != after[name]["sha256"]),
        sorted(before.keys() - both),
    )


@contextmanager
def _explained() -> Iterator[None]:
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, OSError) as error:
        raise unreachable("The bucket cannot be written; what readers see has not changed", error) from error
