"""Reading everything again: whether a bucket still holds what was published into it."""

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from label_configs.errors import Unreadable
from sync.bucket.layout import (
    LATEST,
    PARTS,
    VERSIONS,
    Publication,
    history,
    latest,
    listing,
    manifest,
    read,
    unreachable,
)

if TYPE_CHECKING:
    from obstore.store import ObjectStore


class Checked(NamedTuple):
    """What was read: versions, parts and their bytes; orphans, which no version names; and what is wrong."""

    versions: int
    parts: int
    bytes: int
    orphans: list[str]
    problems: list[str]


def verify(bucket: "ObjectStore") -> Checked:
    """Read every part of every version again, each once, and compare the hashes. Memory does not grow with them."""
    published = history(bucket)
    problems = _latest(bucket, published)
    named, sizes = dict[str, list[str]](), dict[str, tuple[int, str]]()
    places = dict.fromkeys(publication.manifest for publication in published)
    for publication in {one.version: one for one in published}.values():
        try:
            files = manifest(bucket, publication)["files"]
        except Unreadable as error:
            problems.append(error.what)
            continue
        for name, entry in files.items():
            named.setdefault(entry["part"], []).append(name)
            sizes[entry["part"]] = entry["bytes"], entry["sha256"]
    total = 0
    for part, (size, sha256) in sizes.items():
        total += size
        if wrong := _compare(bucket, part, sha256):
            problems.append(f"{', '.join(dict.fromkeys(named[part]))}: {part} {wrong}")
    there = [str(found["path"]) for prefix in (PARTS, VERSIONS) for found in listing(bucket, prefix)]
    orphans = sorted(place for place in there if place not in sizes and place not in places)
    return Checked(len({one.version for one in published}), len(sizes), total, orphans, problems)


def _latest(bucket: "ObjectStore", published: list[Publication]) -> list[str]:
    found = read(bucket, LATEST)
    if found != (latest(published[-1]) if published else None):
        return [f"{LATEST} does not name what was published last: run sync again"]
    return []


def _compare(bucket: "ObjectStore", part: str, sha256: str) -> str:
    from obstore.exceptions import BaseError

    seen = hashlib.sha256()
    try:
        for chunk in bucket.get(part).stream():
            seen.update(chunk)
    except FileNotFoundError:
        return "is missing"
    except (BaseError, OSError) as error:
        raise unreachable(f"{part} cannot be read from the bucket", error) from error
    return "" if seen.hexdigest() == sha256 else "is not what was written"
