"""BEIR: `corpus.jsonl`, `queries.jsonl`, `qrels/{train,dev,test}.tsv`; media columns stand beside title and text."""

import json
from pathlib import Path

from label_configs.records import Item, Query
from store import files
from sync import splits
from sync.dataset import Dataset


def write(data: Dataset, folder: Path) -> None:
    """Write the judged queries, the whole corpus, and the grades of each split that has any."""
    judged = sorted({qrel.query_id for qrel in data.qrels})
    files.write(folder / "corpus.jsonl", "".join(_line(_item(item)) for item in data.items.values()))
    files.write(folder / "queries.jsonl", "".join(_line(_query(data.queries[q])) for q in judged))
    for name in splits.NAMES:
        rows = [f"{q}\t{d}\t{grade}\n" for q, d, grade in data.qrels if data.split(q) == name]
        if rows:
            files.write(folder / "qrels" / f"{name}.tsv", "query-id\tcorpus-id\tscore\n" + "".join(rows))


def _item(item: Item) -> dict[str, object]:
    row: dict[str, object] = {"_id": item.doc_id, "title": item.title, "text": item.text}
    media: dict[str, object] = {item.modality: item.uri} if item.uri else {}
    return row | media | {"metadata": dict(item.metadata)}


def _query(query: Query) -> dict[str, object]:
    media: dict[str, object] = {query.modality: query.uri} if query.uri else {}
    return {"_id": query.query_id, "text": query.text, **media, "metadata": {"domain": query.domain}}


def _line(row: dict[str, object]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"
