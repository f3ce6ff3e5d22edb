"""Exports for trainers on media, read back by the loaders of those who use them."""

import base64
import json
import random
import re
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
import tiny
from consumers import part
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from media_world import filmed, judged, turned, with_export
from PIL import Image
from sync_world import QUERIES, RULES, make_workspace
from webdataset import WebDataset

from label_configs.errors import Mendable
from label_configs.records import Item, Query
from sync.dataset import Dataset, load
from sync.formats import (
    FORMATS,
    clip_text,
    colpali,
    interleaved,
    karpathy,
    openclip_csv,
    openclip_wds,
    vlm2vec,
    wds_negatives,
)
from sync.formats.samples import samples, width

TRAIN = "[splits]\ndev = 0\ntest = 0\n"
RED, ORANGE, BLUE, GREEN = (255, 0, 0), (255, 165, 0), (0, 0, 255), (0, 128, 0)
OPEN = pytest.mark.filterwarnings(  # webdataset leaves its files open
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
MINE = ("openclip-csv", "openclip-wds", "wds-negatives", "karpathy", "interleaved", "colpali", "vlm2vec", "grounding")


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    """q1 has the positives d1, d2, d4, hardest first, and the negative d3; q2 the negative d4, and a middling item."""
    return load(make_workspace(tmp_path / "world", settings=TRAIN), "main")


@pytest.fixture
def texts(tmp_path: Path) -> Dataset:
    return load(make_workspace(tmp_path / "texts", candidates="text", settings=TRAIN), "main")


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def pixel(picture: Image.Image) -> object:
    return picture.convert("RGB").getpixel((0, 0))


# open_clip, a table


def csv_pairs(folder: Path, split: str = "train") -> list[tuple[object, str]]:
    """The pairs as open_clip's own data set gives them, which opens pictures from the folder that it is started in."""
    from open_clip_train.data import CsvDataset

    with chdir(folder):
        read = CsvDataset(f"{split}.tsv", pixel, "filepath", "title", tokenizer=lambda texts: texts)
        return [read[n] for n in range(len(read))]


def test_open_clip_reads_the_table_pair_by_pair(data: Dataset, tmp_path: Path) -> None:
    openclip_csv.write(data, tmp_path / "out")
    assert csv_pairs(tmp_path / "out") == [(RED, "something red"), (ORANGE, "something red"), (GREEN, "something red")]


def test_the_picture_comes_first_whichever_was_the_query(data: Dataset, tmp_path: Path) -> None:
    openclip_csv.write(turned(data), tmp_path / "out")
    assert csv_pairs(tmp_path / "out") == [(RED, "red"), (RED, "orange"), (RED, "green")]


def test_of_two_pictures_the_query_is_the_picture_and_the_item_has_the_caption(data: Dataset, tmp_path: Path) -> None:
    both = replace(turned(data), items=data.items)
    openclip_csv.write(both, tmp_path / "out")
    assert csv_pairs(tmp_path / "out") == [(RED, "It is red."), (RED, "It is orange."), (RED, "It is green.")]


def test_two_pictures_without_a_caption_are_refused_all_at_once(data: Dataset, tmp_path: Path) -> None:
    mute = replace(turned(data), items={d: replace(item, text="") for d, item in data.items.items()})
    with pytest.raises(Mendable, match="3 judged pairs have no text") as refused:
        openclip_csv.write(mute, tmp_path / "out")
    assert refused.value.problems[0] == "q1 and d1"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["openclip-csv", "openclip-wds", "karpathy", "interleaved", "clip-text"])
def test_texts_alone_are_refused_where_a_medium_is_wanted(texts: Dataset, tmp_path: Path, name: str) -> None:
    with pytest.raises(Mendable, match=f"The format {name} holds pairs of .* and text, and nobody judged one"):
        FORMATS[name].write(texts, tmp_path / "out")


def test_of_a_mixed_project_the_pictures_are_taken(data: Dataset, tmp_path: Path) -> None:
    mixed = replace(data, items={**data.items, "d2": Item(doc_id="d2", modality="video", uri="film.mp4")})
    openclip_csv.write(mixed, tmp_path / "out")
    assert [color for color, _ in csv_pairs(tmp_path / "out")] == [RED, GREEN]


