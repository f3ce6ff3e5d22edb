"""TREC: `qrels.txt` with `query_id 0 doc_id grade`, and the pre-ranking as `run.txt`."""

from pathlib import Path

from label_configs.errors import Mendable
from label_configs.records import ScoredDoc
from store import files
from sync.dataset import Dataset


def write(data: Dataset, folder: Path) -> None:
    """Write both files. Raises Mendable for ids with white space, which the format cannot hold."""
    _check(data)
    files.write(folder / "qrels.txt", "".join(f"{q} 0 {d} {grade}\n" for q, d, grade in data.qrels))
    files.write(folder / "run.txt", "".join(_run(list(data.run))))


def _run(run: list[ScoredDoc]) -> list[str]:
    ranks: dict[str, int] = {}
    lines = []
    best_first = sorted(run, key=lambda hit: (hit.score, hit.doc_id), reverse=True)  # ties as trec_eval breaks them
    for hit in sorted(best_first, key=lambda hit: hit.query_id):
        ranks[hit.query_id] = ranks.get(hit.query_id, 0) + 1
        lines.append(f"{hit.query_id} Q0 {hit.doc_id} {ranks[hit.query_id]} {hit.score:.9f} pre-ranking\n")
    return lines


def _check(data: Dataset) -> None:
    ids = {hit.doc_id for hit in data.run} | {q.doc_id for q in data.qrels} | {q.query_id for q in data.qrels}
    spaced = sorted(name for name in ids if name.split() != [name])
    if spaced:
        raise Mendable(
            "The TREC format cannot hold ids with white space.", problems=spaced[:20], mend="Rename them in the corpus."
        )
