"""Grounding sets: `{train,dev,test}.jsonl`, a query a line with its positives from best to worst, why, and where.

A query of which people called everything negative has no positives here: nothing that was shown to them matches it.

rationale: the reasons that annotators named, with how many named each, and what they wrote. evidence: the stretch of a
segment in seconds, and the `region` that an item's metadata give.
"""

from collections.abc import Iterator
from pathlib import Path

from label_configs.records import Item, Query, Relevance
from sync import splits
from sync.dataset import Dataset
from sync.formats import base, media, told
from sync.formats.base import Judged
from sync.splits import Split


def write(data: Dataset, folder: Path) -> None:
    """Write the queries of each split that have a positive, and those that nothing matches."""
    for split in splits.NAMES:
        base.lines(folder / f"{split}.jsonl", (_query(judged, data, folder) for judged in _answered(data, split)))


def _answered(data: Dataset, split: Split) -> Iterator[Judged]:
    return (one for one in base.judged(data, split) if one.positives or one.negatives == one.graded)


def _query(judged: Judged, data: Dataset, folder: Path) -> dict[str, object]:
    ranked = sorted(judged.positives, key=lambda r: (-base.expected(r, data), r.doc_id))
    return {
        "query_id": judged.query.query_id,
        "query": shown(judged.query, data, folder),
        "positives": [_positive(rank, r, data, folder) for rank, r in enumerate(ranked, 1)],
    }


def shown(record: Query | Item, data: Dataset, folder: Path) -> dict[str, object]:
    """A record by its modality: its text, or where its medium lies, and what is written of it."""
    text = media.text(record)
    if record.modality == "text":
        return {"text": text}
    return {record.modality: media.place(record, data, folder), **({"text": text} if text else {})}


def _positive(rank: int, r: Relevance, data: Dataset, folder: Path) -> dict[str, object]:
    item, said = data.items[r.doc_id], data.said.get((r.query_id, r.doc_id))
    region = item.metadata.get("region")
    return {
        "rank": rank,
        **told.about(r, data),
        "item": shown(item, data, folder),
        "rationale": {
            "reasons": {code: said.reasons[code] for code in told.reasons(r, data)} if said else {},
            "notes": list(said.notes) if said else [],
        },
        "evidence": {**media.stretch(item), **({} if region is None else {"region": region})},
    }
