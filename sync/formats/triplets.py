"""Triplets for sentence-transformers: columns anchor, positive, negative, in Parquet with media embedded.

Every negative was graded by people with a grade that the rules call negative. Within a query every positive and every
negative is used at least once, and no more often than that takes. Ids, grades and reasons stand in
`SPLIT.ids.jsonl`, line by line: a further column would be taken for another negative.
"""

from collections.abc import Iterator
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

from label_configs.records import Query, Relevance
from sync.dataset import Dataset
from sync.formats import base, rows
from sync.formats.rows import Row
from sync.splits import Split


class Triplet(NamedTuple):
    """A query with a positive and a verified negative."""

    query: Query
    positive: Relevance
    negative: Relevance


def write(data: Dataset, folder: Path) -> None:
    """Write train and dev; test queries stay for evaluation."""
    for split in rows.TRAINED:
        rows.write(data, folder, split, ("anchor", "positive", "negative"), {}, partial(_rows, data, split))


def triplets(data: Dataset, split: Split) -> Iterator[Triplet]:
    """The triplets of a split, queries in the order of their ids, the hardest negatives first."""
    for query, positives, negatives, _ in base.judged(data, split):
        if positives and negatives:
            pairs = zip(cycle(positives), cycle(negatives), range(max(len(positives), len(negatives))), strict=False)
            yield from (Triplet(query, positive, negative) for positive, negative, _ in pairs)


def _rows(data: Dataset, split: Split) -> Iterator[Row]:
    for t in triplets(data, split):
        about = {
            "query_id": t.query.query_id,
            **rows.about(data, t.positive, "positive_"),
            **rows.about(data, t.negative, "negative_"),
            "rules_hash": data.rules.hash,
        }
        yield Row((t.query, data.items[t.positive.doc_id], data.items[t.negative.doc_id]), (), about)
