"""Triplets and pairs: their positives alone, since nobody can tell whether a negative was judged.

JSON lines, CSV, TSV or Parquet with the columns `query_id` and `positive_id`, or with the texts themselves as `anchor`
or `query`, and `positive`: they are looked up among the queries and the corpus. Where `NAME.ids.jsonl` stands beside
`NAME.parquet`, as this tool writes them, it is read instead.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from label_configs.errors import Unreadable, quoted
from label_configs.records import Item, Query
from store.corpus import jsonl
from store.taking.rows import Entries, Row

_COLUMNS = ("query_id", "positive_id", "anchor", "query", "positive")
_IDS = ".ids.jsonl"
_CREDITS = "ATTRIBUTION.tsv"
"""Beside the rows of a data set of ours: whose its media are."""


def read(path: Path, queries: Mapping[str, Query], items: Mapping[str, Item]) -> Entries:
    """The rows of a file, or of all files of a folder. Raises Unreadable where there is none that can be read."""
    texts = _Texts(queries, items)
    for file in _files(path):
        for number, values in enumerate(_READERS[file.suffix](file), 1):
            try:
                yield f"{file.name}, row {number}", values if isinstance(values, Exception) else texts.row(values)
            except ValueError as error:
                yield f"{file.name}, row {number}", error


class _Texts:
    """Queries and items by what they say."""

    def __init__(self, queries: Mapping[str, Query], items: Mapping[str, Item]) -> None:
        self._query_of, self._item_of = queries, items

    def row(self, values: Mapping[str, Any]) -> Row:
        """The ids that a row names or whose texts it holds. Raises ValueError where there are none."""
        ids = values.get("query_id"), values.get("positive_id")
        if all(isinstance(name, str | int) for name in ids):
            return Row(str(ids[0]), str(ids[1]), None)
        query, positive = values.get("anchor") or values.get("query"), values.get("positive")
        if not isinstance(query, str) or not isinstance(positive, str):
            raise ValueError("it has neither query_id and positive_id, nor the texts anchor and positive")
        return Row(_find(self._queries, query, "query"), _find(self._items, positive, "item"), None)

    @cached_property
    def _queries(self) -> dict[str, str]:
        return {_plain(query.text): query_id for query_id, query in sorted(self._query_of.items(), reverse=True)}

    @cached_property
    def _items(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for doc_id, item in sorted(self._item_of.items(), reverse=True):
            found |= {_plain(item.text): doc_id, _plain(f"{item.title} {item.text}"): doc_id}
        return found


def _find(ids: Mapping[str, str], text: str, name: str) -> str:
    if not (plain := _plain(text)) or plain not in ids:
        raise ValueError(f"there is no {name} with the text {quoted(text)}")
    return ids[plain]


def _plain(text: str) -> str:
    return " ".join(text.split())


def _files(path: Path) -> list[Path]:
    beside = path.with_name(f"{path.stem}{_IDS}")
    there = sorted(path.iterdir()) if path.is_dir() else [path, *([beside] if beside.exists() else [])]
    named = {file.name.removesuffix(_IDS) for file in there if file.name.endswith(_IDS)}
    rows = [f for f in there if f.suffix in _READERS and f.name != _CREDITS]
    found = [f for f in rows if f.name.endswith(_IDS) or f.stem not in named]
    if not found:
        raise Unreadable(f"{path} holds no triplets.", mend=f"Give a file or a folder of {', '.join(_READERS)}.")
    return found


def _json(path: Path) -> Iterator[Mapping[str, Any] | Exception]:
    for _, line in jsonl.lines(path):
        try:
            values = json.loads(line)
            yield values if isinstance(values, dict) else ValueError("it is no JSON object")
        except (ValueError, RecursionError) as error:
            yield error


def _table(path: Path) -> Iterator[Mapping[str, Any] | Exception]:
    delimiter = "\t" if path.suffix == ".tsv" else ","
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            yield from csv.DictReader(file, delimiter=delimiter, strict=True)
        except (UnicodeDecodeError, csv.Error) as error:
            yield error


def _parquet(path: Path) -> Iterator[Mapping[str, Any] | Exception]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            columns = [name for name in file.schema_arrow.names if name in _COLUMNS]
            for batch in file.iter_batches(columns=columns):
                yield from batch.to_pylist()
    except (OSError, ValueError, pa.ArrowException) as error:
        yield error


_READERS: Mapping[str, Callable[[Path], Iterable[Mapping[str, Any] | Exception]]] = {
    ".jsonl": _json,
    ".csv": _table,
    ".tsv": _table,
    ".parquet": _parquet,
}
