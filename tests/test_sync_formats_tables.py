"""Formats of whole data sets, and of other trainers: MTEB, FlagEmbedding, Tevatron, SVMlight, preferences."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from consumers import part
from media_world import moment
from sync_world import COLORS, GRADES, QUERIES, agreed, grade, make_workspace

from label_configs.errors import Mendable
from label_configs.records import Item, Judgment, Query
from sync.dataset import Dataset, load
from sync.export import export
from sync.formats import write
from sync.formats.preferences import comparisons, preferences
from sync.formats.svmlight import FEATURES
from sync.moments import moments
from sync.splits import Frozen

TRAIN = "[splits]\ndev = 0\ntest = 0\n"
TEXT = {d: f"{d.upper()} It is {color}." for d, color in COLORS.items()}


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    return load(make_workspace(tmp_path / "w", settings=TRAIN), "main")


@pytest.fixture
def texts(tmp_path: Path) -> Dataset:
    return load(make_workspace(tmp_path / "w", candidates="text", settings=TRAIN), "main")


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loaders find what they need in the folder alone, and keep what they make in the test's own."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def written(data: Dataset, name: str, tmp_path: Path) -> Path:
    write(name, data, tmp_path / name)
    return tmp_path / name


def read(path: Path, kind: str = "parquet") -> Any:
    from datasets import load_dataset

    return load_dataset(kind, data_files=str(path), split="train")


# MTEB


def mteb_loads(folder: Path, split: str, config: str = "default") -> Any:
    from mteb.abstasks.retrieval_dataset_loaders import RetrievalDatasetLoader

    return RetrievalDatasetLoader(str(folder), None, split=split, config=config).load()  # type: ignore[arg-type]


def test_mtebs_own_loader_reads_it_value_by_value_from_any_folder(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = tmp_path / "elsewhere"
    written(data, "mteb", tmp_path).rename(moved)
    shutil.rmtree(tmp_path / "w")  # pictures are in the tables
    monkeypatch.chdir("/")
    loaded = mteb_loads(moved, "train")
    assert loaded["corpus"]["id"][:] == list(COLORS)
    pixels = [picture.getpixel((0, 0)) for picture in loaded["corpus"]["image"]]
    assert (pixels[0], pixels[-1]) == ((255, 0, 0), (255, 255, 255))
    assert list(loaded["queries"]) == [{"id": q, "modality": "text", "text": QUERIES[q]} for q in ("q1", "q2")]
    relevant = {"q1": {"d1": 3, "d2": 2, "d3": 0, "d4": 3}, "q2": {"d2": 1, "d4": 0}}  # a judged 0 is not unjudged
    assert loaded["relevant_docs"] == relevant
    assert loaded["top_ranked"] is None  # a search through the whole corpus


def test_a_reranking_ranks_what_was_judged_and_nothing_else(tmp_path: Path) -> None:
    data = load(make_workspace(tmp_path / "w", settings="[splits]\ndev = 0\ntest = 1\n"), "main")
    loaded = mteb_loads(written(data, "mteb", tmp_path), "test", "reranking")
    ranked = {"q1": ["d5", "d1", "d2", "d3", "d4", "d6"], "q2": ["d2", "d4"]}  # d1 was shown for q2, and not judged
    assert loaded["top_ranked"] == ranked
    assert {q: sorted(of) for q, of in loaded["relevant_docs"].items()} == {q: sorted(of) for q, of in ranked.items()}


def test_what_the_pre_ranking_did_not_find_is_reranked_last(data: Dataset, tmp_path: Path) -> None:
    unfound = replace(data, run=[hit for hit in data.run if hit.doc_id != "d1"])
    loaded = mteb_loads(written(unfound, "mteb", tmp_path), "train", "reranking")
    assert loaded["top_ranked"]["q1"] == ["d2", "d3", "d4", "d1"]


def test_mteb_evaluates_a_model_on_it(texts: Dataset, tmp_path: Path) -> None:
    import mteb
    import numpy as np
    from mteb.abstasks.retrieval import AbsTaskRetrieval
    from mteb.abstasks.task_metadata import TaskMetadata
    from mteb.models.model_meta import ModelMeta

    colors = list(COLORS.values())

    class OneColour:
        """Finds what names the same colour."""

        mteb_model_meta = ModelMeta.create_empty()

        def encode(self, inputs: Any, **about: Any) -> Any:
            said = [text for batch in inputs for text in batch["text"]]
            return np.array([[float(color in text) for color in colors] for text in said])

        def similarity(self, one: Any, other: Any) -> Any:
            return mteb.similarity_functions.dot_score(one, other)

        def similarity_pairwise(self, one: Any, other: Any) -> Any:
            return mteb.similarity_functions.pairwise_dot_score(one, other)

    class Judged(AbsTaskRetrieval):
        metadata = TaskMetadata(
            name="Judged",
            description="Judged by people.",
            dataset={"path": str(written(texts, "mteb", tmp_path)), "revision": "main"},
            type="Retrieval",
            category="t2t",
            modalities=["text"],
            eval_splits=["train"],
            eval_langs=["eng-Latn"],
            main_score="recall_at_1",
        )

    result = mteb.evaluate(OneColour(), Judged(), cache=None, show_progress_bar=False)
    (scores,) = result.task_results[0].scores["train"]
    assert scores["main_score"] == pytest.approx((1 / 3 + 0) / 2, abs=1e-5)  # red finds one of three; blue none of one


@pytest.mark.parametrize(("share", "split"), [("dev", "dev"), ("test", "test")])
def test_each_split_is_loaded_by_its_name(tmp_path: Path, share: str, split: str) -> None:
    none = "test" if share == "dev" else "dev"
    world = load(make_workspace(tmp_path / "w", settings=f"[splits]\n{none} = 0\n{share} = 1\n"), "main")
    out = written(world, "mteb", tmp_path)
    assert len(mteb_loads(out, split)["relevant_docs"]) == 2
    assert [path.name for path in (out / "qrels").iterdir()] == [f"{split}.parquet"]


def test_a_corpus_of_several_modalities_has_a_column_for_each_and_its_stretches(data: Dataset, tmp_path: Path) -> None:
    items = {
        **data.items,
        "d2": Item(doc_id="d2", title="On", text="orange"),
        "d3": replace(data.items["d3"], start=1, end=2),
    }
    corpus = read(written(replace(data, items=items), "mteb", tmp_path) / "corpus" / "corpus.parquet")
    assert corpus.column_names == ["id", "modality", "text", "image", "start", "end"]
    assert corpus[1] == {"id": "d2", "modality": "text", "text": "On orange", "image": None, "start": None, "end": None}
    assert (corpus[2]["start"], corpus[2]["end"], corpus[2]["image"].size) == (1.0, 2.0, (4, 4))


def test_the_card_names_the_tables_for_the_hub(data: Dataset, tmp_path: Path) -> None:
    out = written(data, "mteb", tmp_path)
    _, head, _ = (out / "README.md").read_text().split("---\n", 2)
    configs = {one["config_name"]: one["data_files"] for one in yaml.safe_load(head)["configs"]}
    assert list(configs)[:3] == ["corpus", "queries", "qrels"]
    assert all((out / file["path"]).is_file() for files in configs.values() for file in files)
    assert "*" not in head  # no aliases: people read it


# FlagEmbedding


def flagembedding_rows(folder: Path, **more: Any) -> Any:
    """The rows as FlagEmbedding's own data set draws them: a query, a positive with its negatives, their scores."""
    embedder = "FlagEmbedding.abc.finetune.embedder"
    arguments = part(f"{embedder}.AbsArguments").AbsEmbedderDataArguments
    made = arguments(train_data=[str(folder)], cache_path=str(folder.parent / "cache"), **more)
    return part(f"{embedder}.AbsDataset").AbsEmbedderTrainDataset(made, None)


