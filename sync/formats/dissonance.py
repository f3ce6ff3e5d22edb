"""The slice where text and medium do not simply go together: `{train,dev,test}.jsonl`, a positive pair a line.

These pairs are in no other format's positives: at least half of the annotators read them as figurative, contradictory
or unclear. readings: how many read it how, the literal way among them.
"""

from collections.abc import Iterator
from pathlib import Path

from label_configs.records import Relevance
from sync import splits
from sync.dataset import Dataset
from sync.formats import base, grounding, told
from sync.splits import Split


def write(data: Dataset, folder: Path) -> None:
    """Write each split that has such a pair."""
    for split in splits.NAMES:
        base.lines(folder / f"{split}.jsonl", _rows(data, folder, split))


def _rows(data: Dataset, folder: Path, split: Split) -> Iterator[dict[str, object]]:
    return (_row(r, data, folder) for r in data.apart if data.split(r.query_id) == split)


def _row(r: Relevance, data: Dataset, folder: Path) -> dict[str, object]:
    said = data.said[r.query_id, r.doc_id]
    literal = {data.rules.dissonance[0]: said.voters - said.readings.total()}
    return {
        **told.about(r, data),
        "query": grounding.shown(data.queries[r.query_id], data, folder),
        "item": grounding.shown(data.items[r.doc_id], data, folder),
        "readings": literal | {reading: said.readings[reading] for reading in data.rules.dissonance[1:]},
        "reasons": told.reasons(r, data),
        "notes": list(said.notes),
    }
