"""Labeled lists for rerankers of sentence-transformers: columns query, docs, labels, in Parquet.

A list holds all that was judged of its query, the hardest to tell first; its labels are the grades as the rules have
them. Ids, grades and reasons stand in `SPLIT.ids.jsonl`.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sync.dataset import Dataset
from sync.formats import base, rows
from sync.formats.rows import Row
from sync.splits import TRAINED, Split


def write(data: Dataset, folder: Path) -> None:
    """Write one list a query."""
    for split in TRAINED:
        rows.write(data, folder, split, ("query", "docs"), {"labels": "floats"}, partial(_lists, data, split))


def _lists(data: Dataset, split: Split) -> Iterator[Row]:
    for query, _, _, graded in base.judged(data, split):
        about = {
            "query_id": query.query_id,
            "docs": [rows.about(data, r) for r in graded],
            "rules_hash": data.rules.hash,
        }
        labels = [float(r.grade) for r in graded]
        yield Row((query, [data.items[r.doc_id] for r in graded]), (labels,), about)
