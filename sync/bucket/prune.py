"""Taking away versions that nobody needs, and what killed uploads have left."""

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sync.bucket.layout import (
    HISTORY,
    PARTS,
    VERSIONS,
    Publication,
    at_once,
    history,
    history_place,
    listing,
    manifest,
    unreachable,
)
from sync.bucket.publish import GRACE, settle

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_BATCH = 1000


class Pruned(NamedTuple):
    """How many versions were taken away, and how many parts and manifests that none of the others names."""

    versions: int
    objects: int
    bytes: int


def prune(bucket: "ObjectStore", keep: int, *, dry_run: bool = False, now: datetime | None = None) -> Pruned:
    """Keep the versions that were published last, `keep` of them, and those that were the latest within the last hour,
    which somebody may be reading; what none of them names goes, once it is older than an hour.

    Killed at any point, it is run again: the history goes first, so that nothing names what is missing.
    """
    stale = (now or datetime.now(UTC)) - GRACE
    published = history(bucket)
    kept = _last(published, keep) | _read_lately(bucket, published, stale)
    gone = [one for one in published if one.version not in kept]
    needed = {one.manifest for one in kept.values()}
    for content in at_once(lambda one: manifest(bucket, one), kept.values()):
        needed |= {entry["part"] for entry in content["files"].values()}
    if not dry_run:
        settle(bucket)
        _delete(bucket, [history_place(one.number) for one in gone])
    spare = {
        str(found["path"]): int(found["size"])
        for prefix in (VERSIONS, PARTS)
        for found in listing(bucket, prefix)
        if found["path"] not in needed and found["last_modified"] < stale
    }
    if not dry_run:
        _delete(bucket, list(spare))
        _sweep_folder(bucket, stale)
    return Pruned(len({one.version for one in gone}), len(spare), sum(spare.values()))


def _last(published: list[Publication], keep: int) -> dict[str, Publication]:
    """Of the versions published last each its last publication, by version."""
    found: dict[str, Publication] = {}
    for one in reversed(published):
        if len(found) < keep:
            found.setdefault(one.version, one)
    return found


def _read_lately(bucket: "ObjectStore", published: list[Publication], stale: datetime) -> dict[str, Publication]:
    """The versions that a follower has replaced since, by version."""
    made = {found["path"]: found["last_modified"] for found in listing(bucket, HISTORY)}
    pairs = pairwise(published)
    return {one.version: one for one, follower in pairs if made.get(history_place(follower.number), stale) > stale}


def _delete(bucket: "ObjectStore", places: list[str]) -> None:
    """Delete objects, as many at once as S3 takes; one that is gone already is as good as deleted."""
    from obstore.exceptions import BaseError

    try:
        for start in range(0, len(places), _BATCH):
            some = places[start : start + _BATCH]
            try:
                bucket.delete(some)
            except FileNotFoundError:
                _delete_each(bucket, some)
    except (BaseError, OSError) as error:
        raise unreachable("The bucket cannot be pruned", error) from error


def _delete_each(bucket: "ObjectStore", places: list[str]) -> None:
    for place in places:
        try:
            bucket.delete(place)
        except FileNotFoundError:
            continue


def _sweep_folder(bucket: "ObjectStore", stale: datetime) -> None:
    """A folder keeps the beginnings of parts whose writer was killed, under names that no listing shows."""
    from obstore.store import LocalStore

    if isinstance(bucket, LocalStore) and bucket.prefix is not None:
        for path in Path(bucket.prefix).rglob("*#*"):
            if path.is_file() and datetime.fromtimestamp(path.stat().st_mtime, UTC) < stale:
                path.unlink(missing_ok=True)
