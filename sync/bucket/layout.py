"""Where things lie in a bucket, and how they are read."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, NotRequired, TypedDict, TypeVar

import msgspec

from label_configs.errors import Mendable, Unreadable

if TYPE_CHECKING:
    from obstore.store import ObjectStore

T = TypeVar("T")
R = TypeVar("R")
LATEST = "latest.json"
PARTS, VERSIONS, HISTORY = "parts/", "versions/", "history/"
_ENTRY = re.compile(rf"{HISTORY}\d{{9}}\.json", re.ASCII)
_PART = re.compile(rf"{PARTS}\w+(\.\w+)?")
_AT_ONCE = 16
_LINES = {".jsonl", ".tsv", ".csv", ".txt"}


class Entry(TypedDict):
    """What a manifest says of one file. rows: records of a Parquet file, lines of a text; columns: of Parquet."""

    part: str
    sha256: str
    bytes: int
    rows: NotRequired[int]
    columns: NotRequired[dict[str, str]]


class Publication(NamedTuple):
    """One entry of the history. number counts from 1; 0 stands for a bucket without any.

    state: what the version was made as of, as `--as-of` takes it.
    """

    number: int
    version: str
    manifest: str
    state: Mapping[str, str]


class _Told(msgspec.Struct):
    """A publication as it lies in the bucket."""

    number: Annotated[int, msgspec.Meta(ge=1, lt=10**9)]
    version: str
    manifest: str
    state: dict[str, str]


NOTHING = Publication(0, "", "", {})


def entry(path: Path) -> Entry:
    """Describe a file."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    found = Entry(part=f"{PARTS}{sha256}{path.suffix}", sha256=sha256, bytes=path.stat().st_size)
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        opened = pq.read_metadata(path)
        schema = opened.schema.to_arrow_schema()
        found["rows"], found["columns"] = opened.num_rows, {field.name: str(field.type) for field in schema}
    elif path.suffix in _LINES:
        with path.open("rb") as file:
            found["rows"] = sum(1 for _ in file)
    return found


def manifest_place(version: str) -> str:
    """Where the manifest of a version lies."""
    return f"{VERSIONS}{version}/manifest.json"


def history_place(number: int) -> str:
    """Where the entry of the history with that number lies."""
    return f"{HISTORY}{number:09d}.json"


def is_version(text: str) -> bool:
    """Whether a text is such as names a version."""
    return re.fullmatch("[0-9a-f]{16}", text) is not None


def encode(value: object) -> bytes:
    """JSON that is the same for the same value."""
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def latest(publication: Publication) -> bytes:
    """What latest.json says of a publication."""
    return encode(publication._asdict())


def read(bucket: "ObjectStore", place: str) -> bytes | None:
    """An object's bytes, or None where there is no such object. Raises Mendable where the bucket does not answer."""
    from obstore.exceptions import BaseError

    try:
        return bytes(bucket.get(place).bytes())
    except (FileNotFoundError, ValueError):  # or no name that an object could have
        return None
    except (BaseError, OSError) as error:
        raise unreachable(f"{place} cannot be read from the bucket", error) from error


def unreachable(what: str, error: Exception) -> Mendable:
    """A bucket that answers with an error, or not at all."""
    from store.buckets import brief

    said = brief(error)
    mend = next((how for sign, how in _MENDS.items() if sign in said), "Check its address and the credentials.")
    return Mendable(f"{what}: {said}", mend=f"{mend} Then run it again.")


_MENDS = {
    "404 Not Found": "Make the bucket, or correct its name.",
    "builder error": "For an endpoint without TLS: export AWS_ALLOW_HTTP=true.",
    "//169.254.169.254/": "Give credentials: export AWS_ACCESS_KEY_ID=… and AWS_SECRET_ACCESS_KEY=…",
}
"""What is wrong by a sign of it in the storage library's words."""


def listing(bucket: "ObjectStore", prefix: str) -> Iterator[Mapping[str, Any]]:
    """What lies below a prefix: `path`, `size`, `last_modified` of each object, in no order."""
    from obstore.exceptions import BaseError

    try:
        for batch in bucket.list(prefix):
            yield from batch
    except (BaseError, OSError) as error:
        raise unreachable(f"{prefix} cannot be listed in the bucket", error) from error


