"""Frames of a film: evenly spread, or one a scene; by the times that the file gives, whatever its frame rate."""

from collections.abc import Iterator
from itertools import chain, pairwise
from statistics import median
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from label_configs.errors import Unreadable
from ml_backend.decoding.container import Span, opened, span
from store.media import Clip

if TYPE_CHECKING:
    from av import VideoFrame
    from PIL.Image import Image

Thumb = NDArray[np.float32]
Sampling = Literal["uniform", "scenes"]
_FULL_HD = 1920 * 1080
_GAP = 10.0
"""Seconds from one wanted frame to the next beyond which seeking is cheaper than decoding what lies between."""
_BACK = (0.0, 10.0, 60.0)
"""Seconds before a wanted frame to which is sought, one after the other: some containers land behind the key frame."""
_STEP = 0.2
"""Seconds between two frames that are compared for a cut."""
_CUT = 0.08
"""Mean difference of two frames (of 0 to 1) from which on there may be a cut between them."""
_THUMB = 16


class Limits(NamedTuple):
    """What a film may cost. max_frames: of full HD, decoded for one film or segment; larger ones count for more."""

    max_pixels: int
    max_seconds: float
    max_frames: int


def frames(content: bytes | Clip, wanted: int, sampling: Sampling, limits: Limits) -> "Iterator[Image]":
    """Up to `wanted` upright RGB pictures of a film or a stretch of it, in their order, one at a time.

    uniform: those on screen in the middle of `wanted` equal parts. scenes: those in the middle of each scene; of more
    scenes than wanted, the boundaries with the least change are dropped. Raises Unreadable.
    """
    stretch = span(content, "video", limits.max_pixels, limits.max_seconds)
    film = _Film(content.medium if isinstance(content, Clip) else content, limits)
    times = _uniform(stretch, wanted) if sampling == "uniform" else _scenes(film, stretch, wanted)
    yield from map(_upright, film.on_screen(times))


def _uniform(stretch: Span, wanted: int) -> list[float]:
    part = (stretch.end - stretch.start) / wanted
    return [stretch.start + (n + 0.5) * part for n in range(wanted)]


def _scenes(film: "_Film", stretch: Span, wanted: int) -> list[float]:
    """The middle of each scene. A cut: two frames differ by more than _CUT, and than three times what is usual."""
    looked = list(film.thumbs(stretch))
    changes = [float(np.abs(after - before).mean()) for (_, before), (_, after) in pairwise(looked)]
    usual = 3 * median(changes) if changes else 0.0
    cuts = sorted((-change, n) for n, change in enumerate(changes, 1) if change > max(_CUT, usual))[: wanted - 1]
    edges = [stretch.start, *(looked[n][0] for n in sorted(n for _, n in cuts)), stretch.end]
    return [(begins + ends) / 2 for begins, ends in pairwise(edges)]


class _Film:
    """Frames of a film with their seconds from its beginning; it counts what it decodes, and stops at the limit."""

    def __init__(self, medium: bytes, limits: Limits) -> None:
        self._medium, self._limits = medium, limits
        self._budget = float(limits.max_frames)

    def on_screen(self, times: list[float]) -> "Iterator[VideoFrame]":
        """The frame that is shown at each of these times, ascending."""
        shown: _Timed | None = None
        decoded = self._from(times[0])
        ahead = next(decoded, None)
        for time in times:
            if ahead is not None and time - ahead.time > _GAP:
                shown, decoded = None, self._from(time)
                ahead = next(decoded, None)
            while ahead is not None and (shown is None or ahead.time <= time):
                shown, ahead = ahead, next(decoded, None)
            if shown is None:
                raise Unreadable("None of its pictures can be decoded.", mend="Replace it, or leave it out.")
            yield shown.frame

    def thumbs(self, stretch: Span) -> Iterator[tuple[float, Thumb]]:
        """Time and tiny picture of the frames of a stretch, _STEP or more apart."""
        due = stretch.start
        for time, frame in self._from(stretch.start):
            if time >= stretch.end:
                return
            if time >= due:
                tiny = frame.reformat(_THUMB, _THUMB, "rgb24", interpolation="AREA").to_ndarray()
                yield time, np.asarray(tiny / 255, dtype=np.float32)
                due = time + _STEP - 1e-6

    def _from(self, time: float) -> "Iterator[_Timed]":
        """Frames from the one on screen at a time or earlier; seeks further back while that lands too late."""
        for back in _BACK:
            if time > back:
                found = self._decoded(time - back)
                first = next(found, None)
                if first is not None and first.time <= time:
                    return chain([first], found)
        return self._decoded(None)

    def _decoded(self, time: float | None) -> "Iterator[_Timed]":
        """Frames from the key frame that the container finds for a time; from its beginning where there is none."""
        with opened(self._medium, "video", self._limits.max_pixels) as (container, stream):
            origin = (container.start_time or 0) / 1e6
            if time is not None:
                container.seek(int((time + origin) / float(stream.time_base or 1)), stream=stream)
            for frame in container.decode(stream):
                self._spend(frame.width * frame.height)
                if frame.time is not None:
                    yield _Timed(round(frame.time - origin, 6), frame)

    def _spend(self, pixels: int) -> None:
        self._budget -= max(1.0, pixels / _FULL_HD)
        if self._budget < 0:
            raise Unreadable(
                f"Choosing its frames takes decoding more than {self._limits.max_frames} of them.",
                mend="Give segments of it with `start` and `end`, or raise max_frames of the encoder.",
            )


class _Timed(NamedTuple):
    """A frame, and when it comes on screen."""

    time: float
    frame: "VideoFrame"


def _upright(frame: "VideoFrame") -> "Image":
    """The frame as people see it: turned as the file's display matrix says."""
    picture: Image = frame.to_image()
    return picture.rotate(frame.rotation, expand=True) if frame.rotation else picture
