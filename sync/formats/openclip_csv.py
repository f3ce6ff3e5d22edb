"""Pairs for open_clip: `{train,dev}.tsv` with filepath and title, pictures beside; whichever of the two was the query.

Paths count from the folder, where the trainer is started. open_clip takes no negatives and no weights: ids, grade,
weight and reasons stand in further columns, which it passes over.
"""

from pathlib import Path

from label_configs.records import Modality
from sync.dataset import Dataset
from sync.formats import base, captions, media, told
from sync.formats.captions import Captioned
from sync.splits import TRAINED

HOLDS: frozenset[Modality] = frozenset({"image"})
_COLUMNS = ("filepath", "title", "query_id", "doc_id", "grade", "weight", "confidence", "reasons", "rules_hash")
_MISSING = frozenset({"#N/A", "#NA", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"})
"""Titles that pandas, with which open_clip reads, takes for missing."""


def write(data: Dataset, folder: Path) -> None:
    """Write train and dev."""
    captions.check(data, "openclip-csv", HOLDS, data.rules.positive)
    for split in TRAINED:
        rows = (_row(pair, data, folder) for pair in captions.positives(data, split, HOLDS))
        base.table(folder / f"{split}.tsv", _COLUMNS, rows)


def _row(pair: Captioned, data: Dataset, folder: Path) -> list[object]:
    r, title = pair.relevance, pair.text
    shown = f"{title} " if title in _MISSING else title
    judged = r.grade, base.expected(r, data), r.confidence, told.reason(r, data)
    return [media.place(pair.medium, data, folder), shown, r.query_id, r.doc_id, *judged, data.rules.hash]
