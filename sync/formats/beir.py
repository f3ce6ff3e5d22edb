"""BEIR: `corpus.jsonl`, `queries.jsonl`, `qrels/{train,dev,test}.tsv`; media columns stand beside title and text."""

from pathlib import Path

from label_configs.records import Item, Query
from store import files
from sync import splits
from sync.dataset import Dataset
from sync.formats import base, media


def write(data: Dataset, folder: Path) -> None:
    """Write the judged queries, the whole corpus, and the grades of each split that has any."""
    judged = sorted({qrel.query_id for qrel in data.qrels})
    base.lines(folder / "corpus.jsonl", map(_item, data.items.values()))
    base.lines(folder / "queries.jsonl", (_query(data.queries[query_id]) for query_id in judged))
    for name in splits.NAMES:
        rows = [f"{q}\t{d}\t{grade}\n" for q, d, grade in data.qrels if data.split(q) == name]
        if rows:
            files.write(folder / "qrels" / f"{name}.tsv", "query-id\tcorpus-id\tscore\n" + "".join(rows))


def _item(item: Item) -> dict[str, object]:
    told: dict[str, object] = {"_id": item.doc_id, "title": item.title, "text": item.text}
    return told | _medium(item) | {"metadata": dict(item.metadata)}


def _query(query: Query) -> dict[str, object]:
    return {"_id": query.query_id, "text": query.text, **_medium(query), "metadata": {"domain": query.domain}}


def _medium(record: Item | Query) -> dict[str, object]:
    return {record.modality: record.uri, **media.stretch(record)} if record.uri else {}