TAKEN_FOR_MISSING = st.sampled_from(["NA", "null", "nan", 'he said "red"', '"'])
WORDS = st.text(min_size=1).filter(lambda text: text.split() != []) | TAKEN_FOR_MISSING


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=st.lists(WORDS, min_size=1, max_size=20))
def test_any_title_comes_back_in_one_line(data: Dataset, tmp_path: Path, said: list[str]) -> None:
    asked = judged(data, {f"q{n:02}": {"d1": 3} for n in range(len(said))} | {"r": {"d1": 3}})
    queries = {**asked.queries, **{f"q{n:02}": Query(query_id=f"q{n:02}", text=text) for n, text in enumerate(said)}}
    openclip_csv.write(replace(asked, queries=queries), tmp_path / "out")
    titles = [title.strip() for _, title in csv_pairs(tmp_path / "out")]
    assert titles == [*(" ".join(text.split()) for text in said), "ask r"]


def test_ids_grade_and_confidence_stand_in_columns_of_their_own(data: Dataset, tmp_path: Path) -> None:
    openclip_csv.write(data, tmp_path)
    header, first, *_ = (tmp_path / "train.tsv").read_text().splitlines()
    about = ["query_id", "doc_id", "grade", "weight", "confidence", "reasons", "rules_hash"]
    assert header.split("\t") == ["filepath", "title", *about]
    assert first.split("\t")[1:5] == ["something red", "q1", "d1", "3"]


