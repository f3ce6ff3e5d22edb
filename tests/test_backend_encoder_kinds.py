"""Encoders of films and sounds: a real CLAP of random weights, frames through a real open_clip model, and the demo's
stand-in for sound; on which machine they compute."""

import io
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import recordings
import tiny
from recordings import BLUE, RED, colours, tone, wave

from label_configs.errors import Mendable, Unreadable
from ml_backend.decoding import film, sound
from ml_backend.encoders import ENCODERS, log_mel
from ml_backend.encoders.base import Vectors, unit
from ml_backend.encoders.clap import ClapEncoder
from ml_backend.encoders.frames import FrameEncoder
from ml_backend.encoders.log_mel import LogMelEncoder, Tower
from ml_backend.encoders.machine import Abilities, Machine, decide
from ml_backend.encoders.open_clip import OpenClip
from store import corpus, settings
from store.media import Clip, Content

LIMITS = settings.Media(max_pixels=10_000)
TEXTS = ["a dog barks", "rain", "", "wind " * 50]


def same(found: Vectors, expected: Vectors) -> bool:
    """Whether all rows are the same vectors: cosine of 0.9999 or more."""
    return found.shape == expected.shape and bool(((found * expected).sum(axis=-1) >= 0.9999).all())


def test_every_kind_that_settings_know_is_there() -> None:
    with pytest.raises(ValueError, match="kind is one of") as unknown:
        settings.Settings.model_validate({"encoders": {"clip": {"kind": "whisper"}}})
    assert f"kind is one of {', '.join(ENCODERS)}" in str(unknown.value)


# where it computes

CPU = Abilities(None, frozenset(), frozenset())
SERVER = Abilities(None, frozenset({"bf16"}), frozenset())
OLD_GPU = Abilities((6, 1), frozenset(), frozenset({"fp16"}))
GPU = Abilities((9, 0), frozenset(), frozenset({"fp16", "bf16"}))


@pytest.mark.parametrize(
    ("device", "precision", "able", "expected"),
    [
        ("auto", "auto", CPU, ("cpu", "fp32")),
        ("auto", "auto", SERVER, ("cpu", "fp32")),
        ("auto", "auto", OLD_GPU, ("cuda", "fp32")),
        ("auto", "auto", GPU, ("cuda", "fp16")),
        ("cpu", "auto", GPU, ("cpu", "fp32")),
        ("cuda", "bf16", GPU, ("cuda", "bf16")),
        ("auto", "bf16", SERVER, ("cpu", "bf16")),
        ("auto", "fp32", GPU, ("cuda", "fp32")),
    ],
)
def test_the_machine_is_chosen_by_what_it_can(
    device: settings.Device, precision: settings.Precision, able: Abilities, expected: tuple[str, str]
) -> None:
    assert decide(device, precision, able) == Machine(*expected)


@pytest.mark.parametrize(
    ("device", "precision", "able", "why"),
    [
        ("cuda", "auto", CPU, "There is no CUDA device"),
        ("auto", "bf16", CPU, "cpu of this machine does not compute bf16"),
        ("cpu", "bf16", GPU, "cpu of this machine does not compute bf16"),
        ("auto", "fp16", SERVER, "cpu of this machine does not compute fp16"),
        ("auto", "bf16", OLD_GPU, "cuda of this machine does not compute bf16"),
    ],
)
def test_what_it_cannot_is_refused_and_never_emulated(
    device: settings.Device, precision: settings.Precision, able: Abilities, why: str
) -> None:
    with pytest.raises(Mendable, match=why) as refused:
        decide(device, precision, able)
    assert '"auto"' in refused.value.mend


def test_an_encoder_says_which_model_it_is_and_where_it_computes(tiny_model: Path) -> None:
    choice = settings.OpenClip(model=f"local-dir:{tiny_model}", threads=1, device="cpu")
    assert str(OpenClip(choice, Path("/"), LIMITS)) == f"local-dir:{tiny_model} on cpu, fp32, 1 threads"


# films by frames


@pytest.fixture(scope="module")
def framed(tiny_model: Path) -> Callable[..., FrameEncoder]:
    def load(**choice: object) -> FrameEncoder:
        given = {"kind": "frames", "model": f"local-dir:{tiny_model}", "threads": 1, "frames": 4, **choice}
        return FrameEncoder(settings.Frames.model_validate(given), Path("/"), LIMITS)

    return load


