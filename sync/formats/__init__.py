"""Export formats: one file each, one line in the dict. Each writes a folder that its consumer's own loader reads."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from sync.dataset import Dataset
from sync.formats import beir, judgments, trec, triplets


class Format(NamedTuple):
    """How a format is written, who loads it, and what it is in one line."""

    write: Callable[[Dataset, Path], None]
    consumer: str
    line: str


FORMATS: Mapping[str, Format] = {
    "trec": Format(trec.write, "ir_measures, pytrec_eval, ranx", "qrels and the pre-ranking as a run"),
    "beir": Format(beir.write, "beir GenericDataLoader", "corpus, queries and qrels by split"),
    "triplets": Format(
        triplets.write, "sentence-transformers, datasets", "anchor, positive, and a negative that people verified"
    ),
    "judgments": Format(
        judgments.write, "datasets, pandas, polars", "every judgment with annotator, rules, source, model and position"
    ),
}
