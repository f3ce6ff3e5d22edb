"""The sound of a recording as numbers: one channel, at the rate that a model wants."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from label_configs.errors import Unreadable
from ml_backend.decoding.container import Span, opened, span
from store.media import Clip

Waveform = NDArray[np.float32]
_BEFORE = 1.0
"""Seconds decoded before a stretch, since decoders of compressed sound need a run-up."""
_SILENT = 1e-5
"""Peak below which there is nothing to hear: -100 dB of full scale."""
_NO_PIXELS = 1


def waveform(content: bytes | Clip, rate: int, max_seconds: float) -> Waveform:
    """Samples of a recording, a film's sound, or a stretch of either: the mean of its channels, shape (samples,).

    Raises Unreadable for what holds no sound, is silent, too long, or damaged.
    """
    stretch = span(content, "audio", _NO_PIXELS, max_seconds)
    medium = content.medium if isinstance(content, Clip) else content
    samples = _samples(medium, stretch, rate)
    if not np.isfinite(samples).all():
        raise Unreadable("Its sound holds numbers that are not finite.", mend="Replace it, or leave it out.")
    if not len(samples) or np.abs(samples).max() < _SILENT:
        raise Unreadable("It is silent.", mend="Replace it, or leave it out.")
    return samples


def _samples(medium: bytes, stretch: Span, rate: int) -> Waveform:
    """The samples of exactly this stretch; fewer where the sound ends earlier."""
    for begin in (stretch.start - _BEFORE, 0.0):
        decoded = _decoded(medium, begin, rate)
        first = next(decoded, None)
        if first is not None and (first.time <= stretch.start or begin <= 0):
            return _cut(first.time, chain([first.samples], (part.samples for part in decoded)), stretch, rate)
    return np.empty(0, dtype=np.float32)


def _cut(time: float, parts: Iterable[Waveform], stretch: Span, rate: int) -> Waveform:
    """Of parts that follow each other from a time on, those of the stretch; no more are taken than it needs."""
    first, last = (round((edge - time) * rate) for edge in stretch)
    taken, there = [], 0
    for part in parts:
        taken.append(part)
        there += len(part)
        if there >= last:
            break
    return np.concatenate(taken)[max(0, first) : max(0, last)]


class _Part(NamedTuple):
    """Samples, and the second in which the first part of all begins."""

    time: float
    samples: Waveform


def _decoded(medium: bytes, begin: float, rate: int) -> Iterator[_Part]:
    """One channel from a second on, or from earlier; from the beginning for one that is not above 0."""
    from av import AudioResampler

    with opened(medium, "audio", _NO_PIXELS) as (container, stream):
        origin, resampler = (container.start_time or 0) / 1e6, AudioResampler(format="fltp", rate=rate)
        if begin > 0:
            container.seek(int((begin + origin) / float(stream.time_base or 1)), stream=stream)
        time: float | None = None
        for frame in chain(container.decode(stream), (None,)):
            if frame is not None and time is None:
                time = float(frame.time or 0.0) - origin
            for part in resampler.resample(frame) if time is not None else ():
                with np.errstate(invalid="ignore"):  # what is no number is refused at the end
                    yield _Part(time or 0.0, np.asarray(part.to_ndarray().mean(axis=0), dtype=np.float32))
