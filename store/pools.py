"""Pools on disk: append-only Parquet parts, one row a candidate in display order.

They hold what the task must not: roles, sources, scores. The task's pool_id joins the two. Parts are named
ROUND-NUMBER-DIGEST: by name they stand in the order of their rounds, and within a round as they were written. Each
says when it was written, so that earlier states can be had again; the pools themselves hold no clock time.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NamedTuple

import msgspec
import pyarrow as pa

from label_configs.records import Item, Pool, Query, ScoredDoc, digest
from store import columns, times
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
    ("drawn", pa.int32()),
    ("drawn_from", pa.int32()),
    ("twin", pa.string()),
]
Fits = Callable[[str, str], bool]
"""Whether a query and an item, by their ids, are such as somebody asks for."""
SCHEMA = pa.schema([*_POOL, *_CANDIDATE, ("folded", pa.bool_())])
RUN = pa.schema([("query_id", pa.string()), ("doc_id", pa.string()), ("score", pa.float64())])
_MADE = "made"
ITEMS = pa.schema([("doc_id", pa.string())])


@dataclass(frozen=True)
class Fitting:
    """What of a workspace is a project's: queries and items of the modalities that it asks for.

    there: the items of any modality that the corpus holds; what is not among them was withdrawn.
    """

    asked: frozenset[str]
    shown: frozenset[str]
    there: frozenset[str]

    def __call__(self, query_id: str, doc_id: str) -> bool:
        """Whether both are there and of the project."""
        return query_id in self.asked and doc_id in self.shown

    def owns(self, pool: Pool) -> bool:
        """Whether a pool is the project's: what is left of it is of the project, and something is."""
        left = [c.doc_id for c in pool.candidates if c.doc_id in self.there]
        return bool(left) and all(self(pool.query_id, doc_id) for doc_id in left)


BETTER = "better-match"
"""The source of candidates that annotators brought up; their `reason` is what was written."""


class Rounds(NamedTuple):
    """Of one query: its last round, the version of the index it was made of, and what all rounds named.

    taken_up: the better matches that candidates were found for.
    """

    last: int
    version: str
    named: frozenset[str]
    taken_up: frozenset[str] = frozenset()


def append(folder: Path, pools: Sequence[Pool], run: Sequence[ScoredDoc] = ()) -> None:
    """Keep pools, and the pre-rankings that they were cut from; writing the same again changes nothing.

    The run comes first: a query that has a pool is not asked for another, and would stay without a run.
    """
    last = {pool.query_id: pool.round for pool in sorted(pools, key=lambda pool: pool.round)}
    for round_ in sorted({pool.round for pool in pools}):
        of = [pool for pool in pools if pool.round == round_]
        hits = [hit for hit in run if last.get(hit.query_id, round_) == round_]
        _append(folder / "runs", round_, digest(*hits), RUN, [hit._asdict() for hit in hits])
        name = digest(*(pool.pool_id for pool in of))
        _append(folder, round_, name, SCHEMA, [row for pool in of for row in _rows(pool)])


def fitting(project: Project, queries: Iterable[Query], items: Iterable[Item]) -> Fitting:
    """What is there and of the project's modalities and domain: other projects of the workspace may ask for others."""
    known = list(items)
    return Fitting(
        frozenset(query.query_id for query in queries if _asks(project, query)),
        frozenset(item.doc_id for item in known if project.candidates in {"mixed", item.modality}),
        frozenset(item.doc_id for item in known),
    )


def _asks(project: Project, query: Query) -> bool:
    return query.modality == project.query and project.domain in ("", query.domain)


def run(folder: Path, fits: Fits = lambda query_id, doc_id: True, as_of: str | None = None) -> list[ScoredDoc]:
    """The pre-ranking as far as it fits, of each query the one written last in the highest round."""
    found: dict[str, list[ScoredDoc]] = {}
    for path in _parts(folder / "runs", as_of):
        part: dict[str, list[ScoredDoc]] = {}
        for hit in (ScoredDoc(**row) for row in columns.read([path], RUN).to_pylist()):
            if fits(hit.query_id, hit.doc_id):
                part.setdefault(hit.query_id, []).append(hit)
        found |= part
    return [hit for ranking in found.values() for hit in ranking]


