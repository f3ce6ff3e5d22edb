"""Corpus and queries, read from whichever file or folder holds them: one reader a kind.

What is broken in them is named, row by row, and the rest goes on, up to the share of rows that settings allow.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from label_configs.errors import Unreadable
from label_configs.records import Item, Query, digest
from store import files
from store.corpus import export, folder, jsonl, parquet, rows, table, webdataset
from store.corpus.rows import Entries, Row, bare_query_id

__all__ = [
    "FILES",
    "READERS",
    "Read",
    "add_live",
    "bare_query_id",
    "check_positives",
    "find",
    "items",
    "live",
    "queries",
]

T = TypeVar("T", Item, Query)
Reader = Callable[[Path], Entries]
_SHOWN = 20


def _folder(path: Path) -> Entries:
    """Shards, where the folder holds any; else media."""
    return webdataset.read(path) if any(path.glob("*.tar")) else folder.read(path)


FILES: Mapping[str, Reader] = {
    ".jsonl": jsonl.read,
    ".csv": table.read,
    ".tsv": table.read,
    ".parquet": parquet.read,
}
"""What may follow `queries` in a file's name."""
READERS: Mapping[str, Reader] = {**FILES, ".label-studio.json": export.read, "": _folder}
"""What may follow `corpus`; nothing: a folder of media or of shards."""


@dataclass(frozen=True, slots=True)
class Read(Generic[T]):
    """What was read: the records in their order, and a sentence for each row that is broken."""

    records: list[T]
    broken: list[str]


def find(root: Path, name: str, readers: Mapping[str, Reader] = READERS) -> Path:
    """The file or folder of that name in a workspace; where there is none, the JSONL that may come to be.

    Raises Unreadable where there are several.
    """
    paths = (root / f"{name}{suffix}" for suffix in readers)
    found = [path for path in paths if (path.is_dir() if path.name == name else path.is_file())]
    if len(found) > 1:
        raise Unreadable(
            f"{root} has more than one {name}: {', '.join(path.name for path in found)}.",
            mend="Keep one of them there.",
        )
    return found[0] if found else root / f"{name}.jsonl"


def items(path: Path, max_broken: float = 0.0) -> Read[Item]:
    """The corpus. Raises Unreadable that names every broken row, where there are more than that share."""
    return _sound(path, _read(_entries(path), rows.item, "doc_id", lambda item: item.doc_id), max_broken)


def queries(path: Path, max_broken: float = 0.0) -> Read[Query]:
    """The queries, and after them those that came live. One without an id gets a hash of its content.

    There need be no file: a project can live of queries that are imported in Label Studio alone.
    Raises Unreadable that names every broken row, where there are more than that share.
    """
    given: Read[Query] = Read([], [])
    if path.exists():
        given = _sound(path, _queries(_entries(path)), max_broken)
    known = {query.query_id for query in given.records}
    live = [_queries(jsonl.read(file)) for file in sorted(live_folder(path).glob("*.json"))]
    late = [query for read in live for query in read.records if query.query_id not in known]
    return Read(given.records + late, given.broken + [problem for read in live for problem in read.broken])


def add_live(path: Path, query: Query) -> None:
    """Keep a query that somebody imported straight into Label Studio, in a file of its own beside the queries."""
    row = {"_id": query.query_id, query.modality: query.content}
    files.write(live_folder(path) / f"{digest(query.query_id)}.json", json.dumps(row, ensure_ascii=False) + "\n")


def live(path: Path, query_id: str) -> Query | None:
    """The query that was kept under that id by `add_live`, or None."""
    file = live_folder(path) / f"{digest(query_id)}.json"
    kept = _queries(jsonl.read(file)).records if file.exists() else []
    return kept[0] if kept else None


def check_positives(path: Path, queries: Iterable[Query], items: Iterable[Item], max_broken: float = 0.0) -> list[str]:
    """A sentence for each positive of the queries in `path` that is no item.

    Raises Unreadable where more than that share of the positives are none.
    """
    there = {item.doc_id for item in items}
    pairs = [(query.query_id, doc_id) for query in queries for doc_id in query.positives]
    problems = [
        f"query {query_id!r}: its positive {doc_id!r} is not in the corpus"
        for query_id, doc_id in pairs
        if doc_id not in there
    ]
    if len(problems) > max_broken * len(pairs):
        raise _unusable(path, problems, "Correct these ids, take them out, or add the items to the corpus.")
    return problems


def live_folder(path: Path) -> Path:
    """Where the queries lie that came live, beside the others."""
    return path.with_name("queries.live")


def _queries(entries: Entries) -> Read[Query]:
    return _read(entries, rows.query, "query_id", lambda query: query.query_id)


def _entries(path: Path) -> Entries:
    """The rows of a file or folder, by the reader of its kind. Raises Unreadable where there is none."""
    kinds = [suffix for suffix in READERS if path.name.endswith(suffix) and bool(suffix) != path.is_dir()]
    if not path.exists() or not kinds:
        names = ", ".join(f"{path.stem}{suffix}" for suffix in FILES)
        raise Unreadable(
            f"There is no {path}.", mend=f"One JSON object a line, with _id and text or image. Read are also: {names}."
        )
    return READERS[kinds[0]](path)


def _read(entries: Entries, make: Callable[[Row], T], name: str, key: Callable[[T], str]) -> Read[T]:
    """Every row made a record; of two with one id the later is broken."""
    read: Read[T] = Read([], [])
    seen: dict[str, str] = {}
    for where, row in entries:
        record = _made(row, make)
        if isinstance(record, Exception):
            read.broken.append(f"{where}: {record}")
        elif key(record) in seen:
            read.broken.append(f"{where}: {name} {key(record)!r} stands in {seen[key(record)]} already")
        else:
            seen[key(record)] = where
            read.records.append(record)
    return read


def _made(row: Row | Exception, make: Callable[[Row], T]) -> T | Exception:
    try:
        return row if isinstance(row, Exception) else make(row)
    except ValueError as error:
        return error


def _sound(path: Path, read: Read[T], max_broken: float) -> Read[T]:
    """What was read, where no more of it is broken than may be."""
    total = len(read.records) + len(read.broken)
    if not total:
        raise _unusable(path, ["it is empty"], "Put rows into it.")
    if len(read.broken) > max_broken * total or not read.records:
        mend = "Correct the rows named, or raise max_broken under [corpus]; nothing was changed."
        raise _unusable(path, read.broken, mend, f"{len(read.broken)} of {total} rows are broken")
    return read


def _unusable(path: Path, problems: Sequence[str], mend: str, count: str = "") -> Unreadable:
    rest = len(problems) - _SHOWN
    shown = [*problems[:_SHOWN], *([f"and {rest} more"] if rest > 0 else [])]
    count = count or f"{len(problems)} problem{'s' * (len(problems) > 1)}"
    return Unreadable(f"{path} cannot be used: {count}.", problems=shown, mend=mend)
