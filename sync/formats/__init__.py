"""Export formats: one file each, one line in the dict. Each writes a folder that its consumer's own loader reads."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from label_configs.records import Kind
from sync.dataset import Dataset
from sync.formats import (
    beir,
    card,
    clip_text,
    colpali,
    dissonance,
    flagembedding,
    grounding,
    interleaved,
    judgments,
    karpathy,
    labeled_lists,
    moments,
    mteb,
    ntuples,
    openclip_csv,
    openclip_wds,
    pairs,
    preferences,
    scored_pairs,
    svmlight,
    tevatron,
    trec,
    triplets,
    vlm2vec,
    wds_negatives,
)


class Format(NamedTuple):
    """How a format is written, who loads it, and what it is in one line. reads: the kinds of judgments it is made of,
    any of them. whole: whether it holds the whole corpus, and not only what was judged.
    """

    write: Callable[[Dataset, Path], None]
    consumer: str
    line: str
    reads: frozenset[Kind] = frozenset({"grade"})
    whole: bool = False


FORMATS: Mapping[str, Format] = {
    "trec": Format(trec.write, "ir_measures, pytrec_eval, ranx", "qrels and the pre-ranking as a run"),
    "beir": Format(beir.write, "beir GenericDataLoader", "corpus, queries and qrels by split", whole=True),
    "mteb": Format(
        mteb.write, "mteb, datasets", "corpus, queries and qrels with media embedded, in the hub's layout", whole=True
    ),
    "pairs": Format(pairs.write, "sentence-transformers, datasets", "anchor and positive"),
    "scored-pairs": Format(
        scored_pairs.write, "sentence-transformers, datasets", "query, document, and how well they match from 0 to 1"
    ),
    "triplets": Format(
        triplets.write, "sentence-transformers, datasets", "anchor, positive, and a negative that people verified"
    ),
    "judgments": Format(
        judgments.write, "datasets, pandas, polars", "every judgment with annotator, rules, source, model and position"
    ),
    "openclip-csv": Format(
        openclip_csv.write, "open_clip_train CsvDataset", "pictures and their texts as a table, pictures beside"
    ),
    "openclip-wds": Format(
        openclip_wds.write, "open_clip_train get_wds_dataset", "pictures and their texts as WebDataset shards"
    ),
    "wds-negatives": Format(
        wds_negatives.write, "webdataset, datasets", "query, positive and verified negatives as shards, any modality"
    ),
    "karpathy": Format(karpathy.write, "readers of Karpathy's splits", "pictures with all their captions, by split"),
    "interleaved": Format(
        interleaved.write,
        "OpenFlamingo, MMC4 readers",
        "groups of a few pictures and texts, with slots for the pictures",
    ),
    "clip-text": Format(
        clip_text.write, "datasets, VideoBERT-style alignment", "clips and texts, aligned or not, with seconds"
    ),
    "moments": Format(
        moments.write,
        "QVHighlights' evaluator, Charades readers",
        "where in a medium a query is answered",
        frozenset({"moment"}),
    ),
    "grounding": Format(grounding.write, "JSON lines", "ranked positives with reasons, notes and evidence"),
    "dissonance": Format(
        dissonance.write, "JSON lines", "figurative, contradictory and unclear pairs, apart from the plain ones"
    ),
    "colpali": Format(
        colpali.write,
        "colpali_engine ColPaliEngineDataset",
        "query, positive and verified negatives by id, and a corpus",
    ),
    "vlm2vec": Format(
        vlm2vec.write, "VLM2Vec, MMEB", "query, positive and verified negative, each a text and a picture's path"
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
        tevatron.write, "Tevatron", "query with ids of positives and verified negatives, and the corpus", whole=True
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


def write(name: str, data: Dataset, folder: Path) -> None:
    """Write a format into an empty folder, and its card, unless there is nothing to write."""
    FORMATS[name].write(data, folder)
    if folder.exists() and any(folder.iterdir()):
        card.write(data, folder, whole=FORMATS[name].whole)
