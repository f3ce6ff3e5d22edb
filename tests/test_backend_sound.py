"""The sound of real recordings as samples: rates, channels and stretches, and what is said of those without any."""

import io

import numpy as np
import pytest
import recordings
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from recordings import RED, pitch, sound, sounding, tone, wave

from label_configs.errors import Unreadable
from ml_backend.decoding.sound import Waveform, waveform
from store.media import Clip

CODECS = {
    "wav": "pcm_s16le",
    "flac": "flac",
    "mp3": "libmp3lame",
    "ogg": "libopus",
    "mp4": "aac",
    "matroska": "libopus",
    "mpegts": "aac",
}
CLIMB = np.concatenate([tone(2, 400, 48_000), tone(2, 800, 48_000), tone(2, 1600, 48_000)])
SECOND = wave(tone(1))


def heard(content: bytes | Clip, rate: int = 16_000, max_seconds: float = 60) -> Waveform:
    return waveform(content, rate, max_seconds)


def refused(content: bytes | Clip, max_seconds: float = 60) -> str:
    with pytest.raises(Unreadable) as caught:
        waveform(content, 16_000, max_seconds)
    return caught.value.line


# what is heard


def test_samples_of_a_wave_at_its_own_rate_come_back_as_they_were() -> None:
    assert heard(wave(tone(1))) == pytest.approx(tone(1), abs=1e-6)


@pytest.mark.parametrize(("rate", "samples"), [(16_000, 16_000), (48_000, 48_000), (44_100, 44_100), (8_000, 8_000)])
def test_a_sound_is_resampled_to_the_rate_asked_for(rate: int, samples: int) -> None:
    found = heard(wave(tone(1)), rate)
    assert abs(len(found) - samples) <= 32
    assert pitch(found, rate) == pytest.approx(440, abs=2)
    assert np.abs(found).max() == pytest.approx(0.5, abs=0.05)


def test_channels_become_their_mean() -> None:
    left, right = tone(1), tone(1, loudness=0.1)
    assert heard(sound(np.stack([left, right]))) == pytest.approx((left + right) / 2, abs=1e-3)
    assert heard(sound(np.stack([left, left]))) == pytest.approx(left, abs=1e-3)


@pytest.mark.parametrize("container", CODECS)
def test_any_container_gives_all_of_its_sound(container: str) -> None:
    found = heard(sound(CLIMB, 48_000, container=container, codec=CODECS[container]))
    assert len(found) == pytest.approx(6 * 16_000, rel=0.02)
    assert pitch(found[8_000:24_000], 16_000) == pytest.approx(400, abs=5)
    assert pitch(found[-24_000:-8_000], 16_000) == pytest.approx(1600, abs=5)


@pytest.mark.parametrize("container", CODECS)
@pytest.mark.parametrize(("start", "end", "expected"), [(0.0, 1.9, 400), (2.1, 3.9, 800), (4.1, None, 1600)])
def test_a_stretch_holds_its_own_sound_alone(container: str, start: float, end: float | None, expected: int) -> None:
    content = sound(CLIMB, 48_000, container=container, codec=CODECS[container])
    found = heard(Clip(content, start, end))
    assert len(found) == pytest.approx(((end or 6) - start) * 16_000, abs=800)
    for part in np.array_split(found, 3):
        assert pitch(part, 16_000) == pytest.approx(expected, abs=5)


def test_a_stretch_of_a_wave_is_exact_to_the_sample() -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 16_000 * 5).astype(np.float32)
    assert heard(Clip(wave(noise), 3.0, 4.5)) == pytest.approx(noise[48_000:72_000], abs=1e-6)


@pytest.mark.parametrize(
    ("codec", "step"),
    [("pcm_u8", 2**-7), ("pcm_s24le", 2**-23), ("pcm_s32le", 2**-24), ("pcm_f64le", 2**-24), ("pcm_mulaw", 2**-5)],
)
def test_samples_of_any_depth_are_heard_to_its_last_step(codec: str, step: float) -> None:
    assert heard(sound(tone(1), codec=codec)) == pytest.approx(tone(1), abs=step)


def test_a_sound_of_a_varying_bit_rate_is_as_long_as_it_is_and_its_stretches_lie_where_they_are() -> None:
    quiet = np.zeros(48_000 * 2, np.float32)
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 48_000 * 2).astype(np.float32)
    parts = np.concatenate([quiet, noise, tone(2, 400, 48_000), quiet])
    content = sound(parts, 48_000, container="mp3", codec="libmp3lame", options={"abr": "1", "b": "96000"})
    assert len({frame_bits(content, at) for at in frames_of(content)}) > 2
    assert len(heard(content)) == pytest.approx(8 * 16_000, rel=0.02)
    for part in np.array_split(heard(Clip(content, 4.1, 5.9)), 3):
        assert pitch(part, 16_000) == pytest.approx(400, abs=5)