def test_by_reference_the_table_names_the_corpus_own_uris(data: Dataset, tmp_path: Path) -> None:
    openclip_csv.write(with_export(data, media="reference"), tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["train.tsv"]
    assert "\npictures/d1.png\t" in (tmp_path / "out" / "train.tsv").read_text()


# open_clip, shards


def wds_pairs(shards: str) -> list[tuple[object, str]]:
    """The pairs as open_clip's own loader gives them to its trainer for validation, in their order.

    For training the same loader goes through a function of its own that wants webdataset 0.2.
    """
    import torch
    from open_clip_train.data import get_wds_dataset

    args = SimpleNamespace(val_data=shards, val_num_samples=None, batch_size=2, workers=0)
    info = get_wds_dataset(args, lambda p: torch.tensor(pixel(p)), is_train=False, tokenizer=lambda text: [text])
    return [
        (tuple(color), text)
        for pictures, texts in info.dataloader
        for color, text in zip(pictures.tolist(), texts, strict=True)
    ]


@OPEN
def test_open_clips_loader_reads_the_shards_and_finds_their_size(data: Dataset, tmp_path: Path) -> None:
    from open_clip_train.data import get_dataset_size

    openclip_wds.write(data, tmp_path / "out")
    named = str(tmp_path / "out" / "train" / "{00000..00000}.tar")
    assert get_dataset_size(named) == (3, 1)
    assert wds_pairs(named) == [(RED, "something red"), (ORANGE, "something red"), (GREEN, "something red")]


@OPEN
def test_a_thousand_pairs_make_a_shard(data: Dataset, tmp_path: Path) -> None:
    from open_clip_train.data import get_dataset_size

    many = judged(data, {f"q{n:04}": {"d1": 3} for n in range(1001)})
    openclip_wds.write(many, tmp_path / "out")
    named = str(tmp_path / "out" / "train" / "{00000..00001}.tar")
    assert get_dataset_size(named) == (1001, 2)
    pairs = wds_pairs(named)
    assert (len(pairs), pairs[0], pairs[-1]) == (1001, (RED, "ask q0000"), (RED, "ask q1000"))


@OPEN
def test_each_pair_says_where_it_comes_from(data: Dataset, tmp_path: Path) -> None:
    openclip_wds.write(data, tmp_path)
    first = next(iter(WebDataset(str(tmp_path / "train" / "00000.tar"), shardshuffle=False)))
    assert (first["__key__"], first["txt"]) == ("000000000", b"something red")
    about = json.loads(first["json"])
    assert (about["query_id"], about["doc_id"], about["grade"], about["votes"]) == ("q1", "d1", 3, 2)
    assert 0.9 < about["weight"] <= 1.0


@OPEN
@pytest.mark.parametrize(("kind", "mode"), [("GIF", "P"), ("TIFF", "CMYK"), ("BMP", "RGB")])
def test_pictures_that_open_clip_passes_over_become_png(data: Dataset, tmp_path: Path, kind: str, mode: str) -> None:
    Image.new("RGB", (4, 4), "red").convert(mode).save(data.media.root / "pictures" / f"odd.{kind.lower()}", kind)
    odd = replace(data.items["d1"], uri=f"pictures/odd.{kind.lower()}")
    openclip_wds.write(replace(data, items={**data.items, "d1": odd}), tmp_path / "out")
    pairs = wds_pairs(str(tmp_path / "out" / "train" / "00000.tar"))
    assert pairs[0] == (RED, "something red")
    assert len(pairs) == 3


@pytest.mark.filterwarnings("ignore:.*pin_memory:UserWarning")  # open_clip asks for it on a CPU too
@pytest.mark.parametrize("pictures", ["originals", "thumbnails"])
def test_open_clip_learns_from_the_pairs(data: Dataset, tmp_path: Path, pictures: str) -> None:
    import open_clip
    import torch
    from open_clip_train.data import get_csv_dataset

    out = tmp_path / "out"
    colors = {f"d{n}": Item(doc_id=f"d{n}", modality="image", uri=f"pictures/d{n}.png") for n in (1, 3)}
    world = replace(judged(data, {"1": {"d1": 3}, "3": {"d3": 3}}), items=colors)
    openclip_csv.write(with_export(world, pictures=pictures), out)
    torch.manual_seed(0)
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{tiny.build_model(tmp_path / 'model')}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{tmp_path / 'model'}")
    args = SimpleNamespace(train_data="train.tsv", csv_img_key="filepath", csv_caption_key="title", csv_separator="\t")
    args.distributed, args.batch_size, args.workers = False, 2, 0
    optimizer, losses = torch.optim.Adam(model.parameters(), lr=1e-3), []
    with chdir(out):
        for _ in range(20):
            for images, tokens in get_csv_dataset(args, preprocess, is_train=True, tokenizer=tokenizer).dataloader:
                loss = open_clip.ClipLoss()(*model(images, tokens))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 2, losses


# shards with negatives


def hub(tmp_path: Path, files: str, kind: str = "webdataset") -> Any:
    from datasets import load_dataset

    return load_dataset(kind, data_files=files, split="train", cache_dir=str(tmp_path / "cache"))


@OPEN
def test_webdataset_reads_query_positive_and_verified_negatives(data: Dataset, tmp_path: Path) -> None:
    wds_negatives.write(data, tmp_path)
    read = list(WebDataset(str(tmp_path / "train" / "00000.tar"), shardshuffle=False).decode("pil"))
    assert [sample["query.txt"] for sample in read] == ["something red"] * 3
    assert [pixel(sample["pos.png"]) for sample in read] == [RED, ORANGE, GREEN]
    assert [pixel(sample["neg0.png"]) for sample in read] == [BLUE] * 3
    assert read[0]["json"]["neg_ids"] == ["d3"]
    assert "neg1.png" not in read[0]


def test_the_hubs_builder_reads_the_same(data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    wds_negatives.write(data, tmp_path)
    read = hub(tmp_path, str(tmp_path / "train" / "*.tar"))
    assert read["query.txt"][:] == ["something red"] * 3
    assert [pixel(picture) for picture in read["pos.png"]] == [RED, ORANGE, GREEN]
    assert [pixel(picture) for picture in read["neg0.png"]] == [BLUE] * 3
    assert read[2]["json"]["pos_id"] == "d4"


def test_every_sample_has_as_many_negatives_and_all_are_used(data: Dataset, tmp_path: Path) -> None:
    uneven = judged(
        data, {"a": {"p": 3, "x": 0, "y": 0}, "b": {"p": 3, "r": 2, "v": 0, "w": 0, "x": 0, "y": 0, "z": 0}}
    )
    made = samples(uneven, "train", width(uneven))
    assert [(s.query.query_id, s.positive.doc_id, [r.doc_id for r in s.negatives]) for s in made] == [
        ("a", "p", ["x", "y", "x", "y", "x"]),
        ("b", "p", ["v", "w", "x", "y", "z"]),
        ("b", "r", ["v", "w", "x", "y", "z"]),
    ]
    assert width(with_export(uneven, negatives=2)) == 2


GRADES = st.dictionaries(st.sampled_from([f"d{n}" for n in range(9)]), st.sampled_from(RULES.values), min_size=1)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given=st.dictionaries(st.sampled_from("abc"), GRADES, min_size=1))
def test_only_what_people_called_negative_is_a_negative(data: Dataset, given: dict[str, dict[str, int]]) -> None:
    world = judged(data, given)
    made = list(samples(world, "train", width(world)))
    assert len({len(s.negatives) for s in made}) <= 1
    for q, grades in given.items():
        mine = [s for s in made if s.query.query_id == q]
        positives, negatives = (
            {d for d, g in grades.items() if g in side} for side in (RULES.positive, RULES.negative)
        )
        whole = bool(positives and negatives)
        assert {s.positive.doc_id for s in mine} == (positives if whole else set())
        assert {r.doc_id for s in mine for r in s.negatives} == (negatives if whole else set())


def test_pictures_of_several_kinds_have_one_key(data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    Image.new("RGB", (4, 4), "blue").save(data.media.root / "pictures" / "d3.jpeg", quality=100)
    mixed = replace(data, items={**data.items, "d3": replace(data.items["d3"], uri="pictures/d3.jpeg")})
    wds_negatives.write(mixed, tmp_path)
    first = hub(tmp_path, str(tmp_path / "train" / "*.tar"))[0]
    assert (first["pos.jpg"].format, first["neg0.jpg"].format) == ("PNG", "JPEG")


def test_thumbnails_are_one_kind_whatever_the_pictures_were(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    wds_negatives.write(with_export(data, pictures="thumbnails"), tmp_path)
    first = hub(tmp_path, str(tmp_path / "train" / "*.tar"))[0]
    assert (first["pos.webp"].format, first["neg0.webp"].format) == ("WEBP", "WEBP")


@OPEN
def test_films_carry_the_stretch_that_is_meant(data: Dataset, tmp_path: Path) -> None:
    wds_negatives.write(filmed(data), tmp_path)
    first = next(iter(WebDataset(str(tmp_path / "train" / "00000.tar"), shardshuffle=False)))
    assert (first["pos.mp4"], first["neg0.mp4"]) == (b"film", b"film")
    about = json.loads(first["json"])
    assert (about["query_stretch"], about["pos_stretch"], about["neg_stretches"]) == ([0, 0], [0, 1.5], [[2, 3.5]])


@pytest.mark.parametrize("name", ["wds-negatives", "colpali"])
def test_several_modalities_in_one_column_are_refused(data: Dataset, tmp_path: Path, name: str) -> None:
    mixed = replace(data, items={**data.items, "d2": Item(doc_id="d2", text="orange")})
    with pytest.raises(Mendable, match="one modality") as refused:
        FORMATS[name].write(mixed, tmp_path / "out")
    assert refused.value.problems == ("items: image, text",)
    assert not (tmp_path / "out").exists()


# Karpathy's captions


def karpathy_pairs(path: Path, split: str) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Texts by picture and pictures by text, as readers of Karpathy's splits make them: over images and sentences."""
    by_picture: dict[str, list[str]] = {}
    by_text: dict[str, list[str]] = {}
    for image in json.loads(path.read_text("utf-8"))["images"]:
        if image["split"] == split:
            place = f"{image['filepath']}/{image['filename']}"
            for sentence in image["sentences"]:
                by_picture.setdefault(place, []).append(sentence["raw"])
                by_text.setdefault(sentence["raw"], []).append(place)
    return by_picture, by_text


def test_captions_read_back_in_both_directions(data: Dataset, tmp_path: Path) -> None:
    karpathy.write(data, tmp_path)
    by_picture, by_text = karpathy_pairs(tmp_path / "dataset.json", "train")
    assert [pixel(Image.open(tmp_path / place)) for place in by_text["something red"]] == [RED, ORANGE, GREEN]
    assert list(by_picture.values()) == [["something red"]] * 3


def test_a_picture_that_was_the_query_has_all_its_texts(data: Dataset, tmp_path: Path) -> None:
    karpathy.write(turned(data), tmp_path)
    by_picture, _ = karpathy_pairs(tmp_path / "dataset.json", "train")
    assert list(by_picture.values()) == [["red", "orange", "green"]]


def test_a_text_has_one_sentid_and_a_sentence_says_whose_it_is(data: Dataset, tmp_path: Path) -> None:
    karpathy.write(data, tmp_path)
    images = json.loads((tmp_path / "dataset.json").read_text())["images"]
    assert [image["imgid"] for image in images] == [0, 1, 2]
    assert [image["sentids"] for image in images] == [[0]] * 3
    sentence = {"raw": "something red", "tokens": ["something", "red"], "imgid": 0, "sentid": 0}
    about = {"query_id": "q1", "doc_id": "d1", "grade": 3, "rules_hash": RULES.hash}
    (found,) = images[0]["sentences"]
    assert {name: found[name] for name in (*sentence, *about)} == {**sentence, **about}


@pytest.mark.parametrize(("shares", "name"), [("dev = 1\ntest = 0", "val"), ("dev = 0\ntest = 1", "test")])
def test_splits_have_karpathys_names(tmp_path: Path, shares: str, name: str) -> None:
    world = load(make_workspace(tmp_path / "world", settings=f"[splits]\n{shares}\n"), "main")
    karpathy.write(world, tmp_path / "out")
    images = json.loads((tmp_path / "out" / "dataset.json").read_text())["images"]
    assert [image["split"] for image in images] == [name] * 3


# interleaved


def test_each_slot_has_its_picture_and_each_text_its_end(data: Dataset, tmp_path: Path) -> None:
    interleaved.write(data, tmp_path)
    (group,) = lines(tmp_path / "train.jsonl")
    assert group["text"] == "<image>something red<|endofchunk|>" * 3
    found = {
        row["doc_id"]: pixel(Image.open(tmp_path / p)) for row, p in zip(group["about"], group["images"], strict=True)
    }
    assert found == {"d1": RED, "d2": ORANGE, "d4": GREEN}


def test_openflamingos_own_preprocessing_takes_a_group(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It wants pictures in base64, of 10 kB at least, and a similarity of each with every text."""
    for doc_id in ("d1", "d2", "d4"):
        noise = random.Random(doc_id).randbytes(3 * 80 * 80)
        Image.frombytes("RGB", (80, 80), noise).save(data.media.root / "pictures" / f"{doc_id}.png")
    interleaved.write(data, tmp_path / "out")
    (group,) = lines(tmp_path / "out" / "train.jsonl")
    shots = range(len(group["images"]))
    for shot in group["image_info"]:
        content = (tmp_path / "out" / shot["image_name"]).read_bytes()
        shot["image_base64"] = base64.b64encode(content).decode()
    group["similarity_matrix"] = [
        [shot["matched_sim"] if n == shot["matched_text_index"] else 0 for n in shots] for shot in group["image_info"]
    ]
    place = Path(part("open_flamingo.train.data_utils").__file__).parent
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)  # which its module raises
    monkeypatch.syspath_prepend(str(place))  # its modules import each other as if they stood alone
    tokens = Tokens()
    pictures, (ids, mask) = part("open_flamingo.train.data").preprocess_interleaved(
        [json.dumps(group)], tokens, to_tensor, 0.5, 1, 5
    )
    assert tokens.text == f"{group['text']}</s>"
    assert pictures.shape[:2] == (5, 3)
    assert [bool(picture.any()) for picture in pictures] == [True] * 3 + [False] * 2
    assert ids.shape == mask.shape


class Tokens:
    """A tokenizer whose tokens are the slots, the ends and words; it keeps the text that it was given."""

    eos_token = "</s>"
    additional_special_tokens = ("<image>", "<|endofchunk|>")
    additional_special_tokens_ids = (1, 2)
    pad_token_id = 0
    text = ""

    def __call__(self, text: str, **more: object) -> dict[str, Any]:
        import torch

        self.text = text
        known = {"<image>": 1, "<|endofchunk|>": 2}
        words = re.findall(r"<image>|<\|endofchunk\|>|[^<]+|</s>", text)
        ids = torch.tensor([[known.get(word, 3) for word in words]])
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def to_tensor(picture: Image.Image) -> Any:
    from torchvision.transforms.functional import pil_to_tensor

    return pil_to_tensor(picture).float()


def test_groups_are_of_five_and_hold_every_pair_once(data: Dataset, tmp_path: Path) -> None:
    many = judged(data, {q: {"p": 3, "r": 2, "n": 0, "m": 1} for q in "abcdef"})
    interleaved.write(many, tmp_path)
    groups = lines(tmp_path / "train.jsonl")
    assert [len(group["images"]) for group in groups] == [5, 5, 2]
    pairs = [(row["query_id"], row["doc_id"]) for group in groups for row in group["about"]]
    assert sorted(pairs) == [(q, d) for q in "abcdef" for d in "pr"]
    assert len({q for q, _ in pairs[:5]}) > 2  # mixed: a query does not fill a group


def test_a_text_cannot_open_a_slot(data: Dataset, tmp_path: Path) -> None:
    sly = Query(query_id="q1", text="red <image><|endofchunk|> thing")
    interleaved.write(replace(data, queries={**data.queries, "q1": sly}), tmp_path)
    (group,) = lines(tmp_path / "train.jsonl")
    assert group["text"].count("<image>") == len(group["images"])


# clips and texts


def test_clips_are_aligned_or_not_as_people_found(data: Dataset, tmp_path: Path) -> None:
    clip_text.write(filmed(data), tmp_path)
    rows = pq.read_table(tmp_path / "train.parquet").to_pylist()
    assert [(r["doc_id"], r["aligned"], r["grade"], r["start"], r["end"]) for r in rows] == [
        ("d1", 1, 3, 0.0, 1.5),
        ("d2", 1, 2, 1.0, 2.5),
        ("d4", 1, 3, 3.0, 4.5),
        ("d3", 0, 0, 2.0, 3.5),
        ("d4", 0, 0, 3.0, 4.5),
    ]
    assert {r["text"] for r in rows if r["query_id"] == "q1"} == {"something red"}
    assert (tmp_path / rows[0]["clip"]).read_bytes() == b"film"


def test_a_film_that_was_the_query_is_the_clip(data: Dataset, tmp_path: Path) -> None:
    films = replace(
        turned(data), queries={q: Query(query_id=q, modality="video", uri="f.mp4", end=9.0) for q in QUERIES}
    )
    clip_text.write(with_export(films, media="reference"), tmp_path)
    first = pq.read_table(tmp_path / "train.parquet").to_pylist()[0]
    assert (first["clip"], first["start"], first["end"], first["text"]) == ("f.mp4", None, 9.0, "red")


# ColPali


def test_colpalis_own_data_set_finds_the_pictures_by_id(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    colpali.write(data, tmp_path)
    loader = part("colpali_engine.data.dataset")
    corpus = hub(tmp_path, str(tmp_path / "corpus.parquet"), "parquet")
    index = {doc_id: n for n, doc_id in enumerate(corpus["doc_id"])}
    read = loader.ColPaliEngineDataset(
        lines(tmp_path / "train.jsonl"), loader.Corpus(corpus, index), neg_target_column_name="neg_target"
    )
    rows = [read[n] for n in range(len(read))]
    assert [row["query"] for row in rows] == ["something red"] * 3
    assert [[pixel(p) for p in row["pos_target"]] for row in rows] == [[RED], [ORANGE], [GREEN]]
    assert [[pixel(p) for p in row["neg_target"]] for row in rows] == [[BLUE]] * 3


def test_the_corpus_holds_what_the_lines_name_and_no_more(data: Dataset, tmp_path: Path) -> None:
    colpali.write(data, tmp_path)
    assert pq.read_table(tmp_path / "corpus.parquet")["doc_id"].to_pylist() == ["d1", "d2", "d3", "d4"]


@pytest.mark.parametrize("name", ["colpali", "vlm2vec"])
def test_films_are_refused_where_only_pictures_are_read(data: Dataset, tmp_path: Path, name: str) -> None:
    with pytest.raises(Mendable, match=f"The format {name} holds .* as items") as refused:
        FORMATS[name].write(filmed(data), tmp_path / "out")
    assert refused.value.problems == ("4 items of video",)


# VLM2Vec


def test_vlm2vecs_loader_reads_texts_and_paths(data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the columns as VLM2Vec's `mmeb_dataset` does, which is in no package: a path counts from image_dir."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    vlm2vec.write(data, tmp_path)
    rows = hub(tmp_path, str(tmp_path / "train.parquet"), "parquet")
    assert [row["qry"] for row in rows] == ["something red"] * 3
    assert [row["qry_image_path"] for row in rows] == [""] * 3
    assert [pixel(Image.open(tmp_path / row["pos_image_path"])) for row in rows] == [RED, ORANGE, GREEN]
    assert [pixel(Image.open(tmp_path / row["neg_image_path"])) for row in rows] == [BLUE] * 3
    assert all(row["pos_text"].startswith("<|image_1|>\n") for row in rows)


def test_a_query_without_a_verified_negative_has_empty_columns(data: Dataset, tmp_path: Path) -> None:
    vlm2vec.write(judged(data, {"a": {"p": 3, "m": 1}}), tmp_path)
    (row,) = pq.read_table(tmp_path / "train.parquet").to_pylist()
    assert (row["pos_id"], row["neg_id"], row["neg_text"], row["neg_image_path"]) == ("p", "", "", "")


def test_texts_have_no_path(data: Dataset, tmp_path: Path) -> None:
    vlm2vec.write(turned(data), tmp_path)
    first = pq.read_table(tmp_path / "train.parquet").to_pylist()[0]
    assert (first["pos_text"], first["pos_image_path"]) == ("red", "")
    assert (first["neg_text"], first["neg_image_path"]) == ("blue", "")
    assert pixel(Image.open(tmp_path / first["qry_image_path"])) == RED


# all of them


@pytest.mark.parametrize("name", MINE)
def test_the_same_answers_give_the_same_bytes_in_another_order_and_place(tmp_path: Path, name: str) -> None:
    found = []
    for place, seed in (("here", 0), ("there", 1)):
        world = load(make_workspace(tmp_path / place, settings=TRAIN), "main")
        said = random.Random(seed).sample(list(world.judgments), len(world.judgments))
        FORMATS[name].write(replace(world, judgments=said), tmp_path / place / "out")
        found.append(contents(tmp_path / place / "out"))
    assert found[0] == found[1]
    assert found[0]


@pytest.mark.parametrize("name", [*MINE, "clip-text", "dissonance"])
def test_without_a_positive_or_a_negative_no_file_is_written(data: Dataset, tmp_path: Path, name: str) -> None:
    middling = judged(data, {"a": {"m": 1}})
    world = filmed(middling) if name == "clip-text" else middling
    world = replace(world, items={**world.items, **middling.items}) if name != "clip-text" else world
    if name == "clip-text":
        world = replace(world, items={"m": Item(doc_id="m", modality="video", uri="film.mp4")})
    FORMATS[name].write(world, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["openclip-csv", "openclip-wds", "wds-negatives", "interleaved", "colpali", "vlm2vec"])
def test_test_queries_stay_out_of_training(tmp_path: Path, name: str) -> None:
    world = load(make_workspace(tmp_path / "world", settings="[splits]\ndev = 0\ntest = 1\n"), "main")
    FORMATS[name].write(world, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", MINE)
def test_controls_random_draws_and_middling_grades_are_in_no_row(data: Dataset, tmp_path: Path, name: str) -> None:
    FORMATS[name].write(data, tmp_path / "out")
    written = b"".join(contents(tmp_path / "out").values())
    black, white = ((data.media.root / "pictures" / f"{d}.png").read_bytes() for d in ("d5", "d6"))
    assert black not in written
    assert white not in written
    assert b"something blue" not in written  # q2 has a middling grade and a negative, and no positive


@pytest.mark.parametrize(
    "name", ["openclip-csv", "openclip-wds", "wds-negatives", "karpathy", "interleaved", "grounding"]
)
def test_every_row_says_under_which_rules_it_was_judged(data: Dataset, tmp_path: Path, name: str) -> None:
    FORMATS[name].write(data, tmp_path / "out")
    tables = [
        content for path, content in contents(tmp_path / "out").items() if not path.endswith(("png", "sizes.json"))
    ]
    assert tables
    assert all(table.count(RULES.hash.encode()) == 3 for table in tables)


def test_columns_say_under_which_rules_their_rows_were_judged(data: Dataset, tmp_path: Path) -> None:
    vlm2vec.write(data, tmp_path / "pictures")
    clip_text.write(filmed(data), tmp_path / "films")
    for folder, rows in (("pictures", 3), ("films", 5)):
        table = pq.read_table(tmp_path / folder / "train.parquet")
        assert table["rules_hash"].to_pylist() == [RULES.hash] * rows
