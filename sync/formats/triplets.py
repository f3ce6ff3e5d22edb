"""Triplets for sentence-transformers: columns anchor, positive, negative, in Parquet with media embedded.

Every negative was graded by people with a grade that the rules call negative. Within a query every positive and every
negative is used at least once, and no more often than that takes. Controls stay out. Ids and grades of the rows stand
in `SPLIT.ids.jsonl`, line by line: a further column would be taken for another negative.
"""

import json
from collections.abc import Iterator, Mapping
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from label_configs.records import Item, Modality, Query, Relevance
from store import columns, files
from store.media import Media
from sync import splits
from sync.dataset import Dataset

_MEDIA = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_FEATURES: Mapping[Modality, dict[str, str]] = {
    "text": {"dtype": "string", "_type": "Value"},
    "image": {"_type": "Image"},
    "audio": {"_type": "Audio"},
    "video": {"_type": "Video"},
}


class Triplet(NamedTuple):
    """A query with a positive and a verified negative."""

    query: Query
    positive: Relevance
    negative: Relevance


def write(data: Dataset, folder: Path) -> None:
    """Write train and dev; test queries stay for evaluation."""
    for name in splits.NAMES[:2]:
        chosen = [t for t in triplets(data) if data.split(t.query.query_id) == name]
        if chosen:
            columns.write(_table(chosen, data), folder / f"{name}.parquet")
            files.write(folder / f"{name}.ids.jsonl", "".join(_provenance(t, data) for t in chosen))


def triplets(data: Dataset) -> Iterator[Triplet]:
    """All triplets, queries in the order of their ids, the hardest negatives first."""
    for query_id in sorted(data.trainable):
        rows = data.trainable[query_id]
        positives = [r for r in rows if r.grade in data.rules.positive]
        negatives = [r for r in rows if r.grade in data.rules.negative]
        if positives and negatives:
            pairs = zip(cycle(positives), cycle(negatives), range(max(len(positives), len(negatives))), strict=False)
            yield from (Triplet(data.queries[query_id], p, n) for p, n, _ in pairs)


def _table(chosen: list[Triplet], data: Dataset) -> pa.Table:
    records: dict[str, list[Query | Item]] = {
        "anchor": [t.query for t in chosen],
        "positive": [data.items[t.positive.doc_id] for t in chosen],
        "negative": [data.items[t.negative.doc_id] for t in chosen],
    }
    cells = {name: [_cell(record, data.media) for record in column] for name, column in records.items()}
    features = {name: _FEATURES[column[0].modality] for name, column in records.items()}
    types = {name: pa.string() if isinstance(values[0], str) else _MEDIA for name, values in cells.items()}
    schema = pa.schema(types.items(), metadata={"huggingface": json.dumps({"info": {"features": features}})})
    return pa.table(cells, schema=schema)


def _cell(record: Query | Item, media: Media) -> str | dict[str, Any]:
    content = media.content(record)
    return content if isinstance(content, str) else {"bytes": content, "path": Path(record.uri).name}


def _provenance(t: Triplet, data: Dataset) -> str:
    row = {
        "query_id": t.query.query_id,
        "positive_id": t.positive.doc_id,
        "negative_id": t.negative.doc_id,
        "positive_grade": t.positive.grade,
        "negative_grade": t.negative.grade,
        "negative_source": data.candidates[t.query.query_id, t.negative.doc_id].source,
        "rules_hash": data.rules.hash,
    }
    return json.dumps(row) + "\n"