def at_once(ask: Callable[[T], R], asked: Iterable[T]) -> list[R]:
    """What is asked of a bucket again and again, several at a time, in the order given."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(ask, asked))


def recorded(bucket: "ObjectStore") -> list[Publication | Unreadable]:
    """The entries of the history, oldest first, and in place of damaged ones what is wrong with them."""

    def one(place: str) -> Publication | Unreadable | None:
        content = read(bucket, place)
        try:
            return None if content is None else _publication(content, place)
        except Unreadable as error:
            return error

    return [found for found in at_once(one, _entries(bucket)) if found is not None]


def history(bucket: "ObjectStore") -> list[Publication]:
    """The history, oldest first. Raises Unreadable that names all damaged entries."""
    found = recorded(bucket)
    damaged = [one.what for one in found if isinstance(one, Unreadable)]
    if damaged:
        raise Unreadable("The bucket's history is damaged.", problems=damaged, mend="Delete these, and run sync again.")
    return [one for one in found if isinstance(one, Publication)]


def newest(bucket: "ObjectStore") -> Publication:
    """The last of the history: found from latest.json upwards, for it may lag behind; by listing where it is gone."""
    try:
        number = current(bucket).number
    except Unreadable:
        number = 0
    found = _entry(bucket, number) or _last(bucket)
    while following := _entry(bucket, found.number + 1):
        found = following
    return found


def current(bucket: "ObjectStore") -> Publication:
    """What latest.json names: what readers see. Raises Unreadable where it is damaged."""
    found = read(bucket, LATEST)
    return NOTHING if found is None else _publication(found, LATEST)


def manifest(bucket: "ObjectStore", publication: Publication) -> dict[str, Any]:
    """The manifest of a publication; empty for NOTHING. Raises Unreadable where it is missing or damaged."""
    if not publication.number:
        return {}
    found = read(bucket, publication.manifest)
    mend = (
        f"Run sync, with --as-of {publication.version} if that is an earlier version: it is written anew. "
        f"Or delete what names it below {HISTORY}: the version is gone then."
    )
    if found is None:
        raise Unreadable(f"The bucket lacks {publication.manifest}.", mend=mend)
    if hashlib.sha256(found).hexdigest()[:16] != publication.version:
        raise Unreadable(f"{publication.manifest} in the bucket is not what was written.", mend=mend)
    try:
        told = msgspec.json.decode(found, type=dict[str, Any])
        named = msgspec.convert(told["files"], dict[str, Entry])
        if odd := [one["part"] for one in named.values() if not _PART.fullmatch(one["part"])]:
            raise ValueError(f"{odd[0]} is no part")
    except (msgspec.MsgspecError, KeyError, ValueError, RecursionError) as error:
        raise Unreadable(f"{publication.manifest} in the bucket is no manifest.", mend=mend) from error
    return told


def _entries(bucket: "ObjectStore") -> list[str]:
    """Where the entries of the history lie, oldest first."""
    found = (str(one["path"]) for one in listing(bucket, HISTORY))
    return sorted(place for place in found if _ENTRY.fullmatch(place))


def _last(bucket: "ObjectStore") -> Publication:
    places = _entries(bucket)
    found = read(bucket, places[-1]) if places else None
    return NOTHING if found is None else _publication(found, places[-1])


def _entry(bucket: "ObjectStore", number: int) -> Publication | None:
    place = history_place(number)
    found = read(bucket, place)
    return None if found is None else _publication(found, place)


def _publication(content: bytes, place: str) -> Publication:
    try:
        found = msgspec.json.decode(content, type=_Told)
        if not is_version(found.version) or found.manifest != manifest_place(found.version):
            raise ValueError("it names no manifest")
        return Publication(found.number, found.version, found.manifest, found.state)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Unreadable(f"{place} in the bucket is damaged.", mend=f"Delete {place}, and run sync again.") from error
