"""The demo's corpus, model and simulated annotators; no network, and no package outside Python's."""

import hashlib
import json
import socket
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from PIL import Image

from label_configs.errors import Mendable
from ls_retrieval.demo import corpus, model, stamps
from ls_retrieval.demo.annotators import ANNOTATORS, SimulatedAnnotator
from ls_retrieval.demo.packs import ATTRIBUTION, LICENCE, PACKS, Picture, default_pack
from ls_retrieval.demo.pictures import Source, fresh, head_noun, render, singular

T = TypeVar("T")


def silent(sequence: Iterable[T], description: str, /) -> Iterable[T]:
    return sequence


def picture(caption: str, group: str = "things", key: str = "") -> Picture:
    key = key or "p" + hashlib.sha256(caption.encode()).hexdigest()[:10]
    return Picture(key, Path(f"media/originals/{key}.png"), caption, head_noun(caption), group)


def svg(colour: str, size: int = 20) -> bytes:
    shape = f'<rect width="{size // 2}" height="{size}" fill="{colour}"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}">{shape}</svg>'.encode()


# captions


@pytest.mark.parametrize(
    ("caption", "head"),
    [
        ("A great blue heron.", "heron"),
        ("A pair of blue jeans with patches.", "jeans"),
        ("Some cherries.", "cherry"),
        ("The baby of a gnu.", "gnu"),
        ("A spider playing computer games.", "spider"),
        ("A Christmas stocking.", "stocking"),
        ("An inukshuk (or inuksuk), a landmark made of stones.", "inukshuk"),
        ("A wizard’s hat.", "hat"),
        ("", ""),
        ("Eat your bread!", ""),
        ("“Stop”.", ""),
        ("The red light means you must stop now.", ""),
    ],
)
def test_the_head_noun_of_a_caption(caption: str, head: str) -> None:
    assert head_noun(caption) == head


@pytest.mark.parametrize(
    ("plural", "one"), [("boars", "boar"), ("cherries", "cherry"), ("boxes", "box"), ("glass", "glass"), ("bus", "bus")]
)
def test_regular_plurals_become_singular(plural: str, one: str) -> None:
    assert singular(plural) == one


# pictures


def test_a_picture_is_opaque_on_white_and_no_larger_than_384(tmp_path: Path) -> None:
    (drawn,) = render([Source(svg("red", 1000), "A flag.", "flags")], tmp_path, silent)
    with Image.open(drawn.path) as image:
        assert (image.mode, image.size) == ("RGB", (384, 384))
        assert image.getpixel((10, 10)) == (255, 0, 0)
        assert image.getpixel((380, 10)) == (255, 255, 255)


def test_the_key_comes_from_the_content_and_does_not_tell_the_caption(tmp_path: Path) -> None:
    (first,) = render([Source(svg("red"), "A flag.", "flags")], tmp_path, silent)
    (second,) = render([Source(svg("red"), "A rose.", "plants")], tmp_path, silent)
    assert first.key == second.key == "p" + hashlib.sha256(svg("red")).hexdigest()[:10]
    assert first.path == tmp_path / "media" / "originals" / f"{first.key}.png"


def test_the_same_content_is_one_picture(tmp_path: Path) -> None:
    assert len(render([Source(svg("red"), "A flag.", "a"), Source(svg("red"), "A rose.", "b")], tmp_path, silent)) == 1


def test_what_is_rendered_is_kept(tmp_path: Path) -> None:
    (drawn,) = render([Source(svg("red"), "A flag.", "flags")], tmp_path, silent)
    before = drawn.path.stat().st_mtime_ns
    assert render([Source(svg("red"), "A flag.", "flags")], tmp_path, silent) == [drawn]
    assert drawn.path.stat().st_mtime_ns == before


