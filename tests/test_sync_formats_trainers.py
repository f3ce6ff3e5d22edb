"""What sentence-transformers trains on: read by datasets, and a few steps of a small model for each shape."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sync_world import COLORS, QUERIES, RULES, agreed, grade, make_workspace

from label_configs.errors import Mendable
from label_configs.records import Item
from sync.dataset import Dataset, load
from sync.formats import FORMATS

TRAIN = "[splits]\ndev = 0\ntest = 0\n"
JUDGED = {
    ("q1", "d1"): 3,
    ("q1", "d2"): 0,
    ("q1", "d3"): 0,
    ("q1", "d4"): 0,
    ("q1", "d5"): 3,  # a control
    ("q1", "d6"): 0,  # a random draw
    ("q2", "d1"): 1,  # neither positive nor negative
    ("q2", "d2"): 2,
    ("q2", "d4"): 0,
}
TEXT = {d: f"{d.upper()} It is {color}." for d, color in COLORS.items()}
Loaded = Callable[[Path], Any]


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    return agreed(load(make_workspace(tmp_path / "w", candidates="text", settings=TRAIN), "main"), JUDGED)


@pytest.fixture
def pictures(tmp_path: Path) -> Dataset:
    return agreed(load(make_workspace(tmp_path / "w", settings=TRAIN), "main"), JUDGED)


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loaded:
    """A table as people load it."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from datasets import load_dataset

    def load_table(path: Path) -> Any:
        return load_dataset("parquet", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))

    return load_table


def written(data: Dataset, name: str, tmp_path: Path) -> Path:
    out = tmp_path / name
    FORMATS[name].write(data, out)
    return out


def ids(folder: Path, split: str = "train") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{split}.ids.jsonl").read_text().splitlines()]


# what each row holds


def test_pairs_hold_every_positive_with_its_query(data: Dataset, tmp_path: Path, loaded: Loaded) -> None:
    out = written(data, "pairs", tmp_path)
    rows = loaded(out / "train.parquet")
    assert rows.column_names == ["anchor", "positive"]
    assert list(rows) == [
        {"anchor": QUERIES["q1"], "positive": TEXT["d1"]},
        {"anchor": QUERIES["q2"], "positive": TEXT["d2"]},
    ]
    assert [(row["query_id"], row["doc_id"], row["grade"]) for row in ids(out)] == [("q1", "d1", 3), ("q2", "d2", 2)]


def test_scored_pairs_hold_every_grade_as_a_gain_between_0_and_1(data: Dataset, tmp_path: Path, loaded: Loaded) -> None:
    out = written(data, "scored-pairs", tmp_path)
    rows = loaded(out / "train.parquet")
    assert rows.column_names == ["query", "document", "score"]
    scores = {(row["query_id"], row["doc_id"]): score for row, score in zip(ids(out), rows["score"], strict=True)}
    assert scores.keys() == JUDGED.keys() - {("q1", "d5"), ("q1", "d6")}
    assert {pair: round(3 * score) for pair, score in scores.items()} == {pair: JUDGED[pair] for pair in scores}


def test_a_score_lies_between_the_grades_where_annotators_do_not_agree(
    data: Dataset, tmp_path: Path, loaded: Loaded
) -> None:
    split = [grade("q1", "d1", value, who) for who, value in (("ada", 3), ("bob", 3), ("cleo", 2))]
    rest = [j for j in data.judgments if (j.query_id, j.doc_id) != ("q1", "d1")]
    rows = loaded(written(replace(data, judgments=rest + split), "scored-pairs", tmp_path) / "train.parquet")
    assert (rows[0]["query"], rows[0]["document"]) == (QUERIES["q1"], TEXT["d1"])
    assert 2 / 3 < rows[0]["score"] < 1


def test_a_tuple_uses_every_negative_and_repeats_only_where_a_query_has_fewer(
    data: Dataset, tmp_path: Path, loaded: Loaded
) -> None:
    out = written(data, "ntuples", tmp_path)
    rows = loaded(out / "train.parquet")
    assert rows.column_names == ["anchor", "positive", "negative_1", "negative_2", "negative_3"]
    hardest_first = [TEXT[d] for d in ("d2", "d3", "d4")]
    assert list(rows[0].values()) == [QUERIES["q1"], TEXT["d1"], *hardest_first]
    assert list(rows[1].values()) == [QUERIES["q2"], TEXT["d2"], *[TEXT["d4"]] * 3]
    assert len(rows) == 2
    assert [n["doc_id"] for n in ids(out)[0]["negatives"]] == ["d2", "d3", "d4"]


@pytest.mark.parametrize(
    ("width", "negatives"),
    [(1, [["d2"], ["d3"], ["d4"]]), (2, [["d2", "d3"], ["d4", "d2"]]), (3, [["d2", "d3", "d4"]])],
)
def test_a_narrow_tuple_takes_more_rows(tmp_path: Path, width: int, negatives: Sequence[Sequence[str]]) -> None:
    settings = f"{TRAIN}[export]\nnegatives = {width}\n"
    data = agreed(load(make_workspace(tmp_path / "w", candidates="text", settings=settings), "main"), JUDGED)
    rows = ids(written(data, "ntuples", tmp_path))
    assert [[n["doc_id"] for n in row["negatives"]] for row in rows if row["query_id"] == "q1"] == negatives


def test_a_list_holds_all_that_was_judged_with_its_grades(data: Dataset, tmp_path: Path, loaded: Loaded) -> None:
    out = written(data, "labeled-lists", tmp_path)
    rows = loaded(out / "train.parquet")
    assert rows.column_names == ["query", "docs", "labels"]
    assert rows[0] == {"query": QUERIES["q1"], "docs": [TEXT[f"d{n}"] for n in (1, 2, 3, 4)], "labels": [3, 0, 0, 0]}
    assert rows[1] == {"query": QUERIES["q2"], "docs": [TEXT["d2"], TEXT["d4"], TEXT["d1"]], "labels": [2, 0, 1]}


