"""What every encoder offers."""

from collections.abc import Collection, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from label_configs.errors import Mendable, Unreadable
from label_configs.records import Modality
from store.media import Content

Vectors = NDArray[np.float32]


class NotReady(Mendable):
    """The encoder is still loading its weights."""


def unsupported(modality: Modality, modalities: Collection[Modality]) -> Unreadable:
    """What is said of a record that an encoder of these modalities cannot read."""
    readable = sorted(modalities)
    return Unreadable(
        f"The model reads {' and '.join(readable)}, not {modality}.",
        mend=f"Give {' or '.join(readable)} in its place, or leave it out.",
    )


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
