"""n-tuples for sentence-transformers: columns anchor, positive, negative_1 to negative_n, in Parquet.

Every negative was graded by people with a grade that the rules call negative. n is `[export] negatives`, or what the
query with most of them has, where that is less. Each positive and each negative of a query is used at least once; in
the row of a query that has fewer than n, they repeat. Ids, grades and reasons stand in `SPLIT.ids.jsonl`.
"""

from collections.abc import Iterator
from functools import partial
from itertools import cycle, islice
from pathlib import Path

from sync.dataset import Dataset
from sync.formats import base, rows
from sync.formats.base import Judged
from sync.formats.rows import Row
from sync.splits import Split


def write(data: Dataset, folder: Path) -> None:
    """Write train and dev, both of one width."""
    found = (len(one.negatives) for split in rows.TRAINED for one in base.judged(data, split) if one.positives)
    width = min(max(found, default=0), data.settings.export.negatives)
    names = ("anchor", "positive", *(f"negative_{n + 1}" for n in range(width)))
    for split in rows.TRAINED:
        rows.write(data, folder, split, names, {}, partial(_tuples, data, split, width))


def _tuples(data: Dataset, split: Split, width: int) -> Iterator[Row]:
    for one in base.judged(data, split):
        if one.positives and one.negatives:
            yield from _of(data, one, width)


def _of(data: Dataset, one: Judged, width: int) -> Iterator[Row]:
    """The rows of a query: as many as it takes to use every positive, and every negative in turn."""
    negatives = cycle(one.negatives)
    wanted = max(len(one.positives), -(-len(one.negatives) // width))
    for positive in islice(cycle(one.positives), wanted):
        against = list(islice(negatives, width))
        about = {
            "query_id": one.query.query_id,
            **rows.about(data, positive, "positive_"),
            "negatives": [rows.about(data, r) for r in against],
            "rules_hash": data.rules.hash,
        }
        yield Row((one.query, *(data.items[r.doc_id] for r in (positive, *against))), (), about)
