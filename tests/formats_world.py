"""A world in which every rule of honesty can be broken, and what each format's files say of its pairs."""

import csv
import json
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pyarrow.parquet as pq
from media_world import moment
from PIL import Image
from sync_world import grade, make_workspace

from label_configs.records import Candidate, Item, Judgment, Modality, Pool, Query, Role, ScoredDoc
from store.gold import Gold
from sync.dataset import Dataset, load
from sync.splits import Frozen

MEDIUM: Mapping[str, Modality] = {"flagembedding": "text", "clip-text": "video", "moments": "video"}
"""What the items of a format's world are; pictures where nothing is said."""
VOTES: Mapping[str, Mapping[str, str]] = {  # one digit an annotator
    "train": {
        "strong": "333",
        "weak": "222",
        "torn": "332",
        "middling": "111",
        "wrong": "000",
        "gold": "333",
        "gold-wrong": "000",
        "control": "333",
        "random": "000",
        "audit": "000",
        "figurative": "333",
        "held": "000",
    },
    "none": {"wrong": "000", "wrong-too": "000"},
    "test": {"held": "333", "wrong": "000", "control": "333"},
}
UNJUDGED = ("unjudged", "known")
ROLES: Mapping[str, Role] = {"control": "control", "random": "random", "audit": "audit"}
UNTRAINED = frozenset({"gold", "gold-wrong", "control", "random", "audit", "held"})
WHY: Mapping[str, tuple[str, ...]] = {"strong": ("object", "scene"), "wrong": ("attribute",)}


def everything(root: Path, medium: Modality = "image") -> Dataset:
    """Queries of train, one of which nothing matches, and one of test; with gold, draws, a figurative match, an item
    that answers the test query, one that nobody judged and one that is only known to be right.
    """
    data = load(make_workspace(root, settings="[splits]\ndev = 0\ntest = 0\n"), "main")
    names = sorted({d for of in VOTES.values() for d in of} | set(UNJUDGED))
    queries = {q: Query(query_id=q, text=f"ask {q}") for q in VOTES}
    queries["train"] = replace(queries["train"], positives=("known",))
    pools = [
        Pool(
            query_id=q,
            encoder="",
            index="",
            seed=0,
            candidates=tuple(
                Candidate(doc_id=d, source="dense", role=ROLES.get(d, "candidate"), score=float(-n))
                for n, d in enumerate((*of, *UNJUDGED))
            ),
        )
        for q, of in VOTES.items()
    ]
    return replace(
        data,
        items={d: item(root, d, medium) for d in names},
        queries=queries,
        pools=pools,
        run=[ScoredDoc(pool.query_id, c.doc_id, c.score) for pool in pools for c in pool.candidates],
        judgments=list(said()),
        frozen=Frozen(frozenset({"test"})),
        gold={("train", d): Gold("train", d, 3 if d == "gold" else 0, "hand") for d in ("gold", "gold-wrong")},
    )


def item(root: Path, doc_id: str, medium: Modality) -> Item:
    """An item whose medium is as no other's."""
    if medium == "text":
        return Item(doc_id=doc_id, text=f"text of {doc_id}")
    suffix = {"image": "png", "video": "mp4", "audio": "wav"}[medium]
    path = root / "media" / f"{len(list((root / 'media').glob('*')))}.{suffix}"
    path.parent.mkdir(exist_ok=True)
    if medium == "image":
        Image.new("RGB", (4, 4), (len(list(path.parent.iterdir())), 0, 0)).save(path)
    else:
        path.write_bytes(doc_id.encode())
    about = {"duration": 20.0, "licence": "CC-BY-4.0", "author": f"who made {doc_id}"}
    return Item(doc_id=doc_id, modality=medium, uri=f"media/{path.name}", text=f"text of {doc_id}", metadata=about)


def said() -> Iterator[Judgment]:
    """The grades of everything, and moments in the same pairs: somewhere in what matches, nowhere in the rest."""
    for query_id, of in VOTES.items():
        for doc_id, votes in of.items():
            flags = ("figurative",) if doc_id == "figurative" else ()
            for who, value in enumerate(votes):
                reasons = WHY.get(doc_id, ())
                yield grade(query_id, doc_id, value, f"a{who}", flags=flags, reasons=reasons)
                yield moment(query_id, doc_id, f"a{who}", *((4.0, 8.0) if value in "23" else (None, None)))


# what files say


As = Literal["positive", "negative", "graded"]
SIDES: Mapping[As, str] = {"positive": "pos", "negative": "neg"}