def test_flagembeddings_own_data_set_draws_positives_and_verified_negatives(texts: Dataset, tmp_path: Path) -> None:
    out = written(texts, "flagembedding", tmp_path)
    rows = flagembedding_rows(out / "train", train_group_size=3, knowledge_distillation=True)
    assert len(rows) == 1
    query, passages, scores = rows[0]
    assert query == QUERIES["q1"]
    assert passages[0] in {TEXT[d] for d in ("d1", "d2", "d4")}
    assert passages[1:] == [TEXT["d3"]] * 2
    assert scores[0] > 0.6 > 0.1 > scores[1] == scores[2]
    assert flagembedding_rows(out / "train", train_group_size=2)[0][2] is None  # no distillation, no scores
    (row,) = read(out / "train" / "train.jsonl", "json")
    assert (row["pos_ids"], row["neg_ids"]) == (["d1", "d2", "d4"], ["d3"])
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "cache", "train"]  # a folder is read whole


def test_texts_alone_go_to_flagembedding(data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(Mendable, match="holds texts alone") as refused:
        written(data, "flagembedding", tmp_path)
    assert "tevatron" in refused.value.mend
    assert not (tmp_path / "flagembedding").exists()


# Tevatron


def tevatron_groups(folder: Path, assets: Path) -> Iterator[tuple[Any, list[Any], list[Any]]]:
    """What `TrainDataset` makes of `--dataset_path` and `--corpus_path`: ids looked up in the corpus by its `docid`,
    text of the column `text`, pictures as datasets decode them, films and MP3 from below `--assets_path`.
    """
    corpus = read(folder / "corpus.parquet")
    index = {docid: n for n, docid in enumerate(corpus["docid"])}

    def item(docid: str) -> tuple[str, Any, Any, Any]:
        found = corpus[index[docid]]
        video, audio = found.get("video"), found.get("audio")
        assert audio is None or audio.endswith(".mp3")
        return found.get("text", ""), found.get("image"), video and str(assets / video), audio and str(assets / audio)

    for group in read(folder / "train.parquet"):
        query = group.get("query_text", "") or "", group.get("query_image"), group.get("query_video")
        positives, negatives = (group[f"{side}_document_ids"] for side in ("positive", "negative"))
        yield query, [item(d) for d in positives], [item(d) for d in negatives]


def test_tevatrons_loader_finds_pictures_by_id(data: Dataset, tmp_path: Path) -> None:
    ((query, positives, negatives),) = tevatron_groups(written(data, "tevatron", tmp_path), tmp_path)
    assert query == (QUERIES["q1"], None, None)
    assert [(text, image.getpixel((0, 0))) for text, image, *_ in positives] == [
        ("It is red.", (255, 0, 0)),
        ("It is orange.", (255, 165, 0)),
        ("It is green.", (0, 128, 0)),
    ]
    assert [image.getpixel((0, 0)) for _, image, *_ in negatives] == [(0, 0, 255)]


def test_tevatron_reads_texts_without_a_column_of_media(texts: Dataset, tmp_path: Path) -> None:
    out = written(texts, "tevatron", tmp_path)
    assert read(out / "corpus.parquet").column_names == ["docid", "text"]
    ((query, positives, negatives),) = tevatron_groups(out, tmp_path)
    assert query[0] == QUERIES["q1"]
    assert [text for text, *_ in positives] == [TEXT[d] for d in ("d1", "d2", "d4")]
    assert [text for text, *_ in negatives] == [TEXT["d3"]]


def test_tevatron_finds_films_and_mp3_as_files_and_pictures_as_queries(data: Dataset, tmp_path: Path) -> None:
    for name in ("a.mp3", "b.mp4"):
        (tmp_path / "w" / name).write_bytes(name.encode())
    items = {d: Item(doc_id=d, modality="audio", uri="a.mp3") for d in COLORS}
    items |= {"d3": Item(doc_id="d3", modality="video", uri="b.mp4")}
    queries = {q: Query(query_id=q, modality="image", uri="pictures/d1.png") for q in QUERIES}
    out = written(replace(data, items=items, queries=queries), "tevatron", tmp_path)
    ((query, positives, negatives),) = tevatron_groups(out, out)
    assert (query[0], query[1].getpixel((0, 0))) == ("", (255, 0, 0))
    assert Path(positives[0][3]).read_bytes() == b"a.mp3"
    assert Path(negatives[0][2]).read_bytes() == b"b.mp4"


def test_sounds_that_are_not_all_mp3_are_embedded_for_tevatron(data: Dataset, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    for name in ("a.mp3", "b.wav"):
        (tmp_path / "w" / name).write_bytes(name.encode())
    items = {d: Item(doc_id=d, modality="audio", uri="b.wav" if d == "d1" else "a.mp3") for d in COLORS}
    corpus = pq.read_table(written(replace(data, items=items), "tevatron", tmp_path) / "corpus.parquet")
    assert [cell["bytes"] for cell in corpus["audio"].to_pylist()] == [b"b.wav", *[b"a.mp3"] * 5]


@pytest.mark.parametrize(("name", "dev"), [("flagembedding", "dev/dev.jsonl"), ("tevatron", "dev.parquet")])
def test_dev_is_apart_from_train_and_test_is_in_neither(tmp_path: Path, name: str, dev: str) -> None:
    for share, there in (("dev", {dev}), ("test", set())):
        settings = f"[splits]\n{'test' if share == 'dev' else 'dev'} = 0\n{share} = 1\n"
        world = load(make_workspace(tmp_path / share / "w", candidates="text", settings=settings), "main")
        out = written(world, name, tmp_path / share)
        found = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
        assert found - {"corpus.parquet", "README.md"} == there


# SVMlight


def test_scikit_learn_reads_grades_queries_and_features(data: Dataset, tmp_path: Path) -> None:
    from sklearn.datasets import load_svmlight_file

    out = written(data, "svmlight", tmp_path)
    features, labels, qids = load_svmlight_file(str(out / "train.txt"), query_id=True)
    about = [json.loads(line) for line in (out / "train.ids.jsonl").read_text().splitlines()]
    assert [(row["query_id"], row["doc_id"]) for row in about] == [
        *(("q1", d) for d in ("d1", "d2", "d3", "d4")),  # hardest to tell first; no control, no random draw
        *(("q2", d) for d in ("d2", "d4")),
    ]
    assert labels.tolist() == [row["grade"] for row in about] == [3, 2, 0, 3, 1, 0]
    assert qids.tolist() == [1, 1, 1, 1, 2, 2]
    assert features.toarray()[0].tolist() == [5.0, 1 / 2, 5.0]  # the control ranks first
    assert features.toarray()[-1].tolist() == [1.5, 1 / 2, 1.5]
    names = [line.split("\t")[1] for line in (out / "features.tsv").read_text().splitlines()]
    assert names == list(FEATURES)
    queries = dict(line.split("\t") for line in (out / "ids.tsv").read_text().splitlines())
    assert {number: json.loads(name) for number, name in queries.items()} == {"1": "q1", "2": "q2"}


def test_a_test_split_holds_all_that_was_judged(tmp_path: Path) -> None:
    world = load(make_workspace(tmp_path / "w", settings="[splits]\ndev = 0\ntest = 1\n"), "main")
    out = written(world, "svmlight", tmp_path)
    assert not (out / "train.txt").exists()
    assert len((out / "test.txt").read_text().splitlines()) == len(GRADES)


def test_what_was_neither_ranked_nor_compared_has_features_of_0(data: Dataset, tmp_path: Path) -> None:
    out = written(replace(data, run=[]), "svmlight", tmp_path)
    assert (out / "train.txt").read_text().splitlines()[0] == "3 qid:1 1:0 2:0 3:5"


def test_lightgbm_ranks_by_it(data: Dataset, tmp_path: Path) -> None:
    import numpy as np
    from lightgbm import Dataset as Rows
    from lightgbm import train
    from sklearn.datasets import load_svmlight_file

    features, labels, qids = load_svmlight_file(str(written(data, "svmlight", tmp_path) / "train.txt"), query_id=True)
    sizes = np.unique(qids, return_counts=True)[1]
    options = {"objective": "lambdarank", "verbose": -1, "min_data_in_leaf": 1, "num_threads": 1}
    ranker = train(options, Rows(features.toarray(), labels, group=sizes, feature_name=list(FEATURES)), 3)
    assert ranker.num_trees() == 3
    assert ranker.predict(features.toarray())[0] > ranker.predict(features.toarray())[2]


# preferences


def compared(query_id: str, doc_id: str, other: str, annotator: str, value: str = "better", **more: Any) -> Judgment:
    return grade(query_id, doc_id, value, annotator, kind="preference", other_doc_id=other, form="pairwise", **more)


def preferred(data: Dataset) -> list[tuple[str, str, str, str, float]]:
    found = preferences(data, "train", comparisons(data.spoken))
    return [(p.query.query_id, p.chosen, p.rejected, p.said, p.margin) for p in found]


def test_the_one_that_more_people_chose_is_chosen_by_how_many_more(data: Dataset) -> None:
    said = [compared("q1", "d2", "d1", "ada"), compared("q1", "d2", "d1", "bob"), compared("q1", "d1", "d2", "cleo")]
    assert preferred(replace(data, judgments=said)) == [("q1", "d2", "d1", "pairwise", round(1 / 3, 4))]


@pytest.mark.parametrize("value", ["tie", "neither"])
def test_a_comparison_that_ended_even_is_left_out(data: Dataset, value: str) -> None:
    even = [compared("q1", "d1", "d2", "ada"), compared("q1", "d2", "d1", "bob")]
    assert preferred(replace(data, judgments=even)) == []
    assert preferred(replace(data, judgments=[compared("q1", "d1", "d2", "ada", value)])) == []
    ahead = [compared("q1", "d1", "d2", "ada"), compared("q1", "d1", "d2", "bob", value)]
    assert preferred(replace(data, judgments=ahead)) == [("q1", "d1", "d2", "pairwise", 0.5)]


def test_of_an_annotator_the_last_word_on_a_pair_counts_whatever_the_sides(data: Dataset) -> None:
    said = [
        compared("q1", "d2", "d1", "ada", updated_at="2026-01-02T00:00:00.000000Z"),
        compared("q1", "d1", "d2", "ada", updated_at="2026-01-01T00:00:00.000000Z"),
    ]
    assert preferred(replace(data, judgments=said)) == [("q1", "d2", "d1", "pairwise", 1.0)]


def test_grades_that_differ_say_what_is_better_and_equal_ones_do_not(data: Dataset) -> None:
    world = agreed(data, {("q1", "d1"): 3, ("q1", "d2"): 3, ("q1", "d3"): 0, ("q2", "d4"): 1})
    found = preferred(world)
    assert [row[:4] for row in found] == [("q1", "d1", "d3", "grades"), ("q1", "d2", "d3", "grades")]
    assert all(0.9 < row[4] <= 1 for row in found)


def test_what_people_compared_stands_before_what_follows_from_their_grades(data: Dataset) -> None:
    graded = agreed(data, {("q1", "d1"): 3, ("q1", "d3"): 0, ("q1", "d4"): 0})
    said = [compared("q1", "d3", "d1", "ada"), compared("q1", "d1", "d4", "ada", "tie")]
    world = replace(graded, judgments=[*graded.judgments, *said])
    assert preferred(world) == [("q1", "d3", "d1", "pairwise", 1.0)]


def test_what_is_at_odds_with_its_text_is_not_chosen(data: Dataset) -> None:
    odd = [grade("q1", "d1", 3, who, flags=("figurative",)) for who in ("ada", "bob")]
    rules = replace(data.rules, dissonance=("literal", "figurative"))
    world = replace(data, rules=rules, judgments=[*odd, compared("q1", "d1", "d2", "ada")])
    assert preferred(world) == []
    assert preferred(replace(world, judgments=[*odd, compared("q1", "d2", "d1", "ada")])) != []


def test_no_preference_shows_a_control_a_draw_or_what_answers_a_later_split(tmp_path: Path) -> None:
    data = load(make_workspace(tmp_path / "w", settings=TRAIN), "main")
    said = [compared("q1", "d1", other, "ada") for other in ("d5", "d6", "d3")]
    assert [row[1:3] for row in preferred(replace(data, judgments=said))] == [("d1", "d3")]
    held = {**data.queries, "q3": replace(data.queries["q3"], positives=("d3",))}
    tested = replace(data, judgments=said, queries=held, frozen=Frozen(frozenset({"q3"})))
    assert preferred(tested) == []


def test_what_a_model_prefers_and_why_is_nobodys_word(tmp_path: Path) -> None:
    settings = f'{TRAIN}[consensus]\nmodels = ["robot"]\n'
    data = load(make_workspace(tmp_path / "w", settings=settings), "main")
    said = [compared("q1", "d1", "d2", "robot"), grade("q1", "d1", 3, "robot", reasons=("object",))]
    world = replace(data, judgments=[*data.judgments, *said])
    assert preferred(world) == preferred(data)
    assert written(world, "preferences", tmp_path).joinpath("train.ids.jsonl").read_text().count("object") == 0
    robot = replace(data, judgments=[moment("q1", "d1", "robot", 1.0, 4.0), moment("q1", "d2", "ada", 1.0, 4.0)])
    assert [one.doc_id for one in moments(robot)] == ["d2"]


def test_datasets_reads_prompt_chosen_and_rejected(data: Dataset, tmp_path: Path) -> None:
    rows = read(written(data, "preferences", tmp_path) / "train.parquet")
    assert rows.column_names == ["prompt", "chosen", "rejected", "said", "margin"]
    about = [json.loads(line) for line in (tmp_path / "preferences" / "train.ids.jsonl").read_text().splitlines()]
    assert len(rows) == len(about) == 5 + 1  # d1 d2 d3 d4 with 3 2 0 3; d2 d4 with 1 0
    assert rows[0]["prompt"] == QUERIES["q1"]
    assert (rows[0]["chosen"].getpixel((0, 0)), rows[0]["rejected"].getpixel((0, 0))) == ((255, 0, 0), (255, 165, 0))
    assert (about[0]["chosen_id"], about[-1]["rejected_id"]) == ("d1", "d4")


def test_a_project_of_comparisons_alone_has_preferences_and_nothing_else(data: Dataset, tmp_path: Path) -> None:
    world = replace(data, judgments=[compared("q1", "d1", "d2", "ada")])
    paths = export(world, ["preferences"], tmp_path / "out")
    assert [path.name for path in paths] == ["README.md", "train.ids.jsonl", "train.parquet"]
    with pytest.raises(Mendable, match="no grades yet"):
        export(world, ["preferences", "beir"], tmp_path / "other")
    assert not (tmp_path / "other").exists()