def test_pictures_are_decoded_in_lists_as_well(pictures: Dataset, tmp_path: Path, loaded: Loaded) -> None:
    rows = loaded(written(pictures, "labeled-lists", tmp_path) / "train.parquet")
    assert [picture.getpixel((0, 0)) for picture in rows[0]["docs"]][:2] == [(255, 0, 0), (255, 165, 0)]


SHAPES = ("pairs", "scored-pairs", "triplets", "ntuples", "labeled-lists")


@pytest.mark.parametrize("name", SHAPES)
def test_reasons_travel_with_the_ids(data: Dataset, tmp_path: Path, name: str) -> None:
    given = {"ada": ("object", "scene"), "bob": ("object",)}
    why = [grade("q1", "d1", 3, who, reasons=codes, annotation_id=2) for who, codes in given.items()]
    told = (written(replace(data, judgments=[*data.judgments, *why]), name, tmp_path) / "train.ids.jsonl").read_text()
    assert '{"object":2,"scene":1}' in told
    assert RULES.hash in told


@pytest.mark.parametrize("name", SHAPES)
def test_dev_is_a_file_of_its_own_and_test_is_none(tmp_path: Path, name: str) -> None:
    for share, files in (("dev", {"dev.parquet", "dev.ids.jsonl"}), ("test", set())):
        settings = f"[splits]\n{'test' if share == 'dev' else 'dev'} = 0\n{share} = 1\n"
        data = agreed(load(make_workspace(tmp_path / share, settings=settings), "main"), JUDGED)
        out = written(data, name, tmp_path / f"{share}-out")
        assert {path.name for path in out.glob("*")} == files


@pytest.mark.parametrize("name", SHAPES)
def test_two_modalities_in_a_column_are_refused_in_a_sentence(data: Dataset, tmp_path: Path, name: str) -> None:
    pictures = {d: Item(doc_id=d, modality="image", uri=f"{d}.png") for d in ("d1", "d3")}
    data = replace(data, items={**data.items, **pictures})
    with pytest.raises(Mendable, match="would hold image and text") as refused:
        written(data, name, tmp_path)
    assert "mteb" in refused.value.mend
    assert not list((tmp_path / name).glob("*"))


# trainers


@pytest.mark.parametrize("name", ["pairs", "triplets", "ntuples", "scored-pairs"])
def test_sentence_transformers_trains_on_it(data: Dataset, tmp_path: Path, loaded: Loaded, name: str) -> None:
    import torch
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.sentence_transformer import losses, modules
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = {word: n for n, word in enumerate(_words())}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    torch.manual_seed(0)
    model = SentenceTransformer(modules=[modules.StaticEmbedding(tokenizer, embedding_dim=8)], device="cpu")
    loss = losses.CoSENTLoss if name == "scored-pairs" else losses.MultipleNegativesRankingLoss
    rows = loaded(written(data, name, tmp_path) / "train.parquet")
    arguments = SentenceTransformerTrainingArguments(**_arguments(tmp_path))
    _train(SentenceTransformerTrainer(model=model, args=arguments, train_dataset=rows, loss=loss(model, scale=1)))


def test_a_cross_encoder_trains_on_labeled_lists(data: Dataset, tmp_path: Path, loaded: Loaded) -> None:
    import torch
    import transformers
    from sentence_transformers import CrossEncoder
    from sentence_transformers.cross_encoder import CrossEncoderTrainer, CrossEncoderTrainingArguments
    from sentence_transformers.cross_encoder.losses import LambdaLoss

    sizes: dict[str, Any] = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
    }
    options: dict[str, Any] = {"num_labels": 1, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    config = transformers.BertConfig(vocab_size=len(_words()), max_position_embeddings=64, **sizes, **options)
    (tmp_path / "vocab.txt").write_text("\n".join(_words()))
    torch.manual_seed(0)
    transformers.BertForSequenceClassification(config).save_pretrained(tmp_path / "model")
    transformers.BertTokenizer(vocab=str(tmp_path / "vocab.txt")).save_pretrained(tmp_path / "model")
    model = CrossEncoder(str(tmp_path / "model"), device="cpu")
    rows = loaded(written(data, "labeled-lists", tmp_path) / "train.parquet")
    arguments = CrossEncoderTrainingArguments(**_arguments(tmp_path))
    _train(CrossEncoderTrainer(model=model, args=arguments, train_dataset=rows, loss=LambdaLoss(model)))


def _train(trainer: Any) -> None:
    """A few steps, after which what was trained on is fitted better."""
    trainer.train()
    losses = [step["loss"] for step in trainer.state.log_history if "loss" in step]
    assert len(losses) == trainer.args.max_steps
    assert losses[-1] < losses[0]


def _words() -> list[str]:
    said = " ".join([*QUERIES.values(), *TEXT.values()]).lower().replace(".", " .").split()
    return ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *sorted(set(said)), *sorted({word.title() for word in said})]


def _arguments(tmp_path: Path) -> dict[str, Any]:
    """A few steps of whatever trainer, on a processor, leaving nothing behind."""
    quiet = {"report_to": "none", "save_strategy": "no", "logging_steps": 1, "disable_tqdm": True}
    steps = {"max_steps": 10, "per_device_train_batch_size": 8, "learning_rate": 0.02, "seed": 0}
    return {"output_dir": str(tmp_path / "run"), "use_cpu": True, **steps, **quiet}
