"""Export formats: one file each, one line in the dict. Each writes a folder that its consumer's own loader reads."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from label_configs.records import Kind
from sync.dataset import Dataset
from sync.formats import (
    beir,
    flagembedding,
    labeled_lists,
    mteb,
    ntuples,
    pairs,
    preferences,
    scored_pairs,
    svmlight,
    tevatron,
    trec,
    triplets,
)


class Format(NamedTuple):
    """How a format is written, who loads it, and what it is in one line. reads: the kinds of judgments it is made of,
    any of them.
    """

    write: Callable[[Dataset, Path], None]
    consumer: str
    line: str
    reads: frozenset[Kind] = frozenset({"grade"})


FORMATS: Mapping[str, Format] = {
    "trec": Format(trec.write, "ir_measures, pytrec_eval, ranx", "qrels and the pre-ranking as a run"),
    "beir": Format(beir.write, "beir GenericDataLoader", "corpus, queries and qrels by split"),
    "mteb": Format(mteb.write, "mteb, datasets", "corpus, queries and qrels with media embedded, and a data set card"),
    "pairs": Format(pairs.write, "sentence-transformers, datasets", "anchor and positive"),
    "scored-pairs": Format(
        scored_pairs.write, "sentence-transformers, datasets", "query, document, and how well they match from 0 to 1"
    ),
    "triplets": Format(
        triplets.write, "sentence-transformers, datasets", "anchor, positive, and a negative that people verified"
    ),
    "ntuples": Format(
        ntuples.write, "sentence-transformers, datasets", "anchor, positive, and several negatives that people verified"
    ),
    "labeled-lists": Format(
        labeled_lists.write,
        "sentence-transformers CrossEncoder",
        "query, and all that was judged of it with its grades",
    ),
    "flagembedding": Format(
        flagembedding.write, "FlagEmbedding", "query, positives and verified negatives with scores; texts alone"
    ),
    "tevatron": Format(
        tevatron.write, "Tevatron", "query with ids of positives and verified negatives, and the corpus"
    ),
    "svmlight": Format(
        svmlight.write, "scikit-learn, LightGBM, XGBoost", "grades and features of the pre-ranking by qid"
    ),
    "preferences": Format(
        preferences.write,
        "datasets, TRL",
        "prompt, chosen, rejected: from comparisons, and from grades that differ",
        frozenset({"grade", "preference"}),
    ),
}
