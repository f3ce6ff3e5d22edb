"""A container opened from memory, and what of it counts.

Foreign files are hostile: only containers that hold their media themselves are opened (no playlists, which name other
files), what they claim of their length is compared with what is there, and pictures of too many pixels are refused
before they are allocated.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from label_configs.errors import Mendable, Unreadable
from store.media import Clip
from store.media.length import CONTAINERS

if TYPE_CHECKING:
    from av import VideoStream
    from av.container import InputContainer

Kind = Literal["audio", "video"]
_WORDS: dict[Kind, str] = {"audio": "sound", "video": "picture"}
_PADDING = 1 << 20
"""Pixels by which decoders may round a picture up."""
_SHORT = 1.0
"""Seconds that a file may end before its header says; with less, headers merely round."""


class Span(NamedTuple):
    """A stretch of a stream in seconds from the container's beginning."""

    start: float
    end: float


@contextmanager
def opened(medium: bytes, kind: Kind, max_pixels: int) -> Iterator[tuple["InputContainer", Any]]:
    """The container and its first stream of that kind. Raises Unreadable for what is no film or no sound."""
    av = _av()
    options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "none"}
    try:
        with av.open(io.BytesIO(medium), options=options, metadata_errors="replace") as container:
            streams = container.streams.audio if kind == "audio" else container.streams.video
            if not streams:
                raise Unreadable(f"It holds no {_WORDS[kind]}.", mend=f"Replace it, or do not call it {kind}.")
            stream = streams[0]
            if stream.codec_context is None:
                raise Unreadable(f"Its {_WORDS[kind]} is in a code that is not known.", mend="Convert it.")
            if isinstance(stream, av.VideoStream):
                _guard(stream, max_pixels)
            yield container, stream
    except av.FFmpegError as error:
        why = str(error.strerror).lower()
        raise Unreadable(
            f"It is no {kind} that can be read: {why}.", mend="Replace it by a whole file, or leave it out."
        ) from error


def _guard(stream: "VideoStream", max_pixels: int) -> None:
    """Refuse pictures of too many pixels, now and where they grow later: before they are allocated."""
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > max_pixels:
        raise Unreadable(
            f"Its pictures have {width} x {height} pixels, more than {max_pixels}.",
            mend="Scale it down, or raise max_pixels under [media].",
        )
    stream.thread_type = "AUTO"
    stream.codec_context.options = {"max_pixels": str(2 * max_pixels + _PADDING)}


def span(content: bytes | Clip, kind: Kind, max_pixels: int, max_seconds: float) -> Span:
    """The stretch that is meant, within what is there. Raises Unreadable where there is none, or too much of it."""
    there = _survey(content.medium if isinstance(content, Clip) else content, kind, max_pixels)
    start = max(content.start, there.start) if isinstance(content, Clip) else there.start
    end = min(content.end, there.end) if isinstance(content, Clip) and content.end is not None else there.end
    if end <= start:
        asked = f"from {content.start:g} s to {content.end or there.end:g} s" if isinstance(content, Clip) else "at all"
        raise Unreadable(f"There is no {_WORDS[kind]} {asked}: it ends at {there.end:g} s.", mend="Correct the times.")
    if end - start > max_seconds:
        raise Unreadable(
            f"It lasts {end - start:.0f} s, more than {max_seconds:g}.",
            mend="Give segments of it with `start` and `end`, or raise max_seconds of the encoder.",
        )
    return Span(start, end)


def _survey(medium: bytes, kind: Kind, max_pixels: int) -> Span:
    """When the stream begins and ends, by its packets and not by what the header says of them."""
    with opened(medium, kind, max_pixels) as (container, stream):
        origin, first, last, of_all = (container.start_time or 0) / 1e6, float("inf"), 0.0, 0.0
        broken = False
        for packet in container.demux():
            stamp = packet.dts if packet.pts is None else packet.pts
            if stamp is None or packet.time_base is None:
                continue
            begins = float(stamp * packet.time_base) - origin
            ends = begins + float(_signed(packet.duration or 0) * packet.time_base)
            of_all, broken = max(of_all, ends), broken or packet.is_corrupt
            if packet.stream.index == stream.index:
                first, last = min(first, begins), max(last, ends)
        said = (container.duration or 0) / 1e6
    if said - of_all > max(_SHORT, said / 50) or (broken and not _streamed_wave(medium)):
        raise Unreadable(f"It breaks off at {of_all:.1f} s of {said:.1f}.", mend="Replace it by the whole file.")
    if last <= first:
        raise Unreadable(f"It holds no {_WORDS[kind]}: its length is 0.", mend="Replace it, or leave it out.")
    return Span(round(max(first, 0.0), 6), round(last, 6))


def _signed(duration: int) -> int:
    """A packet's duration; Ogg gives one that wraps around below 0 where the last packet ends before it begins."""
    return duration if duration < 1 << 31 else 0


def _streamed_wave(medium: bytes) -> bool:
    """Whether a WAV was written into a pipe: its header could not know its length, and that is no damage."""
    return medium[:4] == b"RIFF" and medium[4:8] in (b"\0" * 4, b"\xff" * 4)


def _av() -> "av":  # type: ignore[name-defined]  # noqa: F821
    """PyAV, or what to do where it is not installed."""
    try:
        import av
    except ImportError as error:
        raise Mendable(
            "Films and sounds are decoded by PyAV, which is not installed.",
            mend="pip install 'label-studio-retrieval[video]', or [audio].",
        ) from error
    return av
