"""The demo's stand-in for an audio model: a linear map from log-mel statistics into an open_clip model's text space.

It knows the timbre of the few sounds that it was fitted to, and nothing of what sounds mean: it stands where CLAP's
weights cannot be had, so that sounds go all the way through the tool. For real data take an encoder of kind "clap".
"""

from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from label_configs.errors import Mendable
from label_configs.records import Modality, digest
from ml_backend.decoding import sound
from ml_backend.encoders.base import Vectors, unit
from ml_backend.encoders.open_clip import OpenClip
from store import files, settings
from store.media import Content

if TYPE_CHECKING:
    from store.media import Clip

RATE, WINDOW, HOP, BANDS = 16_000, 1024, 256, 48
_FLOOR = 1e-6
_MADE_BY = "made by"
"""The one entry beside the tensors: of several, safetensors writes now this one first, now that."""
RECIPE = "log-mel 1"
"""Raise it when the same sound gives other statistics: a tower is refused by another recipe."""


class Tower(NamedTuple):
    """(statistics - centre) / scale @ weight + bias is a vector of the text tower. text: that tower's fingerprint."""

    centre: NDArray[np.float32]
    scale: NDArray[np.float32]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    text: str

    def save(self, path: Path) -> None:
        """Write it as safetensors."""
        from safetensors.numpy import save

        arrays = {name: np.ascontiguousarray(array) for name, array in self._asdict().items() if name != "text"}
        files.write(path, save(arrays, {_MADE_BY: f"{RECIPE}, {self.text}"}))


class LogMelEncoder:
    """Sound by the tower, text by the open_clip model that it was fitted to."""

    modalities: ClassVar[frozenset[Modality]] = frozenset({"text", "audio"})

    def __init__(self, choice: settings.LogMel, root: Path, limits: settings.Media) -> None:
        self._text, self._choice = OpenClip(choice, root, limits), choice
        self._tower = load(root / choice.tower)
        if self._tower.text != self._text.fingerprint:
            raise Mendable(
                f"{choice.tower} was fitted to another model than {choice.model}.",
                mend="Fit it again, or name the model that it was fitted to.",
            )

    def __str__(self) -> str:
        return f"{self._choice.tower} (a stand-in, no semantic audio model), and {self._text}"

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the tower and of the text tower."""
        return digest(RECIPE, self._tower.text, *(array.tobytes().hex() for array in self._tower[:-1]))

    def encode(self, modality: Modality, contents: Sequence[Content]) -> Vectors:
        """See Encoder.encode. Raises Unreadable for a sound that cannot be decoded, is silent or too long."""
        if modality == "text":
            return self._text.encode(modality, contents)
        heard = [self._statistics(content) for content in contents if not isinstance(content, str)]
        tower = self._tower
        mapped = (np.stack(heard) - tower.centre) / tower.scale @ tower.weight + tower.bias
        return unit(mapped.astype(np.float32))

    def _statistics(self, content: "bytes | Clip") -> NDArray[np.float32]:
        return statistics(sound.waveform(content, RATE, self._choice.max_seconds))


def statistics(samples: sound.Waveform) -> NDArray[np.float32]:
    """What a sound is to the tower, shape (4 · BANDS,): mean, deviation and peak of each band's log energy, and its
    mean change from frame to frame. Loudness is taken off: the sound is scaled to a root mean square of 0.1."""
    level = max(float(np.sqrt(np.mean(np.square(samples)))), _FLOOR)
    bands = log_mel(samples * np.float32(0.1 / level))
    change = np.abs(np.diff(bands, axis=0)).mean(axis=0) if len(bands) > 1 else np.zeros(BANDS)
    parts = [bands.mean(axis=0), bands.std(axis=0), bands.max(axis=0), change]
    return np.asarray(np.concatenate(parts), dtype=np.float32)


def log_mel(samples: sound.Waveform) -> NDArray[np.float64]:
    """Natural logarithm of the power in each mel band, shape (frames, BANDS); a Hann window, padded at the end."""
    padded = np.pad(samples, (0, max(0, WINDOW - len(samples))))
    framed = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(framed * np.hanning(WINDOW + 1)[:-1], axis=1)) ** 2
    return np.asarray(np.log(np.maximum(power @ _filters().T, _FLOOR)))


@lru_cache(maxsize=1)
def _filters() -> NDArray[np.float64]:
    """Triangles of height 1 between BANDS + 2 points even on HTK's mel scale, 2595 log10(1 + f / 700)."""
    highest = 2595 * np.log10(1 + RATE / 2 / 700)
    points = 700 * (10 ** (np.linspace(0, highest, BANDS + 2) / 2595) - 1)
    bins = np.linspace(0, RATE / 2, WINDOW // 2 + 1)
    low, middle, high = points[:-2, None], points[1:-1, None], points[2:, None]
    rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
    return np.asarray(np.maximum(0, np.minimum(rising, falling)))


def load(path: Path) -> Tower:
    """Read a tower. Raises Mendable for what is none, or one of another recipe."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as opened:
            about = opened.metadata() or {}
            arrays = [opened.get_tensor(name) for name in Tower._fields[:-1]]
    except (OSError, SafetensorError) as error:
        raise Mendable(
            f"{path} is no log-mel tower that can be read: {error}.",
            mend="Correct `tower` under [encoders] in settings.toml.",
        ) from error
    recipe, _, text = about.get(_MADE_BY, "").partition(", ")
    if recipe != RECIPE:
        raise Mendable(f"{path} was made by the recipe {recipe!r}, not {RECIPE!r}.", mend="Fit it again.")
    centre, scale, weight, bias = arrays
    return Tower(centre, scale, weight, bias, text)
