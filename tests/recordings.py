"""Films and sounds made by PyAV in the tests: colours at known times, tones of known pitch."""

import io
import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
Colour = tuple[int, int, int]
CODECS = {"mp4": "libx264", "matroska": "libx264", "webm": "libvpx", "avi": "mpeg4", "mpegts": "libx264"}


def plain(colour: Colour, width: int = 64, height: int = 48) -> NDArray[np.uint8]:
    return np.full((height, width, 3), colour, np.uint8)


def film(
    pictures: Sequence[NDArray[np.uint8]],
    times: Sequence[float] = (),
    *,
    container: str = "mp4",
    rate: int = 10,
    options: dict[str, str] | None = None,
    pixels: str = "yuv420p",
) -> bytes:
    """A film of these pictures, at these seconds, or evenly at a rate."""
    out = io.BytesIO()
    clock = 1000 if times else rate
    with av.open(out, "w", format=container) as opened:
        stream: Any = opened.add_stream(
            CODECS[container],
            rate=rate,
            options={"deadline": "realtime"} | (options or {}) if container == "webm" else options or {},
        )
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixels
        stream.codec_context.time_base = Fraction(1, clock)
        for n, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = round(times[n] * clock) if times else n, Fraction(1, clock)
            opened.mux(stream.encode(frame))
        opened.mux(stream.encode(None))
    return out.getvalue()


def colours(*scenes: tuple[Colour, float], container: str = "mp4", rate: int = 10, **options: str) -> bytes:
    """A film of plain scenes, each for so many seconds."""
    pictures = [plain(colour) for colour, seconds in scenes for _ in range(round(seconds * rate))]
    return film(pictures, container=container, rate=rate, options=options)


def tone(seconds: float, pitch: float = 440, rate: int = 16_000, loudness: float = 0.5) -> NDArray[np.float32]:
    return (loudness * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def sound(
    samples: NDArray[np.float32],
    rate: int = 16_000,
    *,
    container: str = "wav",
    codec: str = "pcm_s16le",
    options: dict[str, str] | None = None,
) -> bytes:
    """A recording of samples of shape (samples,) or (channels, samples)."""
    out = io.BytesIO()
    channels = np.atleast_2d(samples)
    layout = "mono" if len(channels) == 1 else "stereo"
    with av.open(out, "w", format=container) as opened:
        stream: Any = opened.add_stream(codec, rate=rate, layout=layout, options=options or {})
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(channels), format="fltp", layout=layout)
        frame.rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        resampler = av.AudioResampler(format=stream.format.name, layout=layout, rate=stream.rate)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            opened.mux(stream.encode(part))
        opened.mux(stream.encode(None))
    return out.getvalue()


def wave(samples: NDArray[np.float32], rate: int = 16_000, *, channels: int = 1) -> bytes:
    """A WAV of 32-bit floats, written by hand: it can hold what is no number, and claim what is not so."""
    data = samples.astype("<f4").tobytes()
    format_ = struct.pack("<HHIIHH", 3, channels, rate, 4 * rate % 2**32, 4 * channels % 2**16, 32)
    chunks = b"fmt " + struct.pack("<I", 16) + format_ + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def sounding(scenes: Sequence[Colour], samples: NDArray[np.float32], rate: int = 16_000) -> bytes:
    """An MP4 of colours, each for a second, with a sound."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as opened:
        shown: Any = opened.add_stream("libx264", rate=10)
        shown.height, shown.width, shown.pix_fmt = 48, 64, "yuv420p"
        heard: Any = opened.add_stream("aac", rate=rate, layout="mono")
        for n in range(10 * len(scenes)):
            frame = av.VideoFrame.from_ndarray(plain(scenes[n // 10]), format="rgb24")
            frame.pts, frame.time_base = n, Fraction(1, 10)
            opened.mux(shown.encode(frame))
        opened.mux(shown.encode(None))
        part = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        part.rate, part.pts, part.time_base = rate, 0, Fraction(1, rate)
        opened.mux(heard.encode(part))
        opened.mux(heard.encode(None))
    return out.getvalue()


def rotated(mp4: bytes, degrees: int) -> bytes:
    """The same MP4, which players turn clockwise: the matrix of its track header is another."""
    matrices = {90: (0, 1, 0, -1, 0, 0), 180: (-1, 0, 0, 0, -1, 0), 270: (0, -1, 0, 1, 0, 0)}
    a, b, u, c, d, v = matrices[degrees]
    place = mp4.index(b"tkhd") + 4 + 40
    fixed = struct.pack(">9i", *(n << 16 for n in (a, b, u, c, d, v)), 0, 0, 1 << 30)
    return mp4[:place] + fixed + mp4[place + 36 :]


def front_loaded(path: Path, pictures: Sequence[NDArray[np.uint8]]) -> bytes:
    """An MP4 whose table of contents stands first, so that it opens even where its end is missing."""
    path.write_bytes(film(pictures))
    with av.open(str(path)) as given, av.open(str(path) + ".mp4", "w", options={"movflags": "faststart"}) as out:
        copied = out.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = copied
                out.mux(packet)
    return Path(str(path) + ".mp4").read_bytes()


def pitch(samples: NDArray[np.float32], rate: int) -> float:
    """The strongest frequency, in Hz."""
    strength = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(strength) * rate / len(samples))
