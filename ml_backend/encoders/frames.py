"""Films by some of their frames, through an open_clip model; text and pictures as that model reads them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from label_configs.records import Modality, digest
from ml_backend.decoding import film
from ml_backend.encoders.base import Vectors, unit
from ml_backend.encoders.open_clip import OpenClip
from store import settings
from store.media import Content

if TYPE_CHECKING:
    from PIL.Image import Image

POOLING: Mapping[str, Callable[..., Any]] = {"mean": np.mean, "max": np.max}


class FrameEncoder:
    """A film's vector is the mean, or the greatest number in each dimension, of its frames' unit vectors."""

    modalities: ClassVar[frozenset[Modality]] = OpenClip.modalities | {"video"}

    def __init__(self, choice: settings.Frames, root: Path, limits: settings.Media) -> None:
        self._clip, self._choice = OpenClip(choice, root, limits), choice
        self._limits = film.Limits(limits.max_pixels, choice.max_seconds, choice.max_frames)

    def __str__(self) -> str:
        return f"{self._choice.frames} frames by {self._clip}"

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the model and of how frames are chosen and pooled."""
        how = self._choice
        return digest("frames", self._clip.fingerprint, how.frames, how.sampling, how.pooling)

    def encode(self, modality: Modality, contents: Sequence[Content]) -> Vectors:
        """See Encoder.encode. Raises Unreadable for a film that cannot be decoded within the limits."""
        if modality != "video":
            return self._clip.encode(modality, contents)
        counts: list[int] = []
        seen = self._clip.look(self._frames(contents, counts))
        films = np.split(seen, np.cumsum(counts)[:-1])
        return unit(np.stack([POOLING[self._choice.pooling](frames, axis=0) for frames in films]))

    def _frames(self, contents: Sequence[Content], counts: list[int]) -> "Iterator[Image]":
        """The frames of one film after the other; counts: filled with how many each has."""
        for content in contents:
            if not isinstance(content, str):
                counts.append(0)
                for picture in film.frames(content, self._choice.frames, self._choice.sampling, self._limits):
                    counts[-1] += 1
                    yield picture