def each(folder: Path, as_of: str | None = None) -> Iterator[Pool]:
    """All pools, part by part, rounds in order; of one that was written twice what was known of it first.

    as_of: those that were there at that time.
    """
    seen: set[str] = set()
    for path in _parts(folder, as_of):
        fresh = [pool for pool in part(path) if pool.pool_id not in seen]
        yield from fresh
        seen.update(pool.pool_id for pool in fresh)


def part(path: Path) -> list[Pool]:
    """The pools of one part. Raises Unreadable where it is damaged."""
    found: dict[str, list[dict[str, object]]] = {}
    with columns.reading(path):
        for row in columns.read([path], SCHEMA).to_pylist():
            found.setdefault(row["pool_id"], []).append(row)
        return [_pool(rows) for rows in found.values()]


def load(folder: Path, as_of: str | None = None) -> dict[str, Pool]:
    """All pools by pool_id; see `each`."""
    return {pool.pool_id: pool for pool in each(folder, as_of)}


def newest(folder: Path, as_of: str | None = None) -> str:
    """When the newest part was written; given as `as_of`, it means the present state for ever."""
    return max((columns.notes(path)[_MADE] for path in _parts(folder, as_of)), default="")


def rounds(folder: Path, fits: Fitting) -> dict[str, Rounds]:
    """What the project's queries have been asked already, by query_id."""
    found: dict[str, Rounds] = {}
    for pool in filter(fits.owns, each(folder)):
        before = found.get(pool.query_id, Rounds(0, "", frozenset()))
        named = before.named.union(c.doc_id for c in (*pool.candidates, *pool.folded))
        taken_up = before.taken_up.union(c.reason for c in pool.candidates if c.source == BETTER)
        found[pool.query_id] = Rounds(max(pool.round, before.last), pool.index, named, taken_up)
    return found


def latest(pools: Iterable[Pool], fits: Fitting) -> list[Pool]:
    """The pools that are put before people: of each query and round the last, without what the corpus has lost."""
    found = {(pool.query_id, pool.round): pool for pool in pools if fits.owns(pool)}
    return [_left(pool, fits.there) for pool in found.values()]


def remember(folder: Path, name: str, doc_ids: Iterable[str]) -> None:
    """Keep which items pools were made of, so that a later round can tell which are new."""
    path = folder / "items" / f"{name}.parquet"
    if not path.exists():
        columns.write(columns.table([{"doc_id": doc_id} for doc_id in sorted(doc_ids)], ITEMS), path)


def remembered(folder: Path, name: str) -> frozenset[str]:
    """The items kept under a name; none where there is no such name."""
    path = folder / "items" / f"{name}.parquet"
    return frozenset(columns.read([path] if path.exists() else [], ITEMS)["doc_id"].to_pylist())


def _left(pool: Pool, there: frozenset[str]) -> Pool:
    left = tuple(c for c in pool.candidates if c.doc_id in there)
    return pool if left == pool.candidates else replace(pool, candidates=left)


def _parts(folder: Path, as_of: str | None) -> list[Path]:
    parts = sorted(folder.glob("*.parquet"))
    return parts if as_of is None else [path for path in parts if columns.notes(path)[_MADE] <= as_of]


def _append(folder: Path, round_: int, name: str, schema: pa.Schema, rows: Sequence[Mapping[str, object]]) -> None:
    parts = list(folder.glob(f"{round_:04d}-*.parquet"))
    if rows and not any(path.stem.endswith(name) for path in parts):
        made = columns.table(rows, schema).replace_schema_metadata({_MADE: times.now()})
        columns.write(made, folder / f"{round_:04d}-{len(parts):06d}-{name}.parquet")


def _rows(pool: Pool) -> list[dict[str, object]]:
    common = {name: getattr(pool, name) for name, _ in _POOL}
    shown = [common | asdict(candidate) | {"folded": False} for candidate in pool.candidates]
    return shown + [common | asdict(candidate) | {"folded": True} for candidate in pool.folded]


def _pool(rows: list[dict[str, object]]) -> Pool:
    shown, folded = ([row for row in rows if row["folded"] is kept] for kept in (False, True))
    return msgspec.convert({**rows[0], "candidates": shown, "folded": folded}, Pool)