def test_a_file_that_breaks_off_is_not_there(tmp_path: Path) -> None:
    def break_off() -> None:
        with fresh(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert list(tmp_path.iterdir()) == []


def test_every_pack_has_a_licence_and_an_attribution_that_names_it() -> None:
    assert PACKS.keys() == LICENCE.keys() == ATTRIBUTION.keys()
    assert default_pack() in PACKS
    assert all("icence" in text for text in ATTRIBUTION.values())


def test_stamps_are_read_from_folders_without_symbols_and_mirrors(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / stamps.PACKAGE / stamps.STAMPS
    for name in ("animals/birds/cartoon/owl", "symbols/heart", "town/gift"):
        (folder / name).parent.mkdir(parents=True)
        (folder / f"{name}.txt").write_text("An owl.\nfr.utf8=Un hibou.\n", encoding="utf-8")
    for name in ("animals/birds/cartoon/owl", "animals/birds/cartoon/owl_mirror", "symbols/heart"):
        (folder / f"{name}.svg").write_bytes(svg("brown", 20 + len(name)))
    (owl,) = stamps.pictures(tmp_path / "cache", tmp_path, silent)
    assert (owl.caption, owl.head, owl.group) == ("An owl.", "owl", "animals/birds")


def programs(folder: Path, **scripts: str) -> str:
    """A search path on which shell scripts stand in for the system's programs of the same names."""
    folder.mkdir()
    for name, script in scripts.items():
        (folder / name.replace("_", "-")).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name.replace("_", "-")).chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


def test_the_package_is_fetched_and_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = programs(tmp_path / "bin", apt_get='touch "$2.deb"; echo >>../../calls', dpkg_deb='mkdir "$3"; mv "$2" "$3"')
    monkeypatch.setenv("PATH", path)
    unpacked = stamps.fetch(tmp_path / "cache")
    assert unpacked == stamps.fetch(tmp_path / "cache") == tmp_path / "cache" / stamps.PACKAGE
    assert [file.name for file in unpacked.iterdir()] == [f"{stamps.PACKAGE}.deb"]
    assert (tmp_path / "calls").read_text() == "\n"


def test_a_failed_download_of_stamps_names_the_other_pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", programs(tmp_path / "bin", apt_get="echo E: Unable to locate package >&2; exit 100"))
    with pytest.raises(Mendable, match="PACK=openmoji") as error:
        stamps.pictures(tmp_path / "cache", tmp_path, silent)
    assert error.value.why == "E: Unable to locate package"
    assert list((tmp_path / "cache").iterdir()) == []


# split and truth

HATS = [picture("A brown hat."), picture("A red hat."), picture("A top hat.", "parties")]
OTHERS = [picture(f"A {noun}.") for noun in ("glove", "scarf", "sock", "shoe", "button")]


def test_concepts_with_several_pictures_are_asked_for_first() -> None:
    assert all(corpus.split([*OTHERS, *HATS], 1, seed)[1][0].head == "hat" for seed in range(10))


@pytest.mark.parametrize("seed", range(5))
def test_no_fitted_picture_shares_head_or_caption_with_a_query(seed: int) -> None:
    fit, queries = corpus.split([*HATS, *OTHERS, picture("Boom!!!")], 3, seed)
    assert len(queries) == 3
    assert not {p.head for p in fit} & {q.head for q in queries}
    assert not {p.caption for p in fit} & {q.caption for q in queries}
    assert picture("Boom!!!") in fit


def test_the_split_depends_on_the_seed_and_not_on_the_order() -> None:
    pictures = [*HATS, *OTHERS]
    asked = {tuple(sorted(q.caption for q in corpus.split(pictures, 2, seed)[1])) for seed in range(20)}
    assert len(asked) > 1
    assert corpus.split(pictures, 3, 0)[1] == corpus.split(pictures[::-1], 3, 0)[1]


@pytest.mark.parametrize(
    ("other", "grade"),
    [
        (picture("A brown hat.", "elsewhere", "p1"), 3),
        (picture("A top hat.", "elsewhere"), 2),
        (picture("A glove."), 1),
        (picture("A lion.", "animals"), 0),
    ],
)
def test_truth_is_caption_then_head_then_group(other: Picture, grade: int) -> None:
    assert corpus.grade(picture("A brown hat."), other) == grade


def test_pictures_without_a_head_share_none() -> None:
    assert corpus.grade(picture("Boom!!!", "a"), picture("Say cheese!", "b")) == 0


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_corpus_is_written_without_captions(tmp_path: Path) -> None:
    pictures = [
        Picture(p.key, tmp_path / "media" / "originals" / f"{p.key}.png", p.caption, p.head, p.group)
        for p in [*HATS, *OTHERS, picture("A brown hat.", key="p0123456789")]
    ]
    tags = {p.key: ["bonnet", "wig"] for p in pictures}
    corpus.write(pictures, tmp_path, n_queries=3, seed=0, tags=tags, pack="stamps")
    documents, queries = lines(tmp_path / "corpus.jsonl"), lines(tmp_path / "queries.jsonl")
    assert documents[0] == {
        "_id": HATS[0].key,
        "title": "",
        "text": "",
        "image": f"media/originals/{HATS[0].key}.png",
        "metadata": {"tags": ["bonnet", "wig"], "licence": "GPL-2.0-or-later"},
    }
    assert not any(p.caption in (tmp_path / "corpus.jsonl").read_text(encoding="utf-8") for p in pictures)
    assert (len(documents), len(queries)) == (9, 3)
    assert {q["_id"][0] for q in queries} == {"q"}
    brown = [q for q in queries if q["text"] == "A brown hat."]
    assert all(q["positives"] == [HATS[0].key, "p0123456789"] for q in brown)
    assert "Tux Paint" in (tmp_path / "ATTRIBUTION.md").read_text(encoding="utf-8")


def test_the_truth_is_qrels_of_all_relevant_pairs(tmp_path: Path) -> None:
    pictures = [
        Picture("p1", tmp_path / "p1.png", "A hat.", "hat", "clothes"),
        Picture("p2", tmp_path / "p2.png", "A hat.", "hat", "parties"),
        Picture("p3", tmp_path / "p3.png", "A lion.", "lion", "animals"),
    ]
    corpus.write(pictures, tmp_path, n_queries=1, seed=0, tags={}, pack="openmoji")
    query = corpus.query_id(pictures[0])
    assert (tmp_path / "truth.tsv").read_text(encoding="utf-8") == f"{query} 0 p1 3\n{query} 0 p2 3\n"


# annotators


def answers(annotator: SimulatedAnnotator, grade: int, number: int = 4000) -> Counter[int | None]:
    return Counter(annotator.grade(grade, "q", f"p{i}") for i in range(number))


def test_an_annotator_without_noise_and_bias_tells_the_truth() -> None:
    exact = SimulatedAnnotator("exact", bias=0, noise=0, seed=0)
    assert all(answers(exact, grade).keys() <= {grade, None} for grade in range(4))


def test_answers_do_not_depend_on_the_order_of_calls() -> None:
    pairs = [(f"q{i}", f"p{i}") for i in range(50)]
    forth = {pair: ANNOTATORS[0].grade(2, *pair) for pair in pairs}
    assert {pair: ANNOTATORS[0].grade(2, *pair) for pair in reversed(pairs)} == forth


@pytest.mark.parametrize("annotator", ANNOTATORS)
def test_annotators_rarely_move_grade_0_and_seldom_skip(annotator: SimulatedAnnotator) -> None:
    found = answers(annotator, 0)
    assert sum(found[grade] for grade in (1, 2, 3)) < 0.01 * 4000
    assert 0.013 * 4000 < found[None] < 0.027 * 4000
    assert answers(annotator, 2)[2] < 0.95 * 4000


def test_the_strict_annotator_grades_below_the_lenient_one() -> None:
    even, strict, lenient = (sum(g * n for g, n in answers(a, 2).items() if g) for a in ANNOTATORS)
    assert strict < even < lenient


# the model


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture(scope="module")
def drawings(workspace: Path) -> list[Picture]:
    return PACKS["openmoji"](workspace, workspace, silent, limit=40)


@pytest.fixture(scope="module")
def calls() -> Iterator[list[object]]:
    """The addresses that anything tries to reach while a test runs; none is."""
    addresses: list[object] = []

    def connect(self: socket.socket, address: object) -> None:
        addresses.append(address)
        raise OSError("no network in this test")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect)
        yield addresses


