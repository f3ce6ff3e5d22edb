"""n-tuples for sentence-transformers: columns anchor, positive, negative_1 to negative_n, in Parquet.

Every negative was graded by people with a grade that the rules call negative. n is `[export] negatives`, or what the
query with most of them has, where that is less. Each positive and each negative of a query is used at least once; in
the row of a query that has fewer than n, they repeat. Ids, grades and reasons stand in `SPLIT.ids.jsonl`.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sync.dataset import Dataset
from sync.formats import rows, samples
from sync.formats.rows import Row
from sync.splits import TRAINED, Split


def write(data: Dataset, folder: Path) -> None:
    """Write train and dev, both of one width."""
    width = samples.width(data)
    names = ("anchor", "positive", *(f"negative_{n + 1}" for n in range(width)))
    for split in TRAINED:
        rows.write(data, folder, split, names, {}, partial(_tuples, data, split, width))


def _tuples(data: Dataset, split: Split, width: int) -> Iterator[Row]:
    for query, positive, negatives in samples.samples(data, split, width):
        about = {
            "query_id": query.query_id,
            **rows.about(data, positive, "positive_"),
            "negatives": [rows.about(data, r) for r in negatives],
            "rules_hash": data.rules.hash,
        }
        yield Row((query, *(data.items[r.doc_id] for r in (positive, *negatives))), (), about)
