"""Taking away versions that nobody needs, and what killed uploads have left."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sync.bucket.layout import PARTS, VERSIONS, Publication, history, history_place, listing, manifest, unreachable
from sync.bucket.publish import GRACE, settle

if TYPE_CHECKING:
    from obstore.store import ObjectStore


class Pruned(NamedTuple):
    """How many versions were taken away, and how many parts and manifests that none of the others names."""

    versions: int
    objects: int
    bytes: int


def prune(bucket: "ObjectStore", keep: int, *, dry_run: bool = False, now: datetime | None = None) -> Pruned:
    """Keep the versions that were published last, `keep` of them; what none of them names goes, once it is older than
    an hour. Killed at any point, it is run again: the history goes first, so that nothing names what is missing.
    """
    published = history(bucket)
    kept = _last(published, keep)
    gone = [one for one in published if one.version not in kept]
    needed = {one.manifest for one in published if one.version in kept}
    for publication in kept.values():
        needed |= {entry["part"] for entry in manifest(bucket, publication)["files"].values()}
    if not dry_run:
        settle(bucket)
        _delete(bucket, [history_place(one.number) for one in gone])
    stale = (now or datetime.now(UTC)) - GRACE
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


def _delete(bucket: "ObjectStore", places: list[str]) -> None:
    from obstore.exceptions import BaseError

    for place in places:
        try:
            bucket.delete(place)
        except FileNotFoundError:
            continue
        except (BaseError, OSError) as error:
            raise unreachable("The bucket cannot be pruned", error) from error


def _sweep_folder(bucket: "ObjectStore", stale: datetime) -> None:
    """A folder keeps the beginnings of parts whose writer was killed, under names that no listing shows."""
    from obstore.store import LocalStore

    if isinstance(bucket, LocalStore) and bucket.prefix is not None:
        for path in Path(bucket.prefix).rglob("*#*"):
            if path.is_file() and datetime.fromtimestamp(path.stat().st_mtime, UTC) < stale:
                path.unlink(missing_ok=True)