FILM = colours((RED, 2), (BLUE, 2))


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_a_films_vector_pools_the_vectors_of_its_frames(framed: Callable[..., FrameEncoder], pooling: str) -> None:
    encoder = framed(pooling=pooling)
    chosen = film.frames(FILM, 4, "uniform", film.Limits(10_000, 60, 100))
    written = []
    for picture in chosen:
        picture.save(buffer := io.BytesIO(), "PNG")
        written.append(buffer.getvalue())
    seen = encoder.encode("image", written)
    pooled = seen.mean(axis=0) if pooling == "mean" else seen.max(axis=0)
    assert encoder.encode("video", [FILM])[0] == pytest.approx(pooled / np.linalg.norm(pooled), abs=1e-5)


def test_a_film_of_one_scene_is_its_picture(framed: Callable[..., FrameEncoder]) -> None:
    scenes = framed(sampling="scenes").encode("video", [colours((RED, 2))])
    assert same(framed().encode("video", [colours((RED, 2))]), scenes)


def test_segments_of_one_film_have_vectors_of_their_own(framed: Callable[..., FrameEncoder]) -> None:
    encoder = framed()
    red, blue, whole = encoder.encode("video", [Clip(FILM, 0.0, 1.9), Clip(FILM, 2.0, None), FILM])
    assert same(encoder.encode("video", [colours((RED, 3))]), red[None])
    assert same(unit((red + blue)[None]), whole[None])
    assert not same(red[None], blue[None])


def test_a_films_vector_does_not_depend_on_its_batch(framed: Callable[..., FrameEncoder]) -> None:
    films: list[Content] = [FILM, colours((BLUE, 1)), Clip(FILM, 1.0, 3.0)]
    for batch in (1, 3, 32):
        found = framed(batch=batch, sampling="scenes").encode("video", films)
        assert same(np.concatenate([framed(sampling="scenes").encode("video", [one]) for one in films]), found)


def test_text_and_pictures_are_read_as_the_open_clip_model_reads_them(
    framed: Callable[..., FrameEncoder], tiny_model: Path
) -> None:
    plain = OpenClip(settings.OpenClip(model=f"local-dir:{tiny_model}", threads=1), Path("/"), LIMITS)
    assert same(framed().encode("text", TEXTS), plain.encode("text", TEXTS))


def test_the_fingerprint_holds_what_the_vectors_depend_on_and_nothing_else(framed: Callable[..., FrameEncoder]) -> None:
    ways: list[dict[str, object]] = [{}, {"frames": 8}, {"sampling": "scenes"}, {"pooling": "max"}]
    assert len({framed(**way).fingerprint for way in ways}) == len(ways)
    assert framed(batch=7, max_seconds=9, max_frames=99).fingerprint == framed().fingerprint


def test_a_film_beyond_the_limits_is_unreadable(framed: Callable[..., FrameEncoder]) -> None:
    with pytest.raises(Unreadable, match="lasts 4 s, more than 3"):
        framed(max_seconds=3).encode("video", [FILM])
    with pytest.raises(Unreadable, match="more than 20"):
        framed(max_frames=20, sampling="scenes").encode("video", [FILM])


# CLAP


@pytest.fixture(scope="module")
def clap_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.build_clap(tmp_path_factory.mktemp("clap") / "model")


def hearing(folder: Path, **choice: object) -> ClapEncoder:
    given = {"kind": "clap", "model": f"local-dir:{folder}", "threads": 1, **choice}
    return ClapEncoder(settings.Clap.model_validate(given), Path("/"), LIMITS)


@pytest.fixture(scope="module")
def clap(clap_folder: Path) -> ClapEncoder:
    return hearing(clap_folder)


def test_vectors_are_those_of_transformers(clap: ClapEncoder, clap_folder: Path) -> None:
    import torch
    from transformers import AutoTokenizer, ClapFeatureExtractor, ClapModel

    model: Any = ClapModel.from_pretrained(clap_folder)
    short = tone(0.5, rate=8_000)
    heard = ClapFeatureExtractor.from_pretrained(clap_folder)(short, sampling_rate=8_000, return_tensors="pt")
    read = AutoTokenizer.from_pretrained(clap_folder)(["a dog barks"], return_tensors="pt")
    with torch.inference_mode():
        by_sound, by_text = model.eval().get_audio_features(**heard), model.get_text_features(**read)
    assert clap.encode("audio", [wave(short, 8_000)]) == pytest.approx(by_sound.pooler_output.numpy(), abs=1e-5)
    assert clap.encode("text", ["a dog barks"]) == pytest.approx(by_text.pooler_output.numpy(), abs=1e-5)


