"""Frames of real films: which are chosen, by which times, and what is said of films that cannot be decoded."""

import io
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import recordings
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from recordings import BLUE, CODECS, GREEN, RED, WHITE, colours, film, plain

from label_configs.errors import Unreadable
from ml_backend.decoding import film as decoding
from ml_backend.decoding.film import Limits, Sampling
from store.media import Clip

LIMITS = Limits(max_pixels=10_000, max_seconds=60, max_frames=500)
NAMES = {RED: "red", GREEN: "green", BLUE: "blue", WHITE: "white"}
THREE = colours((RED, 1), (GREEN, 2), (BLUE, 3))


def frames(content: bytes | Clip, wanted: int, sampling: Sampling, limits: Limits) -> list[Image.Image]:
    return list(decoding.frames(content, wanted, sampling, limits))


def seen(content: bytes | Clip, wanted: int = 6, sampling: Sampling = "uniform", limits: Limits = LIMITS) -> list[str]:
    """The colours of the frames, by the nearest that has a name."""
    return [colour(picture.getpixel((1, 1))) for picture in frames(content, wanted, sampling, limits)]


def colour(pixel: Any) -> str:
    return NAMES[min(NAMES, key=lambda known: float(np.abs(np.subtract(known, pixel)).sum()))]


def refused(content: bytes | Clip, sampling: Sampling = "uniform", limits: Limits = LIMITS) -> str:
    with pytest.raises(Unreadable) as caught:
        frames(content, 4, sampling, limits)
    return caught.value.line


# which frames


@pytest.mark.parametrize("container", CODECS)
def test_uniform_frames_stand_in_the_middle_of_equal_parts(container: str) -> None:
    # parts of 1 s: their middles are 0.5 (red), 1.5, 2.5 (green), 3.5, 4.5, 5.5 (blue)
    content = colours((RED, 1), (GREEN, 2), (BLUE, 3), container=container)
    assert seen(content) == ["red", "green", "green", "blue", "blue", "blue"]
    assert seen(content, 1) == ["blue"]  # the middle of 6 s is the first frame of blue


@pytest.mark.parametrize("container", CODECS)
@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0.0, 1.0, ["red", "red"]),
        (1.0, 3.0, ["green", "green"]),
        (2.0, 4.0, ["green", "blue"]),
        (4.0, None, ["blue", "blue"]),
        (5.0, 99.0, ["blue", "blue"]),
    ],
)
def test_a_segment_holds_its_own_frames_alone(
    container: str, start: float, end: float | None, expected: list[str]
) -> None:
    content = colours((RED, 1), (GREEN, 2), (BLUE, 3), container=container)
    assert seen(Clip(content, start, end), 2) == expected


def test_times_count_not_frames_where_the_rate_varies() -> None:
    # ten red frames in the first second, then one green frame that stays for nine
    pictures = [plain(RED)] * 10 + [plain(GREEN)] * 2
    content = film(pictures, [n / 10 for n in range(10)] + [1.0, 9.9], container="matroska")
    assert seen(content, 10) == ["red"] + 9 * ["green"]


def test_more_frames_than_there_are_repeat_those_on_screen() -> None:
    assert seen(film([plain(RED)]), 3) == 3 * ["red"]


@pytest.mark.parametrize("container", CODECS)
def test_far_apart_frames_are_sought_and_not_decoded_up_to(container: str) -> None:
    # a key frame a second: 240 frames are there, and four seeks may decode 10 each and some in flight
    content = colours((RED, 60), (GREEN, 60), (BLUE, 120), container=container, rate=10, g="10")
    limits = LIMITS._replace(max_seconds=999, max_frames=1200)
    assert seen(content, 4, limits=limits) == ["red", "green", "blue", "blue"]
    few = limits._replace(max_frames=400)
    assert seen(content, 4, limits=few) == ["red", "green", "blue", "blue"]


@pytest.mark.parametrize("container", CODECS)
def test_one_frame_a_scene(container: str) -> None:
    content = colours((RED, 2), (GREEN, 0.6), (BLUE, 3), (WHITE, 1), container=container)
    assert seen(content, 8, "scenes") == ["red", "green", "blue", "white"]
    assert seen(Clip(content, 1.0, 4.0), 8, "scenes") == ["red", "green", "blue"]


def test_what_moves_within_a_scene_is_no_cut() -> None:
    wide = np.tile(np.linspace(0, 255, 200).astype(np.uint8)[None, :, None], (48, 1, 3))
    panned = [wide[:, n : n + 64] for n in range(40)]
    assert seen(film([*panned, *[plain(RED)] * 20]), 8, "scenes")[1:] == ["red"]


def test_of_more_scenes_than_wanted_the_least_changes_are_no_boundaries() -> None:
    dark, darker = (40, 0, 0), (160, 0, 0)
    content = colours((dark, 1), (darker, 1), (WHITE, 1), (BLUE, 1))
    assert len(frames(content, 8, "scenes", LIMITS)) == 4
    assert [p.getpixel((1, 1))[2] > 200 for p in frames(content, 3, "scenes", LIMITS)] == [False, True, True]  # type: ignore[index]
    assert len(frames(content, 1, "scenes", LIMITS)) == 1


def test_a_film_without_a_cut_is_one_scene() -> None:
    assert seen(colours((RED, 3)), 8, "scenes") == ["red"]


