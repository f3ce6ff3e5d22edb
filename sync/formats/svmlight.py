"""SVMlight for learning to rank: `grade qid:N 1:… 2:… 3:…` lines, in `train.txt`, `dev.txt` and `test.txt`.

Features are what a ranker has before anybody looks: score and reciprocal rank in the pre-ranking, and the similarity of
the encoders; 0 where there is none. `features.tsv` names them. Who proposed an item and as what is no feature: it would
tell hard negatives from the rest. `ids.tsv` says which query_id a qid is, as a JSON string; `SPLIT.ids.jsonl` line
by line what was judged.
"""

from collections.abc import Mapping
from pathlib import Path

from label_configs.records import Relevance
from sync import splits
from sync.dataset import Dataset
from sync.formats import base, told

FEATURES: Mapping[str, str] = {
    "pre_ranking_score": "score in the pre-ranking",
    "pre_ranking_reciprocal_rank": "1 / rank in the pre-ranking",
    "similarity": "mean similarity in the spaces of the encoders",
}
Ranked = Mapping[tuple[str, str], tuple[float, float]]
"""By pair its score in the pre-ranking and its reciprocal rank."""


def write(data: Dataset, folder: Path) -> None:
    """Write each split that has judged pairs; train and dev without what measures annotators and pools."""
    qids = {query_id: n for n, query_id in enumerate(sorted({q.query_id for q in data.qrels}), 1)}
    ranked = {(q, d): (score, 1 / rank) for q, d, rank, score in base.ranking(data)}
    for split in splits.NAMES:
        lines = (_line(r, qids[r.query_id], ranked, data) for r in base.graded(data, split))
        base.text(folder / f"{split}.txt", lines)
        about = ({**told.about(r, data), "reasons": told.reasons(r, data)} for r in base.graded(data, split))
        base.lines(folder / f"{split}.ids.jsonl", about)
    names = (f"{n}\t{name}\t{line}\n" for n, (name, line) in enumerate(FEATURES.items(), 1))
    base.text(folder / "features.tsv", names)
    base.ids(folder, {query_id: str(qid) for query_id, qid in qids.items()})


def _line(r: Relevance, qid: int, ranked: Ranked, data: Dataset) -> str:
    pair = r.query_id, r.doc_id
    shown = data.candidates.get(pair)
    values = (*ranked.get(pair, (0.0, 0.0)), shown.score if shown else 0.0)
    cells = " ".join(f"{n}:{value:.9g}" for n, value in enumerate(values, 1))
    return f"{r.grade} qid:{qid} {cells}\n"
