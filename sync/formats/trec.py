"""TREC: `qrels.txt` with `query_id 0 doc_id grade`, and the pre-ranking as `run.txt`.

Ids with white space are percent-encoded, and `ids.tsv` says which: written id, tab, id as a JSON string.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from label_configs.records import ScoredDoc
from store import files
from sync.dataset import Dataset
from sync.formats import base


def write(data: Dataset, folder: Path) -> None:
    """Write both files, and the map of ids where it takes one."""
    pairs = [*((q.query_id, q.doc_id) for q in data.qrels), *((h.query_id, h.doc_id) for h in data.run)]
    spelled = base.spelled(name for pair in pairs for name in pair)

    def as_written(name: str) -> str:
        return spelled.get(name, name)

    qrels = (f"{as_written(q)} 0 {as_written(d)} {grade}\n" for q, d, grade in data.qrels)
    files.write(folder / "qrels.txt", "".join(qrels))
    run = (f"{as_written(q)} Q0 {as_written(d)} {rank} {score:.9f} pre-ranking\n" for q, d, rank, score in _run(data))
    files.write(folder / "run.txt", "".join(run))
    if spelled:
        mapped = "".join(f"{written}\t{json.dumps(name)}\n" for name, written in spelled.items())
        files.write(folder / "ids.tsv", mapped)


def _run(data: Dataset) -> Iterator[tuple[str, str, int, float]]:
    """query_id, doc_id, rank and score; ties as trec_eval breaks them."""
    ranks: dict[str, int] = {}
    best_first: list[ScoredDoc] = sorted(data.run, key=lambda hit: (hit.score, hit.doc_id), reverse=True)
    for hit in sorted(best_first, key=lambda hit: hit.query_id):
        ranks[hit.query_id] = ranks.get(hit.query_id, 0) + 1
        yield hit.query_id, hit.doc_id, ranks[hit.query_id], hit.score
