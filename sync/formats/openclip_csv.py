"""Pairs for open_clip: `{train,dev}.tsv` with filepath and title, pictures beside; whichever of the two was the query.

Paths count from the folder, where the trainer is started. open_clip takes no negatives and no weights: ids, grade and
confidence stand in further columns, which it passes over.
"""

import csv
from pathlib import Path

from label_configs.records import Modality
from store import files
from sync.dataset import Dataset
from sync.formats import captions, media
from sync.formats.captions import Captioned

HOLDS: frozenset[Modality] = frozenset({"image"})
_COLUMNS = ("filepath", "title", "query_id", "doc_id", "grade", "confidence", "rules_hash")
_MISSING = frozenset({"#N/A", "#NA", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"})
"""Titles that pandas, with which open_clip reads, takes for missing."""


def write(data: Dataset, folder: Path) -> None:
    """Write train and dev."""
    captions.check(data, "openclip-csv", HOLDS, data.rules.positive)
    for split in ("train", "dev"):
        rows = captions.positives(data, split, HOLDS)
        first = next(rows, None)
        if first is None:
            continue
        with (
            files.replacing(folder / f"{split}.tsv") as temporary,
            temporary.open("w", encoding="utf-8", newline="") as file,
        ):
            table = csv.writer(file, delimiter="\t", lineterminator="\n")
            table.writerows([_COLUMNS, _row(first, data, folder)])
            table.writerows(_row(pair, data, folder) for pair in rows)


def _row(pair: Captioned, data: Dataset, folder: Path) -> list[object]:
    r, title = pair.relevance, pair.text
    shown = f"{title} " if title in _MISSING else title
    return [media.place(pair.medium, data, folder), shown, r.query_id, r.doc_id, r.grade, r.confidence, data.rules.hash]
