"""Short films made of pictures: a cut between any two, and within a scene a slow zoom and pan over its picture."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from label_configs.records import digest
from ls_retrieval.demo.pictures import Picture, Track, fresh
from ls_retrieval.demo.recordings import Recording

if TYPE_CHECKING:
    from PIL.Image import Image

WIDTH, HEIGHT, RATE, SECONDS = 320, 240, 12, 2
CLOSEST = 0.7
"""Share of the width that is still seen where a zoom ends."""


def films(pictures: Sequence[Picture], workspace: Path, track: Track, *, scenes: int = 4) -> list[Recording]:
    """Films of `scenes` pictures each, in media/films; a recording for each scene, of SECONDS.

    The pictures are put together in the order of a hash, so that neighbours have nothing to do with each other. A
    film is named by the hash of what it shows, and kept where it exists.
    """
    mixed = sorted(pictures, key=lambda picture: digest("film", picture.key))
    found: list[Recording] = []
    for shown in track([mixed[n : n + scenes] for n in range(0, len(mixed), scenes)], "Rendering films"):
        key = "v" + digest(*(picture.key for picture in shown))[:10]
        path = workspace / "media" / "films" / f"{key}.mp4"
        if not path.exists():
            with fresh(path) as temporary:
                _write(shown, temporary)
        found += [_scene(f"{key}-{n}", path, n * SECONDS, picture) for n, picture in enumerate(shown)]
    return found


def _scene(key: str, path: Path, start: float, picture: Picture) -> Recording:
    end = start + SECONDS
    return Recording(key, "video", path, start, end, picture.caption, picture.head, picture.group)


def _write(pictures: Sequence[Picture], path: Path) -> None:
    """H.264 in MP4, as browsers play it. The same pictures give the same bytes: on one thread, and by the preset that
    looks neither ahead nor at macroblocks' history, where x264 differs from run to run."""
    import av

    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "ultrafast", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        frames = (frame for picture in pictures for frame in _frames(picture))
        for n, picture in enumerate(frames):
            frame = av.VideoFrame.from_image(picture)
            frame.pts, frame.time_base = n, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _frames(picture: Picture) -> "Iterator[Image]":
    """The picture on white, ever closer, towards a corner that its key decides."""
    from PIL import Image

    with Image.open(picture.path) as opened:
        opened.thumbnail((WIDTH, HEIGHT))
        canvas = Image.new("RGB", (WIDTH, HEIGHT), "white")
        canvas.paste(opened, ((WIDTH - opened.width) // 2, (HEIGHT - opened.height) // 2))
    corner = int(digest("corner", picture.key), 16)
    for n in range(RATE * SECONDS):
        share = 1 - (1 - CLOSEST) * n / (RATE * SECONDS - 1)
        left, top = (1 - share) * WIDTH * (corner & 1), (1 - share) * HEIGHT * (corner >> 1 & 1)
        box = (left, top, left + share * WIDTH, top + share * HEIGHT)
        yield canvas.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR, box=box)
