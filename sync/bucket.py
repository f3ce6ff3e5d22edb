"""Publishing: content-addressed parts, then a manifest, and the switch to it last. A reader never sees half a version.

    parts/<sha256>.<ext>    versions/<version>/manifest.json    latest.json

A part that is there is not written again; a version is named by its manifest's hash, so no change writes nothing.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from label_configs.errors import Mendable, Unreadable

if TYPE_CHECKING:
    from obstore.store import ObjectStore

LATEST = "latest.json"
_RENEW = "Delete latest.json from the bucket, and run sync again."


class Published(NamedTuple):
    """The version that `latest.json` names now, and how many bytes were written for it."""

    version: str
    written: int


def publish(
    bucket: "ObjectStore",
    folder: Path,
    paths: Sequence[Path],
    about: Mapping[str, Any],
    *,
    dry_run: bool = False,
    advance: Callable[[int], None] = lambda done: None,
) -> Published:
    """Publish files below `folder` as one version. about: what the manifest says beside the files."""
    from obstore.exceptions import BaseError

    listing = {str(p.relative_to(folder)): _entry(p) for p in paths}
    manifest = _json({**about, "files": listing})
    version = hashlib.sha256(manifest).hexdigest()[:16]
    written = 0
    try:
        for path, entry in zip(paths, listing.values(), strict=True):
            written += _put(bucket, entry["part"], path, entry["bytes"], dry_run)
            advance(1)
        place = f"versions/{version}/manifest.json"
        written += _put(bucket, place, manifest, len(manifest), dry_run)
        latest = _json({"version": version, "manifest": place})
        if read(bucket, LATEST) != latest:
            written += len(latest)
            if not dry_run:
                bucket.put(LATEST, latest)
    except (BaseError, OSError) as error:
        raise Mendable(
            f"The bucket cannot be written: {error}",
            mend="Mend the cause and run it again: nothing that readers see has changed.",
        ) from error
    return Published(version, written)


def manifest(bucket: "ObjectStore") -> dict[str, Any] | None:
    """The manifest that `latest.json` names, or None for an empty bucket. Raises Unreadable where it is broken."""
    latest = read(bucket, LATEST)
    if latest is None:
        return None
    try:
        found = read(bucket, json.loads(latest)["manifest"])
        if found is None:
            raise Unreadable("The bucket's latest.json names a manifest that is not there.", mend=_RENEW)
        return dict(json.loads(found))
    except (ValueError, KeyError, TypeError) as error:
        raise Unreadable("The bucket's latest.json or its manifest is damaged.", mend=_RENEW) from error


def verify(bucket: "ObjectStore") -> list[str]:
    """Read every part of the latest version again; a sentence for each that is missing or not what it was."""
    problems = []
    for name, entry in ((manifest(bucket) or {}).get("files", {})).items():
        content = read(bucket, entry["part"])
        if content is None:
            problems.append(f"{name}: {entry['part']} is missing")
        elif hashlib.sha256(content).hexdigest() != entry["sha256"]:
            problems.append(f"{name}: {entry['part']} is not what was written")
    return problems


def read(bucket: "ObjectStore", path: str) -> bytes | None:
    """An object's bytes, or None where there is no such object. Raises Mendable where the bucket does not answer."""
    from obstore.exceptions import BaseError

    try:
        return bytes(bucket.get(path).bytes())
    except FileNotFoundError:
        return None
    except (BaseError, OSError) as error:
        raise Mendable(
            f"{path} cannot be read from the bucket: {error}", mend="Check its address, and the credentials."
        ) from error


def _put(bucket: "ObjectStore", place: str, content: Path | bytes, size: int, dry_run: bool) -> int:
    try:
        if bucket.head(place)["size"] == size:
            return 0
    except FileNotFoundError:
        pass
    if not dry_run:
        bucket.put(place, content)
    return size


def _entry(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return {"part": f"parts/{sha256}{path.suffix}", "sha256": sha256, "bytes": path.stat().st_size}


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
