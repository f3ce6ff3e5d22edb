"""FlagEmbedding: JSON lines with query, pos, neg, pos_scores, neg_scores; texts alone.

A folder for each split, since its trainers take every file of a folder that they are given. Scores are expected gains
from 0 to 1, for distillation. Queries without a positive or without a negative are not here: its loader needs both.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from label_configs.records import Relevance
from sync.dataset import Dataset
from sync.formats import base, media, told
from sync.formats.base import Judged
from sync.splits import TRAINED, Split


def write(data: Dataset, folder: Path) -> None:
    """Write `train/train.jsonl` and `dev/dev.jsonl`."""
    base.only_texts(data, "flagembedding")
    for split in TRAINED:
        base.lines(folder / split / f"{split}.jsonl", _rows(data, split))


def _rows(data: Dataset, split: Split) -> Iterator[dict[str, object]]:
    for one in base.judged(data, split):
        if one.positives and one.negatives:
            yield _row(one, data)


def _row(one: Judged, data: Dataset) -> dict[str, object]:
    return {
        "query": media.text(one.query),
        "pos": _texts(one.positives, data),
        "neg": _texts(one.negatives, data),
        "pos_scores": [base.expected(r, data) for r in one.positives],
        "neg_scores": [base.expected(r, data) for r in one.negatives],
        "query_id": one.query.query_id,
        "pos_ids": [r.doc_id for r in one.positives],
        "neg_ids": [r.doc_id for r in one.negatives],
        "pos_reasons": [told.reason(r, data) for r in one.positives],
        "neg_reasons": [told.reason(r, data) for r in one.negatives],
        "rules_hash": data.rules.hash,
    }


def _texts(found: Sequence[Relevance], data: Dataset) -> list[str]:
    return [media.text(data.items[r.doc_id]) for r in found]
