"""Exports for trainers on media, read back by the loaders of those who use them."""

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import chdir
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sync_world import COLORS, QUERIES, RULES, grade, make_workspace

from label_configs.errors import Mendable
from label_configs.records import Candidate, Item, Pool, Query
from store.settings import Export
from sync.dataset import Dataset, load
from sync.formats import (
    FORMATS,
    base,
    captions,
    clip_text,
    colpali,
    interleaved,
    karpathy,
    openclip_csv,
    openclip_wds,
    shards,
    vlm2vec,
    wds_negatives,
)
from sync.formats.samples import samples

TRAIN = "[splits]\ndev = 0\ntest = 0\n"
RED, ORANGE, BLUE, GREEN = (255, 0, 0), (255, 165, 0), (0, 0, 255), (0, 128, 0)
MINE = ("openclip-csv", "openclip-wds", "wds-negatives", "karpathy", "interleaved", "colpali", "vlm2vec", "grounding")


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    """q1 has the positives d1, d2, d4, hardest first, and the verified negative d3; q2 a negative, and a middling one."""
    return load(make_workspace(tmp_path / "world", settings=TRAIN), "main")


@pytest.fixture
def texts(tmp_path: Path) -> Dataset:
    return load(make_workspace(tmp_path / "texts", candidates="text", settings=TRAIN), "main")


def turned(data: Dataset) -> Dataset:
    """The same grades from picture to text: q1 is d1's picture, q2 is d3's; the items are the colours' names."""
    shown = {"q1": "d1", "q2": "d3", "q3": "d5"}
    queries = {q: Query(query_id=q, modality="image", uri=f"pictures/{d}.png") for q, d in shown.items()}
    return replace(data, queries=queries, items={d: Item(doc_id=d, text=color) for d, color in COLORS.items()})


def filmed(data: Dataset) -> Dataset:
    """The same grades with segments of one film as items."""
    (data.media.root / "film.mp4").write_bytes(b"film")
    ends = {d: (float(n), n + 1.5) for n, d in enumerate(COLORS)}
    return replace(
        data,
        items={
            d: Item(doc_id=d, modality="video", uri="film.mp4", start=a, end=b, text=COLORS[d])
            for d, (a, b) in ends.items()
        },
    )


def with_export(data: Dataset, **more: Any) -> Dataset:
    return replace(data, settings=data.settings.model_copy(update={"export": Export(**more)}))


def judged(data: Dataset, given: Mapping[str, Mapping[str, int]]) -> Dataset:
    """Other grades, from three annotators who agree, of items with the first picture; all in one pool a query."""
    docs = sorted({d for grades in given.values() for d in grades})
    items = {d: Item(doc_id=d, modality="image", uri="pictures/d1.png", text=d, title=d) for d in docs}
    shown = tuple(Candidate(doc_id=d, source="dense", score=-n) for n, d in enumerate(docs))
    pools = [Pool(query_id=q, candidates=shown, encoder="", index="", seed=0) for q in given]
    said = [grade(q, d, g, who) for q, of in given.items() for d, g in of.items() for who in ("ada", "bob", "cleo")]
    queries = {q: Query(query_id=q, text=f"ask {q}") for q in given}
    return replace(data, items=items, queries=queries, pools=pools, judgments=said)


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
    with pytest.raises(Mendable, match="6 judged pairs have no text") as refused:
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


@settings(max_examples=30, deadline=None)
@given(text=st.text(min_size=1).filter(lambda text: text.split()) | st.sampled_from(["NA", "null", 'he said "red"', "nan"]))
def test_any_title_comes_back_in_one_line(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("titles")
    world = load(make_workspace(folder / "world", settings=TRAIN), "main")
    asked = replace(world, queries={**world.queries, "q1": Query(query_id="q1", text=f"{text}")})
    named = judged(asked, {"q1": {"d1": 3}, "q2": {"d2": 3}})
    named = replace(named, queries={**named.queries, "q1": Query(query_id="q1", text=text)})
    openclip_csv.write(named, folder / "out")
    assert [title.strip() for _, title in csv_pairs(folder / "out")] == [" ".join(text.split()), "ask q2"]


def test_ids_grade_and_confidence_stand_in_columns_of_their_own(data: Dataset, tmp_path: Path) -> None:
    openclip_csv.write(data, tmp_path)
    header, first, *_ = (tmp_path / "train.tsv").read_text().splitlines()
    assert header.split("\t") == ["filepath", "title", "query_id", "doc_id", "grade", "confidence"]
    assert first.split("\t")[1:5] == ["something red", "q1", "d1", "3"]


def test_by_reference_the_table_names_the_corpus_own_uris(data: Dataset, tmp_path: Path) -> None:
    openclip_csv.write(with_export(data, media="reference"), tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["train.tsv"]
    assert "\npictures/d1.png\t" in (tmp_path / "out" / "train.tsv").read_text()


# open_clip, shards


def wds_pairs(folder: Path, train: bool = True) -> list[tuple[object, str]]:
    """One epoch of pairs as open_clip's trainer gets them, sorted, for it shuffles."""
    import torch
    from open_clip_train.data import get_wds_dataset

    args = SimpleNamespace(
        train_data=str(folder / "{00000..00000}.tar"),
        val_data=str(folder / "{00000..00000}.tar"),
        train_num_samples=None,
        val_num_samples=None,
        train_data_upsampling_factors=None,
        dataset_resampled=False,
        seed=0,
        batch_size=1,
        workers=0,
        world_size=1,
    )
    args.workers = 1
    info = get_wds_dataset(args, lambda p: torch.tensor(pixel(p)), train, tokenizer=lambda text: [text])
    return sorted((tuple(pictures[0].tolist()), texts[0]) for pictures, texts in info.dataloader)


def test_open_clips_trainer_reads_the_shards_and_finds_their_size(data: Dataset, tmp_path: Path) -> None:
    openclip_wds.write(data, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "train" / "sizes.json").read_text()) == {"00000.tar": 3}
    found = [(GREEN, "something red"), (RED, "something red"), (ORANGE, "something red")]
    assert wds_pairs(tmp_path / "out" / "train") == found
