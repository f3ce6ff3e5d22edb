"""Pairs for sentence-transformers: columns anchor, positive, in Parquet with media embedded.

A loss that takes the other rows of a batch for negatives takes the second positive of a query for one too: let no two
rows of a batch have the same query (`BatchSamplers.NO_DUPLICATES`). Ids, grades and reasons stand in `SPLIT.ids.jsonl`.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sync.dataset import Dataset
from sync.formats import base, rows
from sync.formats.rows import Row
from sync.splits import TRAINED, Split


def write(data: Dataset, folder: Path) -> None:
    """Write every positive with its query."""
    for split in TRAINED:
        rows.write(data, folder, split, ("anchor", "positive"), {}, partial(_pairs, data, split))


def _pairs(data: Dataset, split: Split) -> Iterator[Row]:
    for query, positives, _, _ in base.judged(data, split):
        for r in positives:
            about = {"query_id": query.query_id, **rows.about(data, r), "rules_hash": data.rules.hash}
            yield Row((query, data.items[r.doc_id]), (), about)
