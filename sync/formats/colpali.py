"""ColPali: `{train,dev}.jsonl` with query, pos_target and neg_target as ids, and `corpus.parquet` with doc_id and doc.

`ColPaliEngineDataset` takes the lines, `Corpus` the table. All rows have as many negatives, which its collator asks
for; a query without a verified negative is in no row. Queries are texts, items pictures or texts.
"""

from collections.abc import Iterator
from pathlib import Path

from label_configs.records import Modality
from sync.dataset import Dataset
from sync.formats import base, media, parquet, told
from sync.formats.samples import Sample, samples, width
from sync.splits import TRAINED

_QUERIES: frozenset[Modality] = frozenset({"text"})
_ITEMS: frozenset[Modality] = frozenset({"text", "image"})


def write(data: Dataset, folder: Path) -> None:
    """Write train and dev, and of the corpus what they name."""
    told.only(data, "colpali", _QUERIES, _ITEMS)
    told.uniform(data, "colpali")
    negatives = width(data)
    for split in TRAINED:
        base.lines(folder / f"{split}.jsonl", (_row(s, data) for s in samples(data, split, negatives)))
    named = sorted(set(_named(data)))
    if named:
        columns: dict[str, parquet.Kind] = {"doc_id": "text", "doc": data.items[named[0]].modality}
        rows = ((doc_id, media.cell(data.items[doc_id], data, folder)) for doc_id in named)
        parquet.write(folder / "corpus.parquet", columns, rows)


def _named(data: Dataset) -> Iterator[str]:
    for split in TRAINED:
        for one in base.judged(data, split):
            if one.positives and one.negatives:
                yield from (r.doc_id for r in (*one.positives, *one.negatives))


def _row(s: Sample, data: Dataset) -> dict[str, object]:
    return {
        "query_id": s.query.query_id,
        "query": media.text(s.query),
        "pos_target": s.positive.doc_id,
        "neg_target": [r.doc_id for r in s.negatives],
        "pos_grade": s.positive.grade,
        "neg_grades": [r.grade for r in s.negatives],
        "pos_reasons": told.reason(s.positive, data),
        "neg_reasons": [told.reason(r, data) for r in s.negatives],
        "rules_hash": data.rules.hash,
    }
