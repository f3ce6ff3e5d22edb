"""Tevatron: queries with the ids of their positives and negatives, and the corpus that these ids are of, in Parquet.

Texts, pictures and sounds are columns of the rows; films are files beside, found from `--assets_path`, as its loader
has them. So are sounds that are all MP3: other sounds it takes decoded. Queries without a positive or without a
negative are not here: its loader needs both.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from label_configs.records import Item, Modality, Query
from sync.dataset import Dataset
from sync.formats import base, media, parquet, told
from sync.formats.base import Judged
from sync.splits import TRAINED, Split

_JUDGED: Mapping[str, parquet.Kind] = {
    "positive_document_ids": "texts",
    "negative_document_ids": "texts",
    "positive_reasons": "texts",
    "negative_reasons": "texts",
    "rules_hash": "text",
}


def write(data: Dataset, folder: Path) -> None:
    """Write `train.parquet`, `dev.parquet`, and the whole corpus."""
    for split in TRAINED:
        kinds = _kinds((one.query for one in _judged(data, split)), "query_")
        made = (_row(one, kinds, data, folder) for one in _judged(data, split))
        parquet.write(folder / f"{split}.parquet", {"query_id": "text", **kinds, **_JUDGED}, made)
    columns = _kinds(data.items.values())
    items = ([i.doc_id, *_cells(i, columns, data, folder)] for i in data.items.values())
    parquet.write(folder / "corpus.parquet", {"docid": "text", **columns}, items)


def _judged(data: Dataset, split: Split) -> Iterator[Judged]:
    return (one for one in base.judged(data, split) if one.positives and one.negatives)


def _row(one: Judged, kinds: Mapping[str, parquet.Kind], data: Dataset, folder: Path) -> list[object]:
    sides = one.positives, one.negatives
    ids = ([r.doc_id for r in side] for side in sides)
    reasons = ([told.reason(r, data) for r in side] for side in sides)
    return [one.query.query_id, *_cells(one.query, kinds, data, folder), *ids, *reasons, data.rules.hash]


def _kinds(records: Iterable[Query | Item], prefix: str = "") -> dict[str, parquet.Kind]:
    """A column for texts, and one for each medium that there is; where a medium is files beside, it names them."""
    found: dict[Modality, set[bool]] = {}
    for record in records:
        found.setdefault(record.modality, set()).add(_beside(record))
    kinds: dict[str, parquet.Kind] = {f"{prefix}text": "text"}
    for modality in sorted(found.keys() - {"text"}):
        kinds[f"{prefix}{modality}"] = "text" if found[modality] == {True} else modality
    return kinds


def _beside(record: Query | Item) -> bool:
    """Whether the loader wants a medium as a file beside."""
    return record.modality == "video" or (record.modality == "audio" and record.uri.lower().endswith(".mp3"))


def _cells(record: Query | Item, kinds: Mapping[str, parquet.Kind], data: Dataset, folder: Path) -> Iterator[object]:
    for name, kind in kinds.items():
        modality = name.rpartition("_")[2]
        if modality == "text":
            yield media.text(record)
        elif modality != record.modality:
            yield None
        else:
            yield media.place(record, data, folder) if kind == "text" else media.cell(record, data, folder)
