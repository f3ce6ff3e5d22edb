"""The demo's films and sounds: made of synthetic pictures and tones whose content is known."""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from PIL import Image
from recordings import tone, wave

from label_configs.errors import Mendable
from ls_retrieval.demo import films, recordings, sounds
from ls_retrieval.demo.pictures import Picture, head_noun
from ml_backend import library
from ml_backend.decoding import film
from ml_backend.encoders.open_clip import OpenClip
from store import settings
from store.media import Clip
from store.workspace import Workspace

T = TypeVar("T")
COLOURS = {"red": (255, 0, 0), "green": (0, 128, 0), "blue": (0, 0, 255), "black": (0, 0, 0), "orange": (255, 165, 0)}


def silent(sequence: Iterable[T], description: str, /) -> Iterable[T]:
    return sequence


def pictures(folder: Path) -> list[Picture]:
    found = []
    for colour, value in COLOURS.items():
        path = folder / "media" / "originals" / f"{colour}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (120, 90), value).save(path)
        found.append(Picture(f"p-{colour}", path, f"A {colour} flag.", "flag", "flags"))
    return found


# films


def test_a_scene_shows_its_picture_from_cut_to_cut(tmp_path: Path) -> None:
    scenes = films.films(pictures(tmp_path), tmp_path, silent, scenes=2)
    assert len(scenes) == 5
    assert [(s.start, s.end) for s in scenes] == [(0, 2), (2, 4), (0, 2), (2, 4), (0, 2)]
    assert len({scene.path for scene in scenes}) == 3
    limits = film.Limits(10**6, 60, 1_000)
    for scene in scenes:
        value = COLOURS[scene.caption.split()[1]]
        for frame in film.frames(Clip(scene.path.read_bytes(), scene.start, scene.end), 4, "uniform", limits):
            assert np.abs(np.subtract(frame.getpixel((160, 120)), value)).max() < 40  # type: ignore[arg-type]


def test_a_film_has_as_many_scenes_as_pictures(tmp_path: Path) -> None:
    scenes = films.films(pictures(tmp_path)[:3], tmp_path, silent, scenes=3)
    whole = scenes[0].path.read_bytes()
    assert len(list(film.frames(whole, 8, "scenes", film.Limits(10**6, 60, 1_000)))) == 3


def test_the_same_pictures_give_the_same_films_and_no_name_tells_one(tmp_path: Path) -> None:
    first = films.films(pictures(tmp_path / "a"), tmp_path / "a", silent)
    second = films.films(pictures(tmp_path / "b")[::-1], tmp_path / "b", silent)
    assert [scene.key for scene in first] == [scene.key for scene in second]
    assert [scene.path.read_bytes() for scene in first] == [scene.path.read_bytes() for scene in second]
    assert not any(colour in scene.path.name + scene.key for scene in first for colour in COLOURS)


# sounds


@pytest.fixture
def stamps(tmp_path: Path) -> Path:
    """A folder of stamps: four effects, one of them silent, one too short, one of a symbol, one without a caption."""
    effects = {
        "animals/low": tone(2, 200),
        "animals/high": tone(2, 3_000),
        "things/noise": np.random.default_rng(0).uniform(-0.5, 0.5, 32_000).astype(np.float32),
        "things/silence": np.zeros(32_000, np.float32),
        "things/click": tone(0.3),
        "symbols/beep": tone(2),
    }
    for name, samples in effects.items():
        path = tmp_path / "stamps" / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wave(samples))
        path.with_suffix(".txt").write_text(f"A {path.stem} thing.\nfr.utf8=Une chose.\n", "utf-8")
        path.with_name(f"{path.stem}_desc.wav").write_bytes(wave(tone(2)))
    (tmp_path / "stamps" / "animals" / "nameless.wav").write_bytes(wave(tone(2)))
    return tmp_path / "stamps"


def test_of_each_effect_the_second_half_is_in_the_corpus(stamps: Path, tmp_path: Path) -> None:
    found = sounds.read(stamps, tmp_path / "w", silent)
    assert {one.caption: (one.group, one.start, one.end) for one in found} == {
        "A low thing.": ("animals", 1.0, 2.0),
        "A high thing.": ("animals", 1.0, 2.0),
        "A noise thing.": ("things", 1.0, 2.0),
    }
    assert [one.key for one in found] == sorted(one.key for one in found)
    assert all(one.path.is_relative_to(tmp_path / "w" / "media" / "sounds") for one in found)
    assert not any(word in one.path.name for one in found for word in ("low", "high", "noise"))


def test_a_tower_fitted_to_first_halves_finds_the_second_by_their_captions(
    stamps: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sounds, "PENALTY", 1e-3)  # three captions of a random text tower are nearly one
    root = tmp_path / "w"
    found = sounds.read(stamps, root, silent)
    text = OpenClip(settings.OpenClip(model=f"local-dir:{tiny_model}", threads=1), Path("/"), settings.Media())
    sounds.fit(found, text).save(root / "tower.safetensors")
    sounds.fit(found, text).save(root / "again.safetensors")
    assert (root / "tower.safetensors").read_bytes() == (root / "again.safetensors").read_bytes()
    recordings.write(found, found, root, pack="stamps")
    (root / "settings.toml").write_text(
        f'[encoders.ear]\nkind = "log-mel"\nmodel = "local-dir:{tiny_model}"\ntower = "tower.safetensors"\n'
    )
    workspace = Workspace(root)
    assert library.build(workspace, {"ear": library.load_encoder(workspace, "ear")}).broken == []
    collection = library.open_collection(workspace, "audio", library.not_indexed)
    for query in library.records(workspace)[1]:
        vector = collection.spaces["ear"].encode(query)
        assert collection.search("ear", vector[None], 1)[0][0].doc_id == query.positives[0]


def test_nothing_to_fit_to_is_mendable(tiny_model: Path) -> None:
    text = OpenClip(settings.OpenClip(model=f"local-dir:{tiny_model}", threads=1), Path("/"), settings.Media())
    with pytest.raises(Mendable, match="no sound to fit"):
        sounds.fit([], text)


# their files


def test_recordings_are_written_with_their_stretches_and_their_truth(tmp_path: Path) -> None:
    scenes = films.films(pictures(tmp_path), tmp_path, silent)
    asked = [*pictures(tmp_path)[:1], Picture("other", Path("x.png"), "A red flag.", head_noun("A red flag."), "toys")]
    recordings.write(scenes, asked, tmp_path, pack="stamps")
    (tmp_path / "settings.toml").touch()
    items, (query,) = library.records(Workspace(tmp_path))
    assert [(i.doc_id, i.modality, i.start, i.end) for i in items] == [(s.key, "video", s.start, s.end) for s in scenes]
    red = next(scene.key for scene in scenes if "red" in scene.caption)
    assert (query.text, query.positives) == ("A red flag.", (red,))
    truth = {
        doc_id: int(grade) for _, _, doc_id, grade in map(str.split, (tmp_path / "truth.tsv").read_text().splitlines())
    }
    assert truth == {scene.key: 3 if scene.key == red else 2 for scene in scenes}  # all of them are flags
    assert "Tux Paint" in (tmp_path / "ATTRIBUTION.md").read_text()
    assert "flag" not in (tmp_path / "corpus.jsonl").read_text()
