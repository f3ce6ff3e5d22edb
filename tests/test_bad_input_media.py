"""Hostile media: a picture, sound or film, or a sentence that says why it is none; in bounded time and memory."""

import io
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import recordings
from hostile import Target, storm
from PIL import Image
from reliability import Tally

from label_configs.records import Item
from ml_backend.decoding import film, sound
from ml_backend.decoding.film import Limits
from store import tars
from store.media import Media, length, pictures
from store.settings import Media as MediaSettings

PIXELS = 4_000
LIMITS = Limits(PIXELS, 60.0, 40)
KINDS = ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "PPM", "TGA", "ICO", "JPEG2000", "AVIF")


def picture(kind: str) -> bytes:
    out = io.BytesIO()
    shown = np.random.default_rng(0).integers(0, 255, (16, 16, 3), np.uint8)
    Image.fromarray(shown).save(out, kind)
    return out.getvalue()


def pictured(path: Path) -> None:
    content = path.read_bytes()
    made = pictures.decode(content, path.name, PIXELS)
    assert made.width * made.height <= PIXELS
    pictures.thumbnail(content, path.name, PIXELS, 8)


def wave() -> bytes:
    return recordings.wave(recordings.tone(0.3, rate=8_000), 8_000)


def coloured(container: str) -> bytes:
    return recordings.colours((recordings.RED, 0.5), (recordings.BLUE, 0.5), container=container)


def long(path: Path) -> None:
    assert length.seconds(path.read_bytes(), path.name) > 0


def heard(path: Path) -> None:
    assert len(sound.waveform(path.read_bytes(), 8_000, 60.0)) <= 60 * 8_000


def seen(path: Path) -> None:
    assert len([*film.frames(path.read_bytes(), 3, "uniform", LIMITS)]) <= 3


def shard() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in ("a.png", "ü" * 60 + ".png"):
            entry = tarfile.TarInfo(name)
            entry.size = 20
            archive.addfile(entry, io.BytesIO(b"x" * 20))
    return out.getvalue()


def member(path: Path) -> None:
    media = Media(path.parent, MediaSettings(max_bytes=100))
    assert len(media.read(Item(doc_id="d", modality="image", uri=f"{path.name}#a.png"))) <= 100
    for one in tars.members(path):
        media.read(Item(doc_id="d", modality="image", uri=f"{path.name}#{one.name}"))


def table() -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"image": [b"x" * 20, None, b"y"]}), out, row_group_size=2)
    return out.getvalue()


def cell(path: Path) -> None:
    media = Media(path.parent, MediaSettings(max_bytes=100))
    for row in (3, 1, 2):
        assert len(media.read(Item(doc_id="d", modality="image", uri=f"{path.name}#image/{row}"))) <= 100


TARGETS: Mapping[str, Callable[[], Target]] = {
    **{f"{kind} as a picture": lambda kind=kind: Target("x", [picture(kind)], pictured) for kind in KINDS},  # type: ignore[misc]
    "member of a shard": lambda: Target("0001.tar", [shard()], member),
    "cell of a table": lambda: Target("t.parquet", [table()], cell),
    "length of a recording": lambda: Target("x.wav", [wave(), coloured("mp4")], long),
    "sound": lambda: Target("x", [wave()], heard),
    "film": lambda: Target("x", [*map(coloured, ("mp4", "matroska", "avi"))], seen),
}


@pytest.mark.parametrize("count", [20, pytest.param(1_000, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", TARGETS)
def test_whatever_a_medium_holds_it_is_decoded_or_refused(name: str, count: int, tmp_path: Path, tally: Tally) -> None:
    assert storm(TARGETS[name](), tmp_path / "here", count, tally) == []
