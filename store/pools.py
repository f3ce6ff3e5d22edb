"""Pools on disk: append-only Parquet parts, one row a candidate in display order.

They hold what the task must not: roles, sources, scores. The task's pool_id joins the two. Parts are named
ROUND-NUMBER-DIGEST: by name they stand in the order of their rounds, and within a round as they were written.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import msgspec
import pyarrow as pa

from label_configs.records import Item, Pool, Query, ScoredDoc, digest
from store import columns
from store.settings import Project

_POOL = [
    ("pool_id", pa.string()),
    ("query_id", pa.string()),
    ("encoder", pa.string()),
    ("index", pa.string()),
    ("seed", pa.int64()),
    ("round", pa.int32()),
]
_CANDIDATE = [
    ("doc_id", pa.string()),
    ("source", pa.string()),
    ("role", pa.string()),
    ("score", pa.float64()),
    ("rank", pa.int32()),
    ("reason", pa.string()),
]
Fits = Callable[[str, str], bool]
"""Whether a query and an item, by their ids, are such as somebody asks for."""
SCHEMA = pa.schema([*_POOL, *_CANDIDATE])
RUN = pa.schema([("query_id", pa.string()), ("doc_id", pa.string()), ("score", pa.float64())])


def append(folder: Path, pools: Sequence[Pool], run: Sequence[ScoredDoc] = ()) -> None:
    """Keep pools of one round, and the pre-ranking that they were cut from; writing the same again changes nothing.

    The run comes first: a query that has a pool is not asked for another, and would stay without a run.
    """
    if pools:
        round_, name = pools[0].round, digest(*(pool.pool_id for pool in pools))
        _append(folder / "runs", round_, digest(*run), RUN, [hit._asdict() for hit in run])
        _append(folder, round_, name, SCHEMA, [row for pool in pools for row in _rows(pool)])


def fitting(project: Project, queries: Iterable[Query], items: Iterable[Item]) -> Fits:
    """What is there and of the project's modalities: other projects of the workspace may ask for others."""
    asked = {query.query_id for query in queries if query.modality == project.query}
    shown = {item.doc_id for item in items if project.candidates in {"mixed", item.modality}}
    return lambda query_id, doc_id: query_id in asked and doc_id in shown


def run(folder: Path, fits: Fits = lambda query_id, doc_id: True) -> list[ScoredDoc]:
    """The pre-ranking as far as it fits, of each query the one written last in the highest round."""
    found: dict[str, list[ScoredDoc]] = {}
    for path in sorted((folder / "runs").glob("*.parquet")):
        part: dict[str, list[ScoredDoc]] = {}
        for hit in (ScoredDoc(**row) for row in columns.read([path], RUN).to_pylist()):
            if fits(hit.query_id, hit.doc_id):
                part.setdefault(hit.query_id, []).append(hit)
        found |= part
    return [hit for ranking in found.values() for hit in ranking]


def load(folder: Path) -> dict[str, Pool]:
    """All pools by pool_id, rounds in order; of one that was written twice what was known of it first."""
    found: dict[str, list[dict[str, object]]] = {}
    for path in sorted(folder.glob("*.parquet")):
        part: dict[str, list[dict[str, object]]] = {}
        for row in columns.read([path], SCHEMA).to_pylist():
            part.setdefault(row["pool_id"], []).append(row)
        found |= {pool_id: rows for pool_id, rows in part.items() if pool_id not in found}
    return {pool_id: _pool(rows) for pool_id, rows in found.items()}


def whole(pools: Iterable[Pool], fits: Fits) -> list[Pool]:
    """The pools all of whose candidates fit."""
    return [pool for pool in pools if all(fits(pool.query_id, c.doc_id) for c in pool.candidates)]


def latest(pools: Iterable[Pool]) -> dict[str, Pool]:
    """Each query's pool of the highest round."""
    return {pool.query_id: pool for pool in sorted(pools, key=lambda pool: pool.round)}


def _append(folder: Path, round_: int, name: str, schema: pa.Schema, rows: Sequence[Mapping[str, object]]) -> None:
    parts = list(folder.glob(f"{round_:04d}-*.parquet"))
    if rows and not any(path.stem.endswith(name) for path in parts):
        columns.write(columns.table(rows, schema), folder / f"{round_:04d}-{len(parts):06d}-{name}.parquet")


def _rows(pool: Pool) -> list[dict[str, object]]:
    common = {name: getattr(pool, name) for name, _ in _POOL}
    return [common | asdict(candidate) for candidate in pool.candidates]


def _pool(rows: list[dict[str, object]]) -> Pool:
    return msgspec.convert({**rows[0], "candidates": rows}, Pool)
