"""Scored pairs for sentence-transformers: columns query, document, score, in Parquet with media embedded.

The score is the expected gain over the soft label, from 0 to 1: what annotators did not agree on lies in between.
Every grade is here, those that are neither positive nor negative as well. Ids and grades stand in `SPLIT.ids.jsonl`.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sync.dataset import Dataset
from sync.formats import base, rows
from sync.formats.rows import Row
from sync.splits import TRAINED, Split


def write(data: Dataset, folder: Path) -> None:
    """Write every judged pair with its score."""
    for split in TRAINED:
        rows.write(data, folder, split, ("query", "document"), {"score": "float"}, partial(_scored, data, split))


def _scored(data: Dataset, split: Split) -> Iterator[Row]:
    for query, _, _, graded in base.judged(data, split):
        for r in graded:
            about = {"query_id": query.query_id, **rows.about(data, r), "rules_hash": data.rules.hash}
            yield Row((query, data.items[r.doc_id]), (base.expected(r, data),), about)