@pytest.fixture(scope="module")
def built(workspace: Path, drawings: Sequence[Picture], calls: list[object]) -> Path:
    model.build(drawings, workspace / "model", track=silent, threads=2)
    return workspace / "model"


def test_openmoji_drawings_have_names_and_subgroups(drawings: list[Picture]) -> None:
    assert len(drawings) == 40
    assert all(p.caption and "/" in p.group and "_" not in p.caption and p.path.is_file() for p in drawings)


def test_machine_tags_are_five_class_names(drawings: list[Picture]) -> None:
    tags = model.machine_tags(drawings, track=silent)
    assert tags.keys() == {p.key for p in drawings}
    assert all(len(set(names)) == 5 for names in tags.values())


def test_the_same_inputs_build_nothing_anew(built: Path, drawings: list[Picture]) -> None:
    before = (built / "open_clip_model.safetensors").stat().st_ino
    model.build(drawings[::-1], built, track=silent, threads=1)
    assert (built / "open_clip_model.safetensors").stat().st_ino == before


def test_other_inputs_replace_the_model(tmp_path: Path, drawings: list[Picture]) -> None:
    (tmp_path / model.MARKER).write_text("made from something else")
    (tmp_path / "old.txt").touch()
    model.build(drawings[:5], tmp_path, track=silent, threads=2)
    assert not (tmp_path / "old.txt").exists()
    assert (tmp_path / "open_clip_model.safetensors").stat().st_mode & 0o777 == 0o644


