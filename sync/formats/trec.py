"""TREC: `qrels.txt` with `query_id 0 doc_id grade`, and the pre-ranking as `run.txt`.

For evaluation: all that was judged is in it, of every split, what measures annotators and pools as well. Ids with white
space are percent-encoded, and `ids.tsv` says which: written id, tab, id as a JSON string.
"""

from pathlib import Path

from sync.dataset import Dataset
from sync.formats import base


def write(data: Dataset, folder: Path) -> None:
    """Write both files, and the map of ids where it takes one."""
    pairs = [*((q.query_id, q.doc_id) for q in data.qrels), *((h.query_id, h.doc_id) for h in data.run)]
    spelled = base.spelled(name for pair in pairs for name in pair)

    def as_written(name: str) -> str:
        return spelled.get(name, name)

    qrels = (f"{as_written(q)} 0 {as_written(d)} {grade}\n" for q, d, grade in data.qrels)
    base.text(folder / "qrels.txt", qrels)
    run = (
        f"{as_written(q)} Q0 {as_written(d)} {rank} {score:.9f} pre-ranking\n"
        for q, d, rank, score in base.ranking(data)
    )
    base.text(folder / "run.txt", run)
    base.ids(folder, spelled)