@pytest.mark.parametrize(("degrees", "corner"), [(90, (0.9, 0.1)), (180, (0.9, 0.9)), (270, (0.1, 0.9))])
def test_a_film_that_is_marked_as_rotated_is_turned_upright(degrees: int, corner: tuple[float, float]) -> None:
    marked = plain(WHITE)
    marked[:16, :16] = RED  # the top left corner, which turns clockwise
    (picture,) = frames(recordings.rotated(film([marked] * 3), degrees), 1, "uniform", LIMITS)
    assert picture.size == ((64, 48) if degrees == 180 else (48, 64))
    assert colour(picture.getpixel((int(corner[0] * picture.width), int(corner[1] * picture.height)))) == "red"


def test_an_animated_picture_is_a_film() -> None:
    written = io.BytesIO()
    pictures = [Image.new("RGB", (64, 48), shade) for shade in (RED, GREEN, BLUE)]
    pictures[0].save(written, "GIF", save_all=True, append_images=pictures[1:], duration=[1000, 1000, 4000])
    assert seen(written.getvalue(), 6) == ["red", "green", "blue", "blue", "blue", "blue"]
    assert seen(Clip(written.getvalue(), 1.0, 2.0), 2) == ["green", "green"]


@pytest.mark.parametrize("depth", ["yuv420p10le", "yuv444p10le", "yuv422p"])
def test_a_film_of_ten_bits_or_finer_colour_is_seen_as_any_other(depth: str) -> None:
    assert seen(film([plain(RED)] * 10 + [plain(BLUE)] * 10, pixels=depth), 2) == ["red", "blue"]


# what cannot be decoded


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no film",
        b"\x00\x00\x00\x18ftypmp42",
        b"#EXTM3U\n#EXTINF:5,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile '/etc/passwd'\n",
        b"\x89PNG\r\n\x1a\n" + b"0" * 100,
    ],
)
def test_what_is_no_film_is_refused_also_a_playlist_of_other_files(content: bytes) -> None:
    assert "is no video that can be read" in refused(content)


def test_a_picture_or_a_sound_that_is_called_a_film_is_refused() -> None:
    written = io.BytesIO()
    Image.new("RGB", (8, 8)).save(written, "JPEG")
    assert "is no video that can be read" in refused(written.getvalue())
    for container, codec in (("wav", "pcm_s16le"), ("mp4", "aac")):
        heard = recordings.sound(recordings.tone(1), container=container, codec=codec)
        assert "It holds no picture" in refused(heard)


def test_a_film_of_no_frames_is_refused() -> None:
    # an MP4 whose sample table is said to hold nothing
    assert "holds no picture" in refused(emptied(film([plain(RED)] * 3)))


def emptied(mp4: bytes) -> bytes:
    """The table of samples counts none."""
    place = mp4.index(b"stsz") + 12
    return mp4[:place] + b"\0\0\0\0" + mp4[place + 4 :]


@pytest.mark.parametrize("container", ["matroska", "webm"])
def test_a_film_cut_off_in_the_middle_is_refused_with_the_seconds_there_are(container: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 48, 64, 3), dtype=np.uint8)
    whole = film(list(noise), container=container)
    assert "It breaks off at " in refused(whole[: len(whole) // 2])
    assert "It breaks off at " in refused(Clip(whole[: len(whole) // 2], 0.0, 1.0))


def test_a_film_that_opens_and_lacks_its_end_is_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 48, 64, 3), dtype=np.uint8)
    whole = recordings.front_loaded(tmp_path / "film.mp4", list(noise))
    assert len(frames(whole, 4, "uniform", LIMITS)) == 4
    assert "It breaks off at " in refused(whole[: len(whole) * 2 // 3])


def test_a_segment_beyond_the_end_or_of_no_length_is_refused() -> None:
    assert "There is no picture from 7 s to 8 s: it ends at 6 s" in refused(Clip(THREE, 7.0, 8.0))
    assert "There is no picture from 2 s to 2 s" in refused(Clip(THREE, 2.0, 2.0))
    assert "There is no picture from 3 s to 2 s" in refused(Clip(THREE, 3.0, 2.0))


def test_limits_of_pixels_seconds_and_frames_stop_a_film_in_a_sentence() -> None:
    assert "64 x 48 pixels, more than 3000" in refused(THREE, limits=LIMITS._replace(max_pixels=3000))
    assert "It lasts 6 s, more than 5" in refused(THREE, limits=LIMITS._replace(max_seconds=5))
    assert len(frames(Clip(THREE, 0.0, 5.0), 4, "uniform", LIMITS._replace(max_seconds=5))) == 4
    assert "more than 20 of them" in refused(THREE, "scenes", LIMITS._replace(max_frames=20))


def test_a_film_that_claims_to_last_for_hours_is_not_believed() -> None:
    whole = colours((RED, 1))
    place = whole.index(b"mvhd") + 4 + 16
    claimed = whole[:place] + (3600 * 24 * 1000).to_bytes(4, "big") + whole[place + 4 :]
    begun = time.monotonic()
    assert set(outcome(claimed)) == {"red"}
    assert time.monotonic() - begun < 20


def outcome(content: bytes, sampling: Sampling = "uniform") -> list[str]:
    """The colours of the frames, or the sentence that stands in their place."""
    try:
        return seen(content, 4, sampling)
    except Unreadable as error:
        return [error.line]


@given(st.integers(0, len(THREE) - 1), st.binary(min_size=1, max_size=8), st.sampled_from(["uniform", "scenes"]))
def test_damage_anywhere_ends_in_frames_or_in_a_sentence(place: int, damage: bytes, sampling: Sampling) -> None:
    assert all(outcome(THREE[:place] + damage + THREE[place + len(damage) :], sampling))


@given(st.integers(0, len(THREE) - 1))
def test_a_film_cut_off_anywhere_ends_in_frames_or_in_a_sentence(end: int) -> None:
    assert all(outcome(THREE[:end]))
