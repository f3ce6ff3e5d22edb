"""BEIR: `corpus.jsonl`, `queries.jsonl`, `qrels/{train,dev,test}.tsv`; media columns stand beside title and text.

People train on `qrels/train.tsv`: train and dev hold what may reach training, test all that was judged.
"""

from collections.abc import Iterator
from pathlib import Path

from label_configs.records import Item, Query
from sync import splits
from sync.dataset import Dataset
from sync.formats import base, media

_HEADER = ("query-id", "corpus-id", "score")


def write(data: Dataset, folder: Path) -> None:
    """Write the judged queries, the whole corpus, and the grades of each split that has any."""
    base.lines(folder / "corpus.jsonl", map(_item, data.items.values()))
    base.lines(folder / "queries.jsonl", (_query(data.queries[query_id]) for query_id in base.asked(data)))
    for name in splits.NAMES:
        base.table(folder / "qrels" / f"{name}.tsv", _HEADER, _qrels(data, name))


def _qrels(data: Dataset, split: splits.Split) -> Iterator[tuple[str, str, int]]:
    return ((r.query_id, r.doc_id, r.grade) for r in base.graded(data, split))


def _item(item: Item) -> dict[str, object]:
    told: dict[str, object] = {"_id": item.doc_id, "title": item.title, "text": item.text}
    return told | _medium(item) | {"metadata": dict(item.metadata)}


def _query(query: Query) -> dict[str, object]:
    return {"_id": query.query_id, "text": query.text, **_medium(query), "metadata": {"domain": query.domain}}


def _medium(record: Item | Query) -> dict[str, object]:
    return {record.modality: record.uri, **media.stretch(record)} if record.uri else {}
