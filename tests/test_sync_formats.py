"""Exports, read back by the loaders of those who use them."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import ir_measures
import pytest
from beir.datasets.data_loader import GenericDataLoader
from ir_measures import nDCG
from sync_world import COLORS, GRADES, QUERIES, RULES, agreed, judgments, make_workspace

from label_configs.errors import Mendable
from label_configs.records import Candidate, Item, Pool, Qrel, Query, ScoredDoc
from store.judgments import Table
from sync.dataset import Dataset, load
from sync.evaluation import ndcg
from sync.export import export
from sync.formats import FORMATS, Format, beir, trec, triplets
from sync.formats import judgments as judgments_format
from sync.formats.samples import samples

TRAIN = "[splits]\ndev = 0\ntest = 0\n"


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    return load(make_workspace(tmp_path, settings=TRAIN), "main")


@pytest.fixture
def texts(tmp_path: Path) -> Dataset:
    return load(make_workspace(tmp_path, candidates="text", settings=TRAIN), "main")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def read_qrels(path: Path) -> list[Qrel]:
    read = ir_measures.read_trec_qrels(str(path))
    return [Qrel(q.query_id, q.doc_id, q.relevance) for q in read]


def read_run(path: Path) -> list[ScoredDoc]:
    read = ir_measures.read_trec_run(str(path))
    return [ScoredDoc(h.query_id, h.doc_id, h.score) for h in read]


def rows_of(folder: Path, split: str = "train") -> list[dict[str, str]]:
    return [json.loads(line) for line in (folder / f"{split}.ids.jsonl").read_text().splitlines()]


# TREC


def test_ir_measures_reads_the_qrels_back_value_by_value(data: Dataset, tmp_path: Path) -> None:
    trec.write(data, tmp_path)
    read = read_qrels(tmp_path / "qrels.txt")
    assert read == data.qrels
    assert len(read) == len(GRADES)
    assert (read[0], read[-1]) == (Qrel("q1", "d1", 3), Qrel("q2", "d4", 0))


def test_ir_measures_reads_the_run_back_best_first(data: Dataset, tmp_path: Path) -> None:
    trec.write(data, tmp_path)
    read = read_run(tmp_path / "run.txt")
    assert sorted(read) == sorted(data.run)
    assert [h.doc_id for h in read if h.query_id == "q1"] == ["d5", "d1", "d2", "d3", "d4", "d6"]
    assert (tmp_path / "run.txt").read_text().splitlines()[0] == "q1 Q0 d5 1 9.000000000 pre-ranking"


def test_what_the_report_says_is_what_ir_measures_finds_in_the_files(data: Dataset, tmp_path: Path) -> None:
    tied = replace(data, run=[ScoredDoc(h.query_id, h.doc_id, 1.0) for h in data.run])
    trec.write(tied, tmp_path)
    files = read_qrels(tmp_path / "qrels.txt"), read_run(tmp_path / "run.txt")
    assert ir_measures.calc_aggregate([nDCG @ 10], *files)[nDCG @ 10] == pytest.approx(ndcg(tied.qrels, tied.run))
    ranked = [line.split()[2] for line in (tmp_path / "run.txt").read_text().splitlines() if line.startswith("q1")]
    assert ranked == ["d6", "d5", "d4", "d3", "d2", "d1"]


@pytest.mark.parametrize(
    ("name", "written"), [("a b", "a%20b"), (" a", "%20a"), ("a\tb", "a%09b"), ("a\u00a0b", "a%C2%A0b"), ("", "%")]
)
def test_an_id_with_white_space_is_mapped_and_the_map_delivered(
    data: Dataset, tmp_path: Path, name: str, written: str
) -> None:
    trec.write(replace(data, run=[ScoredDoc("q1", name, 1.0)]), tmp_path)
    assert read_run(tmp_path / "run.txt") == [ScoredDoc("q1", written, 1.0)]
    ids = [line.split("\t") for line in (tmp_path / "ids.tsv").read_text().splitlines()]
    assert [(key, json.loads(value)) for key, value in ids] == [(written, name)]


# BEIR


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # beir leaves its files open
def test_beirs_own_loader_reads_it_value_by_value(texts: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "beir"
    beir.write(texts, out)
    corpus, queries, qrels = GenericDataLoader(str(out)).load("train")
    assert corpus == {d: {"title": d.upper(), "text": f"It is {color}."} for d, color in COLORS.items()}
    assert queries == {q: QUERIES[q] for q in ("q1", "q2")}  # nobody judged q3
    assert qrels == {"q1": {"d1": 3, "d2": 2, "d3": 0, "d4": 3}, "q2": {"d2": 1, "d4": 0}}  # a judged 0 is not unjudged


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # beir leaves its files open
def test_what_evaluates_has_all_that_was_judged_and_what_trains_has_no_control(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "w", settings=TRAIN)
    workspace.frozen.write_text("q1\n")
    beir.write(load(workspace, "main"), tmp_path / "out")
    _, _, test = GenericDataLoader(str(tmp_path / "out")).load("test")
    assert test == {"q1": {"d1": 3, "d2": 2, "d3": 0, "d4": 3, "d5": test["q1"]["d5"], "d6": 0}}


def test_only_splits_that_hold_grades_are_written(tmp_path: Path) -> None:
    beir.write(load(make_workspace(tmp_path, settings="[splits]\ndev = 0\ntest = 1\n"), "main"), tmp_path / "beir")
    assert [p.name for p in (tmp_path / "beir" / "qrels").iterdir()] == ["test.tsv"]


def test_pictures_stand_beside_the_text(data: Dataset, tmp_path: Path) -> None:
    beir.write(data, tmp_path / "beir")
    first = json.loads((tmp_path / "beir" / "corpus.jsonl").read_text().splitlines()[0])
    assert (first["_id"], first["text"], first["image"]) == ("d1", "It is red.", "pictures/d1.png")


# triplets


def test_datasets_decodes_the_pictures_in_the_order_that_trainers_expect(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from datasets import load_dataset

    triplets.write(data, tmp_path / "out")
    read = load_dataset(
        "parquet", data_files=str(tmp_path / "out" / "train.parquet"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert read.column_names == ["anchor", "positive", "negative"]  # the order, not the name, is what trainers go by
    assert read["anchor"][:] == ["something red"] * 3
    assert [cell.getpixel((0, 0)) for cell in read["positive"]] == [(255, 0, 0), (255, 165, 0), (0, 128, 0)]
    assert [cell.getpixel((0, 0)) for cell in read["negative"]] == [(0, 0, 255)] * 3


def test_text_candidates_come_as_title_and_text(texts: Dataset, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    triplets.write(texts, tmp_path / "out")
    table = pq.read_table(tmp_path / "out" / "train.parquet")
    assert table.to_pylist()[0] == {
        "anchor": "something red",
        "positive": "D1 It is red.",
        "negative": "D3 It is blue.",
    }


def test_the_rows_say_where_they_come_from(data: Dataset, tmp_path: Path) -> None:
    triplets.write(data, tmp_path)
    assert rows_of(tmp_path)[0] == {
        "query_id": "q1",
        "positive_id": "d1",
        "positive_grade": 3,
        "positive_source": "dense",
        "positive_reasons": {},
        "negative_id": "d3",
        "negative_grade": 0,
        "negative_source": "dense",
        "negative_reasons": {},
        "rules_hash": RULES.hash,
    }


@pytest.mark.parametrize(("only", "value"), [("positives", 3), ("middling", 1), ("negatives", 0)])
def test_a_query_with_one_kind_of_grade_gives_no_triplet(data: Dataset, tmp_path: Path, only: str, value: int) -> None:
    same = agreed(data, {("q1", d): value for d in ("d1", "d2", "d3", "d4")})
    assert list(samples(same, "train", 1)) == []
    triplets.write(same, tmp_path / only)
    assert contents(tmp_path / only) == {}


def test_test_queries_stay_out_of_training(tmp_path: Path) -> None:
    half = load(make_workspace(tmp_path, settings="[splits]\ndev = 0\ntest = 1\n"), "main")
    triplets.write(half, tmp_path / "out")
    assert contents(tmp_path / "out") == {}


@pytest.mark.parametrize("seed", range(20))
def test_every_positive_and_negative_is_used_and_nothing_else(data: Dataset, seed: int) -> None:
    random = Random(seed)
    docs = [f"x{n}" for n in range(12)]
    shown = [Candidate(doc_id=d, source="dense", score=random.random()) for d in docs]
    pools = [Pool(query_id="q1", candidates=tuple(shown), encoder="", index="", seed=0)]
    given = {("q1", d): random.choice(RULES.values) for d in docs}
    world = agreed(replace(data, pools=pools, items={d: Item(doc_id=d, text=d) for d in docs}), given)
    made = list(samples(world, "train", 1))
    positives, negatives = (
        {d for (_, d), g in given.items() if g in side} for side in (RULES.positive, RULES.negative)
    )
    assert len(made) == max(len(positives), len(negatives)) * bool(positives and negatives)
    assert {t.positive.doc_id for t in made} == (positives if made else set())
    assert {r.doc_id for t in made for r in t.negatives} == (negatives if made else set())


def test_audio_and_video_cells_are_declared_as_what_they_are(data: Dataset, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    (tmp_path / "a.wav").write_bytes(b"RIFF")
    sound = replace(
        data,
        items={d: Item(doc_id=d, modality="audio", uri="a.wav") for d in COLORS},
        queries={q: Query(query_id=q, modality="video", uri="a.wav") for q in QUERIES},
    )
    triplets.write(sound, tmp_path / "out")
    metadata = pq.read_schema(tmp_path / "out" / "train.parquet").metadata[b"huggingface"]
    kinds = {name: feature["_type"] for name, feature in json.loads(metadata)["info"]["features"].items()}
    assert kinds == {"anchor": "Video", "positive": "Audio", "negative": "Audio"}


# judgments


def test_every_judgment_says_where_it_comes_from(data: Dataset, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    of = replace(data, judgments=[replace(j, pool_id=pools_of(data)[j.query_id]) for j in data.judgments])
    judgments_format.write(of, tmp_path)
    rows = pq.read_table(tmp_path / "judgments.parquet").to_pylist()
    assert len(rows) == 2 * len(GRADES)
    about = {name: rows[0][name] for name in ("query_id", "doc_id", "value", "annotator", "rules_hash", "form")}
    assert about == {
        "query_id": "q1",
        "doc_id": "d1",
        "value": "3",
        "annotator": "ada",
        "rules_hash": RULES.hash,
        "form": "graded",
    }
    shown = [rows[0][name] for name in ("role", "source", "score", "encoder", "index", "split")]
    assert shown == ["candidate", "dense", 5.0, "toy", "i1", "train"]
    assert rows[0]["untouched"] is False
    judgments_format.write(data, tmp_path / "unknown")  # of pools that nobody remembers
    assert pq.read_table(tmp_path / "unknown" / "judgments.parquet")["source"].null_count == 2 * len(GRADES)


def pools_of(data: Dataset) -> dict[str, str]:
    return {pool.query_id: pool.pool_id for pool in data.pools}


# export


def test_nothing_labelled_is_a_sentence_not_an_empty_folder(tmp_path: Path) -> None:
    data = load(make_workspace(tmp_path, labelled=False), "main")
    with pytest.raises(Mendable, match="no grades yet"):
        export(data, ["trec"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_unknown_format_lists_those_there_are(data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(Mendable, match=r"no format csv, xls\.") as unknown:
        export(data, ["trec", "csv", "xls"], tmp_path / "out")
    assert unknown.value.mend == f"Take some of: {', '.join(FORMATS)}."
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("candidates", ["image", "text"])
def test_the_same_answers_give_the_same_bytes_anywhere(tmp_path: Path, candidates: str) -> None:
    found = []
    for place, seed in (("here", 0), ("there", 1)):
        workspace = make_workspace(tmp_path / place, candidates=candidates, settings=TRAIN, labelled=False)
        said = judgments()
        Table(workspace.judgments / "7").append(Random(seed).sample(said, len(said)), {})
        refused = [written(load(workspace, "main"), name, workspace.exports) for name in FORMATS]
        found.append((contents(workspace.exports), refused))
    assert found[0] == found[1]
    assert {name.partition("/")[0] for name in found[0][0]} >= {"beir", "trec", "triplets"}


def written(data: Dataset, name: str, out: Path) -> str:
    """What a format says that cannot hold the data; nothing of one that can."""
    try:
        export(data, [name], out)
    except Mendable as refused:
        return str(refused)
    return ""


def test_a_new_export_replaces_the_old_as_a_whole(data: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(data, ["beir", "trec"], out)
    (out / "beir" / "stale.txt").write_text("from an earlier version")
    paths = export(data, ["beir", "beir"], out)
    assert [p.relative_to(out).as_posix() for p in paths] == [
        "beir/README.md",
        "beir/corpus.jsonl",
        "beir/qrels/train.tsv",
        "beir/queries.jsonl",
    ]
    assert sorted(p.name for p in out.iterdir()) == ["beir", "trec"]
    assert not (out / "beir" / "stale.txt").exists()


def test_a_format_that_fails_leaves_what_stood_there(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    export(data, ["trec"], out)
    before = contents(out / "trec")

    def half(data: Dataset, folder: Path) -> None:
        (folder / "qrels.txt").write_text("q1 0 d1 3\n")
        raise OSError("the disk is full")

    monkeypatch.setattr("sync.formats.FORMATS", {"trec": Format(half, "", "")})
    with pytest.raises(OSError, match="disk is full"):
        export(data, ["trec"], out)
    assert contents(out / "trec") == before
    monkeypatch.undo()
    export(data, ["trec"], out)
    assert sorted(p.name for p in out.iterdir()) == ["trec"]


def test_every_format_says_who_reads_it() -> None:
    lines: Sequence[str] = [f"{one.consumer}: {one.line}" for one in FORMATS.values()]
    assert len(set(lines)) == len(FORMATS)
    assert all(one.consumer and one.line for one in FORMATS.values())