def frames_of(mp3: bytes) -> list[int]:
    """Where frames of MPEG-1 layer III at 48 kHz begin."""
    return [n for n in range(len(mp3) - 3) if mp3[n : n + 2] == b"\xff\xfb" and mp3[n + 2] >> 2 & 3 == 1]


def frame_bits(mp3: bytes, at: int) -> int:
    """The index of a frame's bit rate."""
    return mp3[at + 2] >> 4


def test_a_film_is_heard_by_its_sound() -> None:
    found = heard(sounding([RED, RED], tone(2)))
    assert pitch(found, 16_000) == pytest.approx(440, abs=2)


def test_a_sound_of_a_few_samples_is_a_sound() -> None:
    assert len(heard(wave(tone(0.001)))) == 16


def test_a_wave_that_was_written_into_a_pipe_does_not_know_its_length_and_is_whole() -> None:
    content = sound(tone(2))
    size = content.index(b"data") + 4
    streamed = content[:4] + b"\xff" * 4 + content[8:size] + b"\xff" * 4 + content[size + 4 :]
    assert len(heard(streamed)) == pytest.approx(32_000, abs=10)


def test_an_ogg_whose_last_packet_ends_before_it_begins_is_no_longer_than_it_is() -> None:
    both = np.stack([tone(4_000 / 44_100, rate=44_100)] * 2)
    content = sound(both, 44_100, container="ogg", codec="vorbis", options={"strict": "-2"})
    assert len(heard(content, 44_100, max_seconds=1)) == pytest.approx(4_000, abs=1_100)


# what is not


@pytest.mark.parametrize(
    "content", [b"", b"no sound", b"RIFF\0\0\0\0WAVE", b"#EXTM3U\nfile:///etc/passwd\n", b"ID3\x04"]
)
def test_what_is_no_sound_is_refused(content: bytes) -> None:
    assert "is no audio that can be read" in refused(content)


def test_a_picture_that_is_called_a_sound_is_refused() -> None:
    written = io.BytesIO()
    Image.new("RGB", (8, 8)).save(written, "PNG")
    assert "is no audio that can be read" in refused(written.getvalue())


def test_a_film_without_sound_is_refused() -> None:
    assert "It holds no sound" in refused(recordings.colours((RED, 1)))


def test_silence_is_refused_and_what_is_barely_audible_is_not() -> None:
    assert refused(wave(np.zeros(16_000, np.float32))).startswith("It is silent.")
    assert refused(sound(np.zeros(16_000, np.float32), container="flac", codec="flac")).startswith("It is silent.")
    assert len(heard(wave(tone(1, loudness=1e-4)))) == 16_000


def test_a_sound_of_no_length_is_refused() -> None:
    assert "sound" in refused(wave(np.zeros(0, np.float32)))
    assert "There is no sound from 1 s to 1 s" in refused(Clip(SECOND, 1.0, 1.0))
    assert "There is no sound from 3 s to 4 s: it ends at 1 s" in refused(Clip(SECOND, 3.0, 4.0))


def test_numbers_that_are_not_finite_are_refused() -> None:
    broken = tone(1)
    broken[5_000] = np.nan
    assert "not finite" in refused(wave(broken))


def test_a_sound_that_is_too_long_is_refused_and_a_stretch_of_it_is_not() -> None:
    long = wave(tone(5))
    assert "It lasts 5 s, more than 4" in refused(long, max_seconds=4)
    assert len(waveform(Clip(long, 1.0, 5.0), 16_000, 4)) == 64_000


@pytest.mark.parametrize("container", ["wav", "mp3", "matroska", "flac"])
def test_a_sound_cut_off_in_the_middle_is_refused(container: str) -> None:
    whole = sound(CLIMB, 48_000, container=container, codec=CODECS[container])
    assert "It breaks off at " in refused(whole[: len(whole) // 2])


@pytest.mark.parametrize(("rate", "channels"), [(1, 1), (0, 1), (2**31 - 1, 1), (16_000, 0), (16_000, 65_535)])
def test_a_header_that_claims_what_cannot_be_ends_in_a_sentence(rate: int, channels: int) -> None:
    assert refused(wave(tone(5), rate, channels=channels))


@given(st.sampled_from(["wav", "mp3", "ogg"]), st.floats(0, 1), st.binary(max_size=6))
def test_damage_anywhere_ends_in_samples_or_in_a_sentence(container: str, place: float, damage: bytes) -> None:
    whole = {"wav": WAVE, "mp3": MP3, "ogg": OGG}[container]
    at = int(place * len(whole))
    for content in (whole[:at], whole[:at] + damage + whole[at + len(damage) :]):
        try:
            assert np.isfinite(heard(content)).all()
        except Unreadable:
            continue


WAVE, MP3, OGG = (sound(tone(1), container=c, codec=CODECS[c]) for c in ("wav", "mp3", "ogg"))
