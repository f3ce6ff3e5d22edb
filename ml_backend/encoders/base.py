"""What every encoder offers."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from label_configs.errors import Mendable, Unreadable
from label_configs.records import Modality, Query
from store.media import Content

if TYPE_CHECKING:
    from pathlib import Path

    from store import settings

Vectors = NDArray[np.float32]
PROBES = ("a red square", "Überraschung: 日本語, emoji 🦉", "", "word " * 400)
"""What a tokenizer makes of these tells it from others."""


class NotReady(Mendable):
    """The encoder is still loading its weights."""


def unsupported(modality: Modality, modalities: Collection[Modality]) -> Unreadable:
    """What is said of a record that an encoder of these modalities cannot read."""
    return Unreadable(
        f"The model reads {listed(modalities, 'and')}, not {modality}.",
        mend=f"Give {listed(modalities, 'or')} in its place, or leave it out.",
    )


def listed(modalities: Collection[Modality], word: str) -> str:
    """`audio, image and text`."""
    *others, last = sorted(modalities)
    return f"{', '.join(others)} {word} {last}" if others else last


class Encoder(Protocol):
    """Turns contents into unit vectors of one space. As a string it says which model it is, and where it computes."""

    @property
    def fingerprint(self) -> str:
        """Hash of configuration and weights: vectors of different fingerprints never meet."""

    @property
    def modalities(self) -> frozenset[Modality]:
        """What it can encode."""

    def encode(self, modality: Modality, contents: Sequence[Content]) -> Vectors:
        """Vectors of shape (len(contents), dim), float32, of length 1. Raises Unreadable for a broken content."""


class Encode(Protocol):
    """Encodes queries that are new to a collection."""

    def __call__(self, name: str, fingerprint: str, query: Query, /) -> Vectors:
        """The vector of a query, shape (dim,), by the encoder of that name; never one of another fingerprint."""
        ...


class Maker(Protocol):
    """A kind of encoder: what it reads is known before its weights are loaded."""

    @property
    def modalities(self) -> frozenset[Modality]:
        """What its encoders can encode."""

    def __call__(self, choice: Any, root: "Path", limits: "settings.Media") -> Encoder:
        """Load it. choice: its settings. root: the workspace, from which paths count. limits: of the media."""


def unit(vectors: Vectors) -> Vectors:
    """The rows at length 1; a row of zeros stays."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.ascontiguousarray(vectors / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def fingerprint(weights: Mapping[str, Any], *configuration: object) -> str:
    """16 hex digits over the configuration, each part by its text, and the tensors by name, shape and bytes."""
    seen = hashlib.sha256("\0".join(map(str, configuration)).encode())
    for name, tensor in sorted(weights.items()):
        seen.update(f"\0{name}\0{tuple(tensor.shape)}".encode())
        seen.update(tensor.detach().cpu().contiguous().view(-1).numpy().tobytes())
    return seen.hexdigest()[:16]
