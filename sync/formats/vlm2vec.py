"""VLM2Vec, in the columns of MMEB's training sets: `{train,dev}.parquet` with qry, pos and neg, a text and a path each.

A picture's text is the model's picture token with MMEB's instruction; a text has no path. Where a query has no verified
negative, both its columns are empty, and the loader takes none.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from label_configs.records import Item, Modality, Query, Relevance
from sync.dataset import Dataset
from sync.formats import base, media, parquet, told
from sync.splits import TRAINED, Split

_HOLDS: frozenset[Modality] = frozenset({"text", "image"})
_PICTURED = "<|image_1|>"
_PICTURE = f"{_PICTURED}\nRepresent the given image."
"""MMEB's own words; the loader replaces the token by that of its model, so no text may have it."""
_COLUMNS: Mapping[str, parquet.Kind] = {
    "qry": "text",
    "qry_image_path": "text",
    "pos_text": "text",
    "pos_image_path": "text",
    "neg_text": "text",
    "neg_image_path": "text",
    "query_id": "text",
    "pos_id": "text",
    "neg_id": "text",
    "pos_grade": "int",
    "pos_weight": "float",
    "pos_reasons": "text",
    "neg_reasons": "text",
    "rules_hash": "text",
}
Row = tuple[Query, Relevance, Relevance | None]
"""A query, a positive, and a negative, if the query has one."""


def write(data: Dataset, folder: Path) -> None:
    """Write train and dev; paths count from the folder, which is the loader's `image_dir`."""
    told.only(data, "vlm2vec", _HOLDS, _HOLDS)
    for split in TRAINED:
        parquet.write(folder / f"{split}.parquet", _COLUMNS, (_cells(row, data, folder) for row in _rows(data, split)))


def _rows(data: Dataset, split: Split) -> Iterator[Row]:
    """Every positive and every negative of a query once at least, and no more often than that takes."""
    for query, positives, negatives, _ in base.judged(data, split):
        for n in range(max(len(positives), len(negatives)) if positives else 0):
            yield query, positives[n % len(positives)], negatives[n % len(negatives)] if negatives else None


def _cells(row: Row, data: Dataset, folder: Path) -> list[object]:
    query, positive, negative = row
    sides = query, data.items[positive.doc_id], data.items[negative.doc_id] if negative else None
    ids = query.query_id, positive.doc_id, negative.doc_id if negative else ""
    why = told.reason(positive, data), told.reason(negative, data) if negative else ""
    about = *ids, positive.grade, base.expected(positive, data), *why, data.rules.hash
    return [*(cell for side in sides for cell in _side(side, data, folder)), *about]


def _side(record: Query | Item | None, data: Dataset, folder: Path) -> tuple[str, str]:
    if record is None:
        return "", ""
    if record.modality == "text":
        return media.text(record).replace(_PICTURED, _PICTURED.replace("|", " |", 1)), ""
    return _PICTURE, media.place(record, data, folder)
