"""Clips and texts that belong together or do not, for alignment as VideoBERT learns it: `{train,dev}.parquet`.

clip, start and end in seconds (none: the whole of it), text, and whether people found that they are aligned: 1 for a
positive grade, 0 for one that the rules call negative. A grade that is neither is in no row.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from label_configs.records import Modality
from sync.dataset import Dataset
from sync.formats import base, captions, media, parquet, told
from sync.formats.captions import Captioned
from sync.splits import TRAINED, Split

HOLDS: frozenset[Modality] = frozenset({"audio", "video"})
_COLUMNS: Mapping[str, parquet.Kind] = {
    "clip": "text",
    "start": "float",
    "end": "float",
    "text": "text",
    "aligned": "int",
    "grade": "int",
    "weight": "float",
    "confidence": "float",
    "reasons": "texts",
    "query_id": "text",
    "doc_id": "text",
    "rules_hash": "text",
}


def write(data: Dataset, folder: Path) -> None:
    """Write train and dev; `clip` is a path from the folder, or the corpus's own URI by reference."""
    captions.check(data, "clip-text", HOLDS, data.rules.positive | data.rules.negative)
    for split in TRAINED:
        rows = (_row(pair, data, folder) for pair in _pairs(data, split))
        parquet.write(folder / f"{split}.parquet", _COLUMNS, rows)


def _pairs(data: Dataset, split: Split) -> Iterator[Captioned]:
    for judged in base.judged(data, split):
        yield from captions.pairs(data, [*judged.positives, *judged.negatives], HOLDS)


def _row(pair: Captioned, data: Dataset, folder: Path) -> list[object]:
    r, clip = pair.relevance, pair.medium
    shown = [media.place(clip, data, folder), clip.start, clip.end, pair.text]
    judged = [int(r.grade in data.rules.positive), r.grade, base.expected(r, data), r.confidence]
    return [*shown, *judged, told.reasons(r, data), r.query_id, r.doc_id, data.rules.hash]
