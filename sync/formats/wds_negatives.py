"""WebDataset shards with verified negatives: `k.query.txt k.pos.jpg k.neg0.jpg k.json` in `{train,dev}/00000.tar`.

Every sample has the same keys, which the hub's loader asks for: as many negatives each, and one extension for all media
of a side. Where media are of several kinds it is that of the commonest kind, `jpg`, `wav` or `mp4`: loaders decode by
content. `k.json` names the ids, grades and reasons, and of segments start and end in seconds, 0 for an open end.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from label_configs.records import Item, Query
from sync.dataset import Dataset
from sync.formats import base, media, shards, told
from sync.formats.samples import Sample, samples, width
from sync.splits import TRAINED


def write(data: Dataset, folder: Path) -> None:
    """Write train and dev; shards hold the media themselves, whatever `[export] media` says."""
    told.uniform(data, "wds-negatives")
    sides, negatives = told.records(data), width(data)
    query, item = (_extension(side, data) for side in sides)
    stretched = any(media.stretch(record) for side in sides for record in side)
    for split in TRAINED:
        shards.write(
            folder / split, (_sample(s, data, query, item, stretched) for s in samples(data, split, negatives))
        )


def _extension(records: Sequence[Query | Item], data: Dataset) -> str:
    """The one that all records of a modality have, or that of its commonest kind."""
    found = {"txt" if record.modality == "text" else shards.extension(record, data) for record in records}
    return found.pop() if len(found) == 1 else shards.COMMONEST[records[0].modality] if records else ""


def _sample(s: Sample, data: Dataset, query: str, item: str, stretched: bool) -> shards.Sample:
    records: list[Query | Item] = [s.query, *(data.items[r.doc_id] for r in (s.positive, *s.negatives))]
    names = [f"query.{query}", f"pos.{item}", *(f"neg{n}.{item}" for n in range(len(s.negatives)))]
    shown = {name: _content(record, data) for name, record in zip(names, records, strict=True)}
    about = _about(s, data)
    if stretched:
        ends = [[r.start or 0.0, r.end or 0.0] for r in records]
        about |= {"query_stretch": ends[0], "pos_stretch": ends[1], "neg_stretches": ends[2:]}
    return shown | {"json": msgspec.json.encode(about)}


def _content(record: Query | Item, data: Dataset) -> bytes:
    return media.text(record).encode() if record.modality == "text" else shards.medium(record, data)[0]


def _about(s: Sample, data: Dataset) -> dict[str, object]:
    """One shape for all samples: the hub's loader infers it from the first."""
    return {
        "query_id": s.query.query_id,
        "pos_id": s.positive.doc_id,
        "pos_grade": s.positive.grade,
        "pos_weight": base.expected(s.positive, data),
        "pos_reasons": told.reason(s.positive, data),
        "neg_ids": [r.doc_id for r in s.negatives],
        "neg_grades": [r.grade for r in s.negatives],
        "neg_reasons": [told.reason(r, data) for r in s.negatives],
        "rules_hash": data.rules.hash,
    }
