"""Triplets for sentence-transformers: columns anchor, positive, negative, in Parquet with media embedded.

Every negative was graded by people with a grade that the rules call negative. Within a query every positive and every
negative is used at least once, and no more often than that takes. Ids and grades of the rows stand in
`SPLIT.ids.jsonl`, line by line: a further column would be taken for another negative.
"""

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

from label_configs.records import Query, Relevance
from sync.dataset import Dataset
from sync.formats import base, media, parquet
from sync.splits import Split


class Triplet(NamedTuple):
    """A query with a positive and a verified negative."""

    query: Query
    positive: Relevance
    negative: Relevance


def write(data: Dataset, folder: Path) -> None:
    """Write train and dev; test queries stay for evaluation."""
    for split in ("train", "dev"):
        found = list(triplets(data, split))
        if found:
            parquet.write(folder / f"{split}.parquet", _columns(found, data), (_row(t, data, folder) for t in found))
            base.lines(folder / f"{split}.ids.jsonl", (_provenance(t, data) for t in found))


def triplets(data: Dataset, split: Split) -> Iterator[Triplet]:
    """The triplets of a split, queries in the order of their ids, the hardest negatives first."""
    for query, positives, negatives, _ in base.judged(data, split):
        if positives and negatives:
            pairs = zip(cycle(positives), cycle(negatives), range(max(len(positives), len(negatives))), strict=False)
            yield from (Triplet(query, positive, negative) for positive, negative, _ in pairs)


def _columns(found: list[Triplet], data: Dataset) -> dict[str, parquet.Kind]:
    return {
        "anchor": parquet.kind(t.query.modality for t in found),
        "positive": parquet.kind(data.items[t.positive.doc_id].modality for t in found),
        "negative": parquet.kind(data.items[t.negative.doc_id].modality for t in found),
    }


def _row(t: Triplet, data: Dataset, folder: Path) -> list[object]:
    records = (t.query, data.items[t.positive.doc_id], data.items[t.negative.doc_id])
    return [media.cell(record, data, folder) for record in records]


def _provenance(t: Triplet, data: Dataset) -> dict[str, object]:
    return {
        "query_id": t.query.query_id,
        "positive_id": t.positive.doc_id,
        "negative_id": t.negative.doc_id,
        "positive_grade": t.positive.grade,
        "negative_grade": t.negative.grade,
        "negative_source": data.candidates[t.query.query_id, t.negative.doc_id].source,
        "rules_hash": data.rules.hash,
    }
