"""Workspaces whose vectors, pools and judgments are made up, so that what can be learned from them is known."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tiny
from numpy.typing import NDArray

from label_configs import rules as rules_file
from label_configs.records import Candidate, Judgment, Pool, Role, digest
from label_configs.rules import Rules
from ml_backend import index
from ml_backend.encoders.base import Vectors
from ml_backend.vectors import VectorStore, key
from store import pools
from store.judgments import Table
from store.settings import Project, add_project
from store.workspace import Workspace

RULES: Rules = rules_file.parse(rules_file.preset())
DIM, FINGERPRINT, PROJECT = 12, "f" * 16, 7
Grade = Callable[[str, str], object]
"""What somebody says of a query and an item."""


def unit(rows: NDArray[Any]) -> Vectors:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


class Small:
    """Queries q00, q01 … and items d00, d01 … of random directions; each query's pool is `depth` items drawn evenly.

    A pool's score is ten times the inner product: seldom above 6.
    """

    def __init__(self, root: Path, *, queries: int = 40, items: int = 60, depth: int = 12, seed: int = 0) -> None:
        drawn = np.random.default_rng(seed)
        self.queries = {f"q{n:02}": v for n, v in enumerate(unit(drawn.normal(size=(queries, DIM))))}
        self.items = {f"d{n:02}": v for n, v in enumerate(unit(drawn.normal(size=(items, DIM))))}
        self.workspace = Workspace(root)
        root.mkdir(parents=True, exist_ok=True)
        self.workspace.rules_path.write_text(rules_file.preset())
        self.workspace.settings_path.write_text('[encoders.e]\nmodel = "made-up"\n')
        add_project(self.workspace.settings_path, "main", Project(id=PROJECT))
        tiny.write_rows(root / "queries.jsonl", [{"_id": q, "text": f"about {q}"} for q in self.queries])
        vectors = np.array(list(self.items.values()))
        keys = [doc_id.encode() for doc_id in self.items]
        index.build(self.workspace.index, "e", FINGERPRINT, list(self.items), keys, vectors)
        store = VectorStore(self.workspace.embeddings / FINGERPRINT)
        with store.writing():
            store.add([key("text", f"about {q}") for q in self.queries], np.array(list(self.queries.values())))
        chosen = {q: sorted(drawn.choice(list(self.items), depth, replace=False).tolist()) for q in self.queries}
        self.pools = {q: self._pool(q, doc_ids) for q, doc_ids in chosen.items()}
        pools.append(self.workspace.pools, list(self.pools.values()))
        self.table = Table(self.workspace.judgments / str(PROJECT))

    def _pool(self, query_id: str, doc_ids: list[str]) -> Pool:
        scores = {d: round(10 * float(self.queries[query_id] @ self.items[d]), 4) for d in doc_ids}
        candidates = tuple(Candidate(doc_id=d, source="dense:e", score=scores[d], rank=1) for d in doc_ids)
        return Pool(query_id=query_id, candidates=candidates, encoder=FINGERPRINT, index="i", seed=0)

    def answers(self, say: Grade, queries: list[str] | None = None, **more: Any) -> list[Judgment]:
        """What one annotator says of every candidate of some queries, all of them without a list."""
        return [
            judgment(pool, c.doc_id, say(query_id, c.doc_id), **more)
            for query_id, pool in self.pools.items()
            if queries is None or query_id in queries
            for c in pool.candidates
        ]

    def judge(self, judgments: list[Judgment], *, deleted: bool = False) -> None:
        self.table.append(judgments, self.table.known(), deleted=deleted)


def judgment(pool: Pool, doc_id: str, value: object, annotator: str = "ada", **more: Any) -> Judgment:
    named = int(digest(pool.query_id, annotator)[:8], 16)
    given: dict[str, Any] = {
        "kind": "grade",
        "project": PROJECT,
        "task_id": 1,
        "annotation_id": named,
        "updated_at": "2026-01-01T00:00:00.000000Z",
        "query_id": pool.query_id,
        "doc_id": doc_id,
        "value": str(value),
        "annotator": annotator,
        "rules_hash": RULES.hash,
        "pool_id": pool.pool_id,
        "form": "graded",
        "round": 1,
        "position": 0,
    }
    return Judgment(**{**given, **more})


def one_pool(scores: Mapping[str, float], roles: Mapping[str, Role] | None = None) -> Pool:
    """A pool of these scores; of what `roles` names the rank is 0."""
    candidates = tuple(
        Candidate(
            doc_id=d, source="s", score=s, role=(roles or {}).get(d, "candidate"), rank=int(d not in (roles or {}))
        )
        for d, s in scores.items()
    )
    return Pool(query_id="q", candidates=candidates, encoder=FINGERPRINT, index="i", seed=0)