def test_a_sound_longer_than_the_models_window_is_the_mean_of_equal_parts(clap: ClapEncoder) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 8_000 * 5 // 2).astype(np.float32)  # 2.5 windows: 3 parts
    parts = clap.encode("audio", [wave(part, 8_000) for part in np.array_split(noise, 3)])
    for _ in range(3):  # the feature extractor would cut by chance
        assert same(clap.encode("audio", [wave(noise, 8_000)]), unit(parts.mean(axis=0)[None]))


@pytest.mark.parametrize("batch", [1, 2, 32])
def test_a_vector_does_not_depend_on_its_batch(clap: ClapEncoder, clap_folder: Path, batch: int) -> None:
    other = hearing(clap_folder, batch=batch)
    sounds: list[Content] = [wave(tone(s, p)) for s, p in ((0.1, 300), (3.3, 500), (1.0, 900))]
    assert same(other.encode("audio", sounds), np.concatenate([clap.encode("audio", [one]) for one in sounds]))
    assert same(other.encode("text", TEXTS), np.concatenate([clap.encode("text", [one]) for one in TEXTS]))


def test_any_rate_container_and_stretch_of_a_sound_is_heard_alike(clap: ClapEncoder) -> None:
    expected = clap.encode("audio", [wave(tone(1, rate=8_000), 8_000)])
    longer = np.concatenate([tone(1, rate=8_000), tone(2, 1500, rate=8_000)])
    assert same(clap.encode("audio", [Clip(wave(longer, 8_000), 0.0, 1.0)]), expected)
    flac = recordings.sound(tone(1, rate=8_000), 8_000, container="flac", codec="flac")
    assert same(clap.encode("audio", [flac]), expected)


@pytest.mark.parametrize("content", [b"", b"no sound", colours((RED, 1)), wave(np.zeros(8_000, np.float32))])
def test_what_holds_no_sound_is_unreadable(clap: ClapEncoder, content: bytes) -> None:
    with pytest.raises(Unreadable):
        clap.encode("audio", [content])


def test_a_model_with_fusion_hears_the_same_each_time(tmp_path: Path) -> None:
    encoder = hearing(tiny.build_clap(tmp_path / "fused", fusion=True))
    sounds: list[Content] = [wave(tone(2.5)), wave(tone(0.2, 900))]
    first = encoder.encode("audio", sounds)
    assert all(same(encoder.encode("audio", sounds), first) for _ in range(3))


def test_fingerprints_tell_weights_apart_and_stay_when_reloaded(
    clap: ClapEncoder, clap_folder: Path, tmp_path: Path
) -> None:
    assert hearing(clap_folder, batch=3, max_seconds=9).fingerprint == clap.fingerprint
    assert hearing(tiny.build_clap(tmp_path / "other", seed=1)).fingerprint != clap.fingerprint


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "preprocessor_config.json", "tokenizer.json"])
@pytest.mark.parametrize("damage", ["missing", "cut off"])
def test_a_damaged_model_is_mendable(tmp_path: Path, name: str, damage: str) -> None:
    folder = tiny.build_clap(tmp_path / "clap")
    if damage == "missing":
        (folder / name).unlink()
    else:
        (folder / name).write_bytes((folder / name).read_bytes()[:100])
    with pytest.raises(Mendable, match="cannot be loaded") as refused:
        hearing(folder)
    assert "local-dir:PATH" in refused.value.mend


