"""Corpus and query readers: BEIR's JSONL as it is, with `image`, `audio` and `video` columns beside it."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from label_configs.errors import Unreadable
from label_configs.records import Item, Modality, Query, digest
from store import files

T = TypeVar("T", Item, Query)
_MEDIA: tuple[Modality, ...] = ("image", "audio", "video")
_SHOWN = 20


class _Row(msgspec.Struct):
    id: str | int | None = msgspec.field(default=None, name="_id")
    text: str = ""
    title: str = ""
    image: str = ""
    audio: str = ""
    video: str = ""
    start: float | None = None
    end: float | None = None
    metadata: dict[str, Any] = {}
    positives: list[str | int] = []
    description: str = ""
    narrative: str = ""
    granularity: str = ""
    domain: str = ""
    lang: str = ""


def items(path: Path) -> list[Item]:
    """The corpus. Raises Unreadable that names every bad line."""
    return _read(path, _item, "doc_id", lambda item: item.doc_id)


def queries(path: Path) -> list[Query]:
    """The queries, and after them those that came live. One without an id gets a hash of its content.

    There need be no file: a project can live of queries that are imported in Label Studio alone.
    Raises Unreadable that names every bad line.
    """
    given = _read(path, _query, "query_id", lambda query: query.query_id) if path.exists() else []
    known = {query.query_id for query in given}
    live = [
        q for file in sorted(_live(path).glob("*.json")) for q in _read(file, _query, "query_id", lambda q: q.query_id)
    ]
    return given + [query for query in live if query.query_id not in known]


def add_live(path: Path, query: Query) -> None:
    """Keep a query that somebody imported straight into Label Studio, in a file of its own beside the queries."""
    row = {"_id": query.query_id, query.modality: query.content}
    files.write(_live(path) / f"{digest(query.query_id)}.json", json.dumps(row, ensure_ascii=False) + "\n")


def _live(path: Path) -> Path:
    return path.with_name("queries.live")


def check_positives(path: Path, queries: Iterable[Query], items: Iterable[Item]) -> None:
    """Raise Unreadable that names every positive of the queries in `path` that is no item."""
    there = {item.doc_id for item in items}
    problems = [
        f"query {query.query_id!r}: its positive {doc_id!r} is not in the corpus"
        for query in queries
        for doc_id in query.positives
        if doc_id not in there
    ]
    if problems:
        raise _unusable(path, problems, "Correct these ids, take them out, or add the items to the corpus.")


def missing_media(records: Iterable[Item | Query], root: Path) -> list[str]:
    """Media that a corpus names and the disk does not hold, a sentence each."""
    local = (r for r in records if r.uri and "://" not in r.uri)
    return [f"{_id(r)}: there is no file {r.uri}" for r in local if not (root / r.uri).is_file()]


def _id(record: Item | Query) -> str:
    return record.doc_id if isinstance(record, Item) else record.query_id


def _read(path: Path, make: Callable[[_Row], T], name: str, key: Callable[[T], str]) -> list[T]:
    problems: list[str] = []
    seen: dict[str, int] = {}
    records: list[T] = []
    for number, line in _lines(path):
        try:
            record = make(msgspec.json.decode(line, type=_Row))
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            problems.append(f"line {number}: {error}")
            continue
        first = seen.setdefault(key(record), number)
        if first != number:
            problems.append(f"line {number}: {name} {key(record)!r} stands on line {first} already")
        records.append(record)
    if not records and not problems:
        problems.append("the file is empty")
    if problems:
        raise _unusable(path, problems, "Correct the lines named; nothing was changed.")
    return records


def _unusable(path: Path, problems: list[str], mend: str) -> Unreadable:
    rest = len(problems) - _SHOWN
    shown = problems[:_SHOWN] + ([f"and {rest} more"] if rest > 0 else [])
    count = f"{len(problems)} problem{'s' * (len(problems) > 1)}"
    return Unreadable(f"{path} cannot be used: {count}.", problems=shown, mend=mend)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                bare = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if bare.strip():
                    yield number, bare
    except FileNotFoundError as error:
        raise Unreadable(f"There is no {path}.", mend="One JSON object a line, with _id and text or image.") from error


def _content(row: _Row) -> tuple[Modality, str]:
    found = [(m, getattr(row, m)) for m in _MEDIA if getattr(row, m)]
    if len(found) > 1:
        raise ValueError(f"more than one medium: {', '.join(m for m, _ in found)}")
    return found[0] if found else ("text", "")


def _item(row: _Row) -> Item:
    if row.id is None or not str(row.id).strip():
        raise ValueError("the row has no _id")
    modality, uri = _content(row)
    if modality == "text" and not (row.text.strip() or row.title.strip()):
        raise ValueError(f"item {row.id!r} has neither text nor image, audio or video")
    return Item(
        doc_id=str(row.id),
        modality=modality,
        text=row.text,
        uri=uri,
        start=row.start,
        end=row.end,
        title=row.title,
        metadata=row.metadata,
    )


def _query(row: _Row) -> Query:
    modality, uri = _content(row)
    content = uri or row.text.strip()
    if not content:
        raise ValueError(f"query {row.id!r} is empty" if row.id is not None else "the query is empty")
    given = row.id is not None and str(row.id).strip()
    return Query(
        query_id=str(row.id) if given else bare_query_id(content),
        modality=modality,
        text=row.text.strip(),
        uri=uri,
        start=row.start,
        end=row.end,
        title=row.title,
        description=row.description,
        narrative=row.narrative,
        granularity=row.granularity,
        domain=row.domain,
        lang=row.lang,
        positives=tuple(map(str, row.positives)),
    )


def bare_query_id(content: str) -> str:
    """The id of a query that came without one: a hash of its text or URI."""
    return f"q{digest(content.strip())}"
