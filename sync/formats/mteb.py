"""MTEB, and the layout of the hub: corpus, queries and qrels in Parquet, media embedded; the card names the tables.

The judged queries, the whole corpus, and grades: of test all, of train and dev what may reach training. A second config
of the same data, `reranking`, ranks what was judged of each query and nothing else: there, nothing unjudged counts as
not relevant.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from math import inf
from pathlib import Path

from label_configs.records import Item, Modality, Query
from sync import splits
from sync.dataset import Dataset
from sync.formats import base, media, parquet

_QRELS: Mapping[str, parquet.Kind] = {"query-id": "text", "corpus-id": "text", "score": "int"}
Pair = tuple[str, str]
_RANKED: Mapping[str, parquet.Kind] = {"query-id": "text", "corpus-ids": "texts"}


def write(data: Dataset, folder: Path) -> None:
    """Write all tables."""
    _records(data, folder, "corpus", data.items.values())
    _records(data, folder, "queries", [data.queries[query_id] for query_id in base.asked(data)])
    ranks = {(query_id, doc_id): rank for query_id, doc_id, rank, _ in base.ranking(data)}
    for name in splits.NAMES:
        rows = ((r.query_id, r.doc_id, r.grade) for r in base.graded(data, name))
        parquet.write(folder / "qrels" / f"{name}.parquet", _QRELS, rows)
        parquet.write(folder / "top_ranked" / f"{name}.parquet", _RANKED, _ranked(data, name, ranks))


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


def _ranked(data: Dataset, split: splits.Split, ranks: Mapping[Pair, int]) -> Iterator[tuple[str, list[str]]]:
    """By query what its split holds of it, as the pre-ranking has it; what that did not find stands last."""
    for query_id, rows in groupby(base.graded(data, split), key=lambda r: r.query_id):
        pairs = [(query_id, r.doc_id) for r in rows]
        yield query_id, [d for _, d in sorted(pairs, key=lambda pair: (ranks.get(pair, inf), pair[1]))]