class Seen(NamedTuple):
    """A pair in a file: of which split, as what, and what stands beside it, as far as something does."""

    split: str
    query_id: str
    doc_id: str
    role: As
    grade: int | None = None
    weight: float | None = None
    reasons: frozenset[str] | None = None


Read = Callable[[Path], Iterator[Seen]]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]


def codes(told: Any) -> frozenset[str]:
    """Reasons, whichever way they stand."""
    return frozenset(told.split(", ")) - {""} if isinstance(told, str) else frozenset(told)


def _trec(folder: Path) -> Iterator[Seen]:
    ids = written_ids(folder)
    for line in (folder / "qrels.txt").read_text("utf-8").split("\n")[:-1]:
        query_id, _, doc_id, value = line.split()
        yield Seen("test", ids.get(query_id, query_id), ids.get(doc_id, doc_id), "graded", int(value))


def written_ids(folder: Path) -> dict[str, str]:
    """The map of ids that a format could not hold, where there is one."""
    if not (folder / "ids.tsv").exists():
        return {}
    rows = (folder / "ids.tsv").read_text("utf-8").split("\n")[:-1]
    return {key: json.loads(value) for key, value in (row.split("\t", 1) for row in rows)}


def _beir(folder: Path) -> Iterator[Seen]:
    for path in sorted((folder / "qrels").iterdir()):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                yield Seen(path.stem, row["query-id"], row["corpus-id"], "graded", int(row["score"]))


def _mteb(folder: Path) -> Iterator[Seen]:
    for path in sorted((folder / "qrels").iterdir()):
        for row in pq.read_table(path).to_pylist():
            yield Seen(path.stem, row["query-id"], row["corpus-id"], "graded", row["score"])


def _ids(folder: Path) -> Iterator[Seen]:
    """Of the tables whose ids stand apart."""
    for path in sorted(folder.glob("*.ids.jsonl")):
        split = path.name.partition(".")[0]
        table = folder / f"{split}.parquet"
        scores = pq.read_table(table).to_pylist() if table.exists() else []
        for n, row in enumerate(lines(path)):
            weight = scores[n].get("score") if scores else row.get("weight")
            yield from _of(split, row, weight)


def _of(split: str, row: Mapping[str, Any], weight: float | None) -> Iterator[Seen]:
    at = partial(Seen, split, row["query_id"])
    for role in SIDES:
        if f"{role}_id" in row:
            yield at(row[f"{role}_id"], role, row[f"{role}_grade"], None, codes(row[f"{role}_reasons"]))
    for one in row.get("negatives", ()):
        yield at(one["doc_id"], "negative", one["grade"], None, codes(one["reasons"]))
    for one in row.get("docs", [row] if "doc_id" in row else []):
        yield at(one["doc_id"], "graded", one["grade"], weight, codes(one["reasons"]))


def _preferences(folder: Path) -> Iterator[Seen]:
    for row in lines(folder / "train.ids.jsonl"):
        for side in ("chosen", "rejected"):
            yield Seen("train", row["query_id"], row[f"{side}_id"], "graded", None, None, codes(row[f"{side}_reasons"]))


def _judgments(folder: Path) -> Iterator[Seen]:
    for row in pq.read_table(folder / "judgments.parquet").to_pylist():
        if row["kind"] == "grade":
            yield Seen("all", row["query_id"], row["doc_id"], "graded", int(row["value"]), None, codes(row["reasons"]))


def _pair(split: str, row: Mapping[str, Any], role: As = "positive") -> Seen:
    weight = row.get("weight")
    return Seen(
        split,
        row["query_id"],
        row["doc_id"],
        role,
        int(row["grade"]),
        None if weight is None else float(weight),
        codes(row["reasons"]),
    )


def _openclip_csv(folder: Path) -> Iterator[Seen]:
    for path in sorted(folder.glob("*.tsv")):
        if path.name != "ATTRIBUTION.tsv":
            with path.open(encoding="utf-8", newline="") as file:
                yield from (_pair(path.stem, row) for row in csv.DictReader(file, delimiter="\t"))