def test_pickled_weights_are_not_loaded(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    folder = tiny.build_clap(tmp_path / "clap")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(Mendable, match="safetensors"):
        hearing(folder)


def test_weights_that_are_missing_are_not_made_up(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = tiny.build_clap(tmp_path / "clap")
    weights = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith("text_projection")}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(Mendable, match="lacks weights: text_projection"):
        hearing(folder)


def test_a_hub_that_is_out_of_reach_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    choice = settings.Clap(kind="clap", model="laion/clap-htsat-unfused")
    with pytest.raises(Mendable, match="the model hub cannot be reached"):
        ClapEncoder(choice, Path("/"), LIMITS)


# the demo's stand-in


def test_mel_bands_are_those_of_transformers() -> None:
    from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

    samples = np.random.default_rng(0).uniform(-0.5, 0.5, log_mel.RATE).astype(np.float32)
    filters = mel_filter_bank(
        log_mel.WINDOW // 2 + 1, log_mel.BANDS, 0, log_mel.RATE / 2, log_mel.RATE, mel_scale="htk"
    )
    window = window_function(log_mel.WINDOW, "hann")
    expected = spectrogram(
        samples, window, log_mel.WINDOW, log_mel.HOP, power=2.0, center=False, mel_filters=filters, mel_floor=1e-6
    )
    assert log_mel.log_mel(samples) == pytest.approx(np.log(expected).T, abs=1e-4)


def test_statistics_do_not_depend_on_loudness_and_tell_pitches_apart() -> None:
    loud, soft, high = tone(1), tone(1, loudness=0.01), tone(1, 2000)
    assert log_mel.statistics(loud) == pytest.approx(log_mel.statistics(soft), abs=1e-2)
    assert np.abs(log_mel.statistics(loud) - log_mel.statistics(high)).max() > 5
    assert np.isfinite(log_mel.statistics(tone(0.001))).all()  # shorter than a window


@pytest.fixture(scope="module")
def text_tower(tiny_model: Path) -> OpenClip:
    return OpenClip(settings.OpenClip(model=f"local-dir:{tiny_model}", threads=1), Path("/"), LIMITS)


def tower(text: str) -> Tower:
    """Statistics as they are, cut to the text tower's width."""
    size = 4 * log_mel.BANDS
    zeros, ones = np.zeros(size, np.float32), np.ones(size, np.float32)
    return Tower(zeros, ones, np.eye(size, tiny.DIM, dtype=np.float32), np.zeros(tiny.DIM, np.float32), text)


def standing_in(path: Path, model: Path) -> LogMelEncoder:
    given = {"kind": "log-mel", "model": f"local-dir:{model}", "tower": path.name, "threads": 1}
    return LogMelEncoder(settings.LogMel.model_validate(given), path.parent, LIMITS)


def test_a_sound_is_mapped_by_the_tower_and_text_read_by_the_model(
    text_tower: OpenClip, tiny_model: Path, tmp_path: Path
) -> None:
    tower(text_tower.fingerprint).save(tmp_path / "tower.safetensors")
    encoder = standing_in(tmp_path / "tower.safetensors", tiny_model)
    content = wave(tone(1))
    expected = log_mel.statistics(sound.waveform(content, log_mel.RATE, 60))[: tiny.DIM]
    assert encoder.encode("audio", [content])[0] == pytest.approx(expected / np.linalg.norm(expected), abs=1e-5)
    assert same(encoder.encode("text", TEXTS), text_tower.encode("text", TEXTS))
    assert "no semantic audio model" in str(encoder)
    other = tower(text_tower.fingerprint)._replace(bias=np.ones(tiny.DIM, np.float32))
    other.save(tmp_path / "other.safetensors")
    assert standing_in(tmp_path / "other.safetensors", tiny_model).fingerprint != encoder.fingerprint


def test_a_tower_of_another_text_model_or_recipe_or_none_is_refused(
    text_tower: OpenClip, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tower.safetensors"
    with pytest.raises(Mendable, match="no log-mel tower"):
        standing_in(path, tiny_model)
    path.write_bytes(b"no tower")
    with pytest.raises(Mendable, match="no log-mel tower"):
        standing_in(path, tiny_model)
    tower("another").save(path)
    with pytest.raises(Mendable, match="fitted to another model"):
        standing_in(path, tiny_model)
    with monkeypatch.context() as patch:
        patch.setattr(log_mel, "RECIPE", "log-mel 0")
        tower(text_tower.fingerprint).save(path)
    with pytest.raises(Mendable, match="made by the recipe 'log-mel 0'"):
        standing_in(path, tiny_model)


# the page on encoders


def test_the_settings_and_the_segment_that_the_page_shows_are_read(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parent.parent / "docs" / "encoders.md").read_text("utf-8")
    (shown,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    found = settings.Settings.model_validate(tomllib.loads(shown)).encoders
    assert {name: encoder.kind for name, encoder in found.items()} == {"see": "frames", "hear": "clap"}
    (segment,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    (tmp_path / "corpus.jsonl").write_text(segment, "utf-8")
    (item,) = corpus.items(tmp_path / "corpus.jsonl").records
    assert (item.modality, item.start, item.end) == ("video", 61.5, 90)
    assert set(ENCODERS) <= set(re.findall(r"`([a-z_-]+)`", page))