def test_nothing_to_fit_is_said(tmp_path: Path) -> None:
    with pytest.raises(Mendable, match="fewer queries"):
        model.build([], tmp_path / "model", track=silent, threads=1)


def test_a_folder_that_was_not_made_here_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(Mendable, match="in the way"):
        model.build([picture("A hat.")], tmp_path, track=silent, threads=1)
    assert (tmp_path / "thesis.txt").exists()


def test_open_clip_loads_the_model_without_network_and_it_knows_what_it_was_fitted_to(
    built: Path, drawings: list[Picture], calls: list[object]
) -> None:
    import open_clip
    import torch

    loaded, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{built}")
    tokenize = open_clip.get_tokenizer(f"local-dir:{built}")
    loaded.eval()
    with torch.inference_mode():
        images = loaded.encode_image(torch.stack([preprocess(Image.open(p.path)) for p in drawings]), normalize=True)
        texts = loaded.encode_text(tokenize([p.caption for p in drawings]), normalize=True)
    assert calls == []
    for vectors in (images, texts):
        assert vectors.shape == (40, 512)
        assert torch.allclose(vectors.norm(dim=-1), torch.ones(40), atol=1e-4)
    similar = texts @ images.T
    assert similar.diagonal().mean() > (similar.sum() - similar.diagonal().sum()) / (40 * 39) + 0.05


def test_a_ridge_part_passes_through_gelu_unchanged() -> None:
    import torch

    seen, captions = torch.randn(2, 30, 1280, generator=torch.Generator().manual_seed(0)).unbind()
    part = model.ridge(seen, captions[:, :512])
    found = torch.nn.functional.gelu(seen @ part.into.T + part.bias) @ part.out.T
    linear = ((seen - seen.mean(0)) @ part.into[: model.RANK].T) @ part.out[:, : model.RANK].T
    assert torch.allclose(found, linear, atol=1e-5)