def _shards(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(folder.glob("*/*.tar")):
        with tarfile.open(path) as archive:
            for member in archive:
                if member.name.endswith(".json"):
                    found = archive.extractfile(member)
                    assert found
                    yield path.parent.name, json.load(found)


def _openclip_wds(folder: Path) -> Iterator[Seen]:
    return (_pair(split, row) for split, row in _shards(folder))


def _sides(split: str, row: Mapping[str, Any], positives: str, negatives: str) -> Iterator[Seen]:
    """Of rows that name a positive and several negatives."""
    at = partial(Seen, split, row["query_id"])
    yield at(row[positives], "positive", row["pos_grade"], row.get("pos_weight"), codes(row["pos_reasons"]))
    sides = zip(row[negatives], row["neg_grades"], row["neg_reasons"], strict=True)
    yield from (at(doc_id, "negative", value, None, codes(why)) for doc_id, value, why in sides)


def _wds_negatives(folder: Path) -> Iterator[Seen]:
    for split, row in _shards(folder):
        yield from _sides(split, row, "pos_id", "neg_ids")


def _colpali(folder: Path) -> Iterator[Seen]:
    for path in sorted(folder.glob("*.jsonl")):
        for row in lines(path):
            yield from _sides(path.stem, row, "pos_target", "neg_target")


def _karpathy(folder: Path) -> Iterator[Seen]:
    for image in json.loads((folder / "dataset.json").read_text("utf-8"))["images"]:
        yield from (_pair(image["split"], sentence) for sentence in image["sentences"])


def _interleaved(folder: Path) -> Iterator[Seen]:
    for path in sorted(folder.glob("*.jsonl")):
        for group in lines(path):
            yield from (_pair(path.stem, row) for row in group["about"])


def _clip_text(folder: Path) -> Iterator[Seen]:
    for path in sorted(folder.glob("*.parquet")):
        for row in pq.read_table(path).to_pylist():
            yield _pair(path.stem, row, "positive" if row["aligned"] else "negative")


def _moments(folder: Path) -> Iterator[Seen]:
    for path in sorted(folder.glob("*.pairs.jsonl")):
        for row in lines(path):
            role: As = "negative" if row["start"] is None else "positive"
            yield Seen(path.name.partition(".")[0], row["query_id"], row["doc_id"], role)


def _grounding(folder: Path) -> Iterator[Seen]:
    for path in sorted(folder.glob("*.jsonl")):
        for row in lines(path):
            if not row["positives"]:
                yield Seen(path.stem, row["query_id"], "", "graded")
            yield from (_pair(path.stem, one | one["rationale"]) for one in row["positives"])


def _dissonance(folder: Path) -> Iterator[Seen]:
    for path in sorted(folder.glob("*.jsonl")):
        yield from (_pair(path.stem, row, "graded") for row in lines(path))


def _vlm2vec(folder: Path) -> Iterator[Seen]:
    for path in sorted(folder.glob("*.parquet")):
        for row in pq.read_table(path).to_pylist():
            at = partial(Seen, path.stem, row["query_id"])
            yield at(row["pos_id"], "positive", row["pos_grade"], row["pos_weight"], codes(row["pos_reasons"]))
            if row["neg_id"]:
                yield at(row["neg_id"], "negative", None, None, codes(row["neg_reasons"]))


def _flagembedding(folder: Path) -> Iterator[Seen]:
    for path in sorted(folder.glob("*/*.jsonl")):
        for row in lines(path):
            for role, side in SIDES.items():
                told = zip(row[f"{side}_ids"], row[f"{side}_scores"], row[f"{side}_reasons"], strict=True)
                yield from (Seen(path.stem, row["query_id"], d, role, None, w, codes(why)) for d, w, why in told)


def _tevatron(folder: Path) -> Iterator[Seen]:
    for path in sorted(folder.glob("*.parquet")):
        for row in pq.read_table(path).to_pylist() if path.stem != "corpus" else []:
            for role in SIDES:
                told = zip(row[f"{role}_document_ids"], row[f"{role}_reasons"], strict=True)
                yield from (Seen(path.stem, row["query_id"], d, role, None, None, codes(why)) for d, why in told)


READERS: Mapping[str, Read] = {
    "trec": _trec,
    "beir": _beir,
    "mteb": _mteb,
    **dict.fromkeys(("pairs", "scored-pairs", "triplets", "ntuples", "labeled-lists", "svmlight"), _ids),
    "preferences": _preferences,
    "judgments": _judgments,
    "openclip-csv": _openclip_csv,
    "openclip-wds": _openclip_wds,
    "wds-negatives": _wds_negatives,
    "karpathy": _karpathy,
    "interleaved": _interleaved,
    "clip-text": _clip_text,
    "moments": _moments,
    "grounding": _grounding,
    "dissonance": _dissonance,
    "colpali": _colpali,
    "vlm2vec": _vlm2vec,
    "flagembedding": _flagembedding,
    "tevatron": _tevatron,
}
