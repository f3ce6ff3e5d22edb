"""What every encoder offers."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from label_configs.errors import Mendable
from label_configs.records import Modality

Vectors = NDArray[np.float32]
Content = str | bytes
"""What is encoded: a text, or the bytes of a media file."""


class NotReady(Mendable):
    """The encoder is still loading its weights."""


class Encoder(Protocol):
    """Turns contents into unit vectors of one space."""

    @property
    def fingerprint(self) -> str:
        """Hash of configuration and weights: vectors of different fingerprints never meet."""

    @property
    def modalities(self) -> frozenset[Modality]:
        """What it can encode."""

    def encode(self, modality: Modality, contents: Sequence[Content]) -> Vectors:
        """Vectors of shape (len(contents), dim), float32, of length 1."""
