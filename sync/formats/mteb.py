"""MTEB, and the layout of the hub: corpus, queries and qrels in Parquet, media embedded, and the data set card.

The judged queries, the whole corpus, and all grades, split by split. A second config of the same data, `reranking`,
ranks what was judged of each query and nothing else: there, nothing unjudged counts as not relevant.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from label_configs.records import Item, Modality, Query
from sync import splits
from sync.dataset import Dataset
from sync.formats import base, card, media, parquet

_QRELS: Mapping[str, parquet.Kind] = {"query-id": "text", "corpus-id": "text", "score": "int"}
_RANKED: Mapping[str, parquet.Kind] = {"query-id": "text", "corpus-ids": "texts"}


def write(data: Dataset, folder: Path) -> None:
    """Write all tables and the card, whose head tells the loader which table is what."""
    judged = (data.queries[query_id] for query_id in sorted({q.query_id for q in data.qrels}))
    _records(data, folder, "corpus", data.items.values())
    _records(data, folder, "queries", list(judged))
    there = []
    for name in splits.NAMES:
        rows = (qrel for qrel in data.qrels if data.split(qrel.query_id) == name)
        if parquet.write(folder / "qrels" / f"{name}.parquet", _QRELS, rows):
            parquet.write(folder / "top_ranked" / f"{name}.parquet", _RANKED, _ranked(data, name))
            there.append(name)
    card.write(data, folder, _configs(there))


def _records(data: Dataset, folder: Path, name: str, records: Iterable[Query | Item]) -> None:
    """One table: ids, a column for each modality that there is, and the stretch where records have one."""
    found = sorted({r.modality for r in records} - {"text"})
    timed = any(media.stretch(r) for r in records)
    columns: dict[str, parquet.Kind] = {"id": "text", "modality": "text", "text": "text"}
    columns |= {m: m for m in found} | ({"start": "float", "end": "float"} if timed else {})
    made = (_row(r, found, data, folder, timed=timed) for r in records)
    parquet.write(folder / name / f"{name}.parquet", columns, made)


def _row(record: Query | Item, found: Sequence[Modality], data: Dataset, folder: Path, *, timed: bool) -> list[object]:
    name = record.query_id if isinstance(record, Query) else record.doc_id
    held = [media.cell(record, data, folder) if record.modality == m else None for m in found]
    return [name, record.modality, media.text(record), *held, *([record.start, record.end] if timed else [])]


def _ranked(data: Dataset, split: splits.Split) -> Iterator[tuple[str, list[str]]]:
    """By query what was judged, as the pre-ranking has it; what it did not find stands last."""
    ranks = {(query_id, doc_id): rank for query_id, doc_id, rank, _ in base.ranking(data)}
    pairs = ((q, d) for q, d, _ in data.qrels if data.split(q) == split)
    ordered = sorted(pairs, key=lambda pair: (pair[0], ranks.get(pair, float("inf")), pair[1]))
    for query_id, group in groupby(ordered, key=lambda pair: pair[0]):
        yield query_id, [doc_id for _, doc_id in group]


def _configs(there: Sequence[str]) -> list[dict[str, object]]:
    """The tables by the names that the loader has for them, and once more for `reranking`."""
    plain = [("corpus", ["corpus"]), ("queries", ["queries"]), ("qrels", there)]
    named = [*((name, name, parts) for name, parts in plain)]
    named += [(f"reranking-{name}", name, parts) for name, parts in (*plain, ("top_ranked", there))]
    return [
        {"config_name": config, "data_files": [{"split": part, "path": f"{name}/{part}.parquet"} for part in parts]}
        for config, name, parts in named
    ]
