"""Every judgment that stands, one row each, with all of where it comes from: for analyses of one's own.

Roles and sources of candidates are in it, so it is not for annotators. A row of a ranking, a moment or a flag has its
kind; `grade` rows are what the consensus is made of.
"""

from collections.abc import Iterator, Mapping
from operator import attrgetter
from pathlib import Path

from label_configs.records import Candidate, Judgment, Pool
from sync.dataset import Dataset
from sync.formats import parquet
from sync.formats.parquet import Kind

_SAID: Mapping[str, Kind] = {
    "kind": "text",
    "query_id": "text",
    "doc_id": "text",
    "other_doc_id": "text",
    "value": "text",
    "rank": "int",
    "start": "float",
    "end": "float",
    "side": "text",
    "reasons": "texts",
    "flags": "texts",
    "note": "text",
    "annotator": "text",
    "project": "id",
    "task_id": "id",
    "annotation_id": "id",
    "updated_at": "text",
    "rules_hash": "text",
    "form": "text",
    "round": "int",
    "position": "int",
    "lead_time": "float",
    "origin": "text",
    "untouched": "bool",
    "pool_id": "text",
}
_SHOWN: Mapping[str, Kind] = {
    "split": "text",
    "role": "text",
    "source": "text",
    "score": "float",
    "proposed_rank": "int",
    "encoder": "text",
    "index": "text",
}


_read = attrgetter(*_SAID)


def write(data: Dataset, folder: Path) -> None:
    """Write judgments.parquet, in the order of annotations, and of the rows within each."""
    parquet.write(folder / "judgments.parquet", {**_SAID, **_SHOWN}, _rows(data))


def _rows(data: Dataset) -> Iterator[list[object]]:
    pools = {pool.pool_id: pool for pool in data.pools}
    shown = {(pool_id, c.doc_id): c for pool_id, pool in pools.items() for c in pool.candidates}
    for j in sorted(data.judgments, key=_order):
        pool, candidate = pools.get(j.pool_id), shown.get((j.pool_id, j.doc_id))
        yield [*_read(j), *_provenance(j, pool, candidate, data)]


def _order(j: Judgment) -> tuple[object, ...]:
    return j.annotation_id, j.query_id, j.position, j.doc_id, j.other_doc_id, j.kind, j.value


def _provenance(j: Judgment, pool: Pool | None, candidate: Candidate | None, data: Dataset) -> list[object]:
    c = (candidate.role, candidate.source, candidate.score, candidate.rank) if candidate else (None,) * 4
    return [data.split(j.query_id), *c, *((pool.encoder, pool.index) if pool else (None, None))]
