"""VLM2Vec, in the columns of MMEB's training sets: `{train,dev}.parquet` with qry, pos and neg, a text and a path each.

A picture's text is the model's picture token with MMEB's instruction; a text has no path. Where a query has no verified
negative, both its columns are empty, and the loader takes none.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from label_configs.records import Item, Modality, Query
from sync.dataset import Dataset
from sync.formats import base, media, parquet, told
from sync.splits import Split

_HOLDS: frozenset[Modality] = frozenset({"text", "image"})
_PICTURE = "<|image_1|>\nRepresent the given image."
"""MMEB's own words; the loader replaces the token by that of its model."""
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
    "rules_hash": "text",
}
Row = tuple[str, str, int, str]
"""query_id, doc_id and grade of the positive, doc_id of the negative or nothing."""


def write(data: Dataset, folder: Path) -> None:
    """Write train and dev; paths count from the folder, which is the loader's `image_dir`."""
    told.only(data, "vlm2vec", _HOLDS, _HOLDS)
    for split in ("train", "dev"):
        parquet.write(folder / f"{split}.parquet", _COLUMNS, (_cells(row, data, folder) for row in _rows(data, split)))


def _rows(data: Dataset, split: Split) -> Iterator[Row]:
    """Every positive and every negative of a query once at least, and no more often than that takes."""
    for query, positives, negatives, _ in base.judged(data, split):
        for n in range(max(len(positives), len(negatives)) if positives else 0):
            positive = positives[n % len(positives)]
            negative = negatives[n % len(negatives)].doc_id if negatives else ""
            yield query.query_id, positive.doc_id, positive.grade, negative


def _cells(row: Row, data: Dataset, folder: Path) -> list[object]:
    query_id, positive, grade, negative = row
    other = data.items[negative] if negative else None
    sides: list[Query | Item | None] = [data.queries[query_id], data.items[positive], other]
    ids = query_id, positive, negative, grade, data.rules.hash
    return [*(cell for side in sides for cell in _side(side, data, folder)), *ids]


def _side(record: Query | Item | None, data: Dataset, folder: Path) -> tuple[str, str]:
    if record is None:
        return "", ""
    if record.modality == "text":
        return media.text(record), ""
    return _PICTURE, media.place(record, data, folder)
