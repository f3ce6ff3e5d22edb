"""Triplets for sentence-transformers: columns anchor, positive, negative, in Parquet with media embedded.

Every negative was graded by people with a grade that the rules call negative. Within a query every positive and every
negative is used at least once, and no more often than that takes. Ids, grades and reasons stand in
`SPLIT.ids.jsonl`, line by line: a further column would be taken for another negative.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sync.dataset import Dataset
from sync.formats import rows
from sync.formats.rows import Row
from sync.formats.samples import samples
from sync.splits import TRAINED, Split


def write(data: Dataset, folder: Path) -> None:
    """Write train and dev; test queries stay for evaluation."""
    for split in TRAINED:
        rows.write(data, folder, split, ("anchor", "positive", "negative"), {}, partial(_rows, data, split))


def _rows(data: Dataset, split: Split) -> Iterator[Row]:
    for query, positive, (negative,) in samples(data, split, 1):
        about = {
            "query_id": query.query_id,
            **rows.about(data, positive, "positive_"),
            **rows.about(data, negative, "negative_"),
            "rules_hash": data.rules.hash,
        }
        yield Row((query, data.items[positive.doc_id], data.items[negative.doc_id]), (), about)
