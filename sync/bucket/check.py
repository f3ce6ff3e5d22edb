"""Reading everything again: whether a bucket still holds what was published into it."""

import hashlib
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from label_configs.errors import Unreadable
from sync.bucket.layout import (
    LATEST,
    PARTS,
    VERSIONS,
    Entry,
    Publication,
    at_once,
    latest,
    listing,
    manifest,
    read,
    recorded,
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
    """Read every part of every version again, each once, and compare the hashes. Memory does not grow with the bytes.

    What a version lacks that was taken away meanwhile is no damage.
    """
    found = recorded(bucket)
    published = [one for one in found if isinstance(one, Publication)]
    problems = [one.what for one in found if isinstance(one, Unreadable)] + _latest(bucket, published)
    versions = list({one.version: one for one in published}.values())
    named, wrong = dict[str, _Part](), list[tuple[str, str]]()
    for publication, files in zip(versions, at_once(partial(_files, bucket), versions), strict=True):
        if isinstance(files, Unreadable):
            wrong.append((publication.version, files.what))
            continue
        for name, entry in files.items():
            part = named.setdefault(entry["part"], _Part(entry["bytes"], entry["sha256"], {}))
            part.names[name] = publication.version
    compared = at_once(lambda place: _compare(bucket, place, named[place].sha256), named)
    for (place, part), said in zip(named.items(), compared, strict=True):
        if said:
            (*_, version) = part.names.values()
            earlier = "" if version == published[-1].version else f" (version {version})"
            wrong.append((version, f"{', '.join(part.names)}: {place} {said}{earlier}"))
    there = {one.version for one in recorded(bucket) if isinstance(one, Publication)} if wrong else set()
    problems += [sentence for version, sentence in wrong if version in there]
    known = {*named, *(publication.manifest for publication in published)}
    orphans = sorted({str(one["path"]) for prefix in (PARTS, VERSIONS) for one in listing(bucket, prefix)} - known)
    return Checked(len(versions), len(named), sum(part.bytes for part in named.values()), orphans, problems)


class _Part(NamedTuple):
    """What a part should be; names: of the files that it is, each with the last version in which it is that."""

    bytes: int
    sha256: str
    names: dict[str, str]


def _files(bucket: "ObjectStore", publication: Publication) -> Mapping[str, Entry] | Unreadable:
    try:
        return dict(manifest(bucket, publication)["files"])
    except Unreadable as error:
        return error


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
    except (FileNotFoundError, ValueError):  # or no name that an object could have
        return "is missing"
    except (BaseError, OSError) as error:
        raise unreachable(f"{part} cannot be read from the bucket", error) from error
    return "" if seen.hexdigest() == sha256 else "is not what was written"
