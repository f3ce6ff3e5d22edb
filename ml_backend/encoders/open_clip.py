"""Text and images by any open_clip model."""

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from label_configs.records import Modality
from ml_backend import hub
from ml_backend.encoders import machine
from ml_backend.encoders.base import PROBES, Vectors, fingerprint, unit
from ml_backend.encoders.preparation import Preparation, Scaled
from store import settings
from store.media import Content, decode

if TYPE_CHECKING:
    from PIL.Image import Image


class OpenClip:
    """An open_clip model. Loading it takes seconds."""

    modalities: ClassVar[frozenset[Modality]] = frozenset({"text", "image"})

    def __init__(self, choice: settings.ClipModel, root: Path, limits: settings.Media) -> None:
        name = hub.locate(choice.model, root)
        self._name, self._batch, self._max_pixels = choice.model, choice.batch, limits.max_pixels
        self._machine = machine.choose(choice)
        self._workers = choice.threads or os.cpu_count() or 1
        model, preprocess, self._tokenize = _load(name, choice)
        self._preparation = Preparation(preprocess)
        self._model: Any = model.eval().to(self._machine.device)
        self._layout = _layout(self._model)
        self._model.to(memory_format=self._layout)
        self._least = _least(self._model)

    def __str__(self) -> str:
        return f"{self._name} on {self._machine}"

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the weights, the preprocessing, the tokenizer, and bf16, whose 8 bits move vectors by 0.0001."""
        coarse = "bf16" if self._machine.precision == "bf16" else ""
        tokens = self._tokenize(list(PROBES)).tolist()
        configured = getattr(self._model.visual, "preprocess_cfg", "")  # the transform does not tell its fill colour
        return fingerprint(self._model.state_dict(), self._preparation, configured, tokens, coarse, self._least)

    def encode(self, modality: Modality, contents: Sequence[Content]) -> Vectors:
        """See Encoder.encode. Raises Unreadable for a picture that cannot be decoded."""
        if modality == "text":
            return self._by_batch(contents, self._texts)
        return self._by_batch(contents, self._pictures)

    def look(self, pictures: "Iterable[Image]") -> Vectors:
        """The vectors of pictures that are decoded already; of many, only a batch is held."""
        return self._by_batch(map(self._preparation.scaled, pictures), self._images)

    def _by_batch(self, contents: Iterable[Any], step: Any) -> Vectors:
        import torch

        with torch.inference_mode(), self._machine.computing():
            parts = [step(batch).float().cpu().numpy() for batch in _batches(contents, self._batch)]
        return unit(np.concatenate(parts))

    def _texts(self, texts: Sequence[str]) -> Any:
        return self._model.encode_text(self._tokenize(list(texts)).to(self._machine.device))

    def prepared(self, contents: Sequence[bytes]) -> Any:
        """Pictures as the tower takes them, shape (pictures, 3, height, width); decoded and scaled side by side.

        Raises Unreadable for what cannot be decoded.
        """
        with ThreadPoolExecutor(self._workers) as pool:
            return self._preparation.pixels(list(pool.map(self._scaled, contents)), self._layout)

    def _scaled(self, content: bytes) -> Scaled:
        return self._preparation.scaled(decode(content, "The picture", self._max_pixels, self._least))

    def _pictures(self, contents: Sequence[bytes]) -> Any:
        return self.seen(self.prepared(contents))

    def _images(self, pictures: Sequence[Scaled]) -> Any:
        return self.seen(self._preparation.pixels(pictures, self._layout))

    def seen(self, pixels: Any) -> Any:
        """What the tower makes of a batch that is prepared."""
        return self._model.encode_image(pixels.to(self._machine.device))


def _batches(contents: Iterable[Any], size: int) -> Iterator[list[Any]]:
    ahead = iter(contents)
    while batch := list(islice(ahead, size)):
        yield batch


def _layout(model: Any) -> Any:
    """Channels last for a convolutional image tower, which gains a third by it; a transformer has one convolution."""
    import torch

    convolutions = sum(isinstance(module, torch.nn.Conv2d) for module in model.visual.modules())
    return torch.channels_last if convolutions > 1 else torch.contiguous_format


def _least(model: Any) -> int:
    """Sides of pictures that are enough for the tower: two and a half times what it looks at.

    Vectors of photos then keep a cosine of 0.999 and more to those of whole pictures. Of sides just above 1.5 times
    they fell to 0.990, of those above 2 times to 0.998, with weights that have learned; random ones see no difference.
    """
    size = model.visual.image_size
    return int(2.5 * max(size if isinstance(size, list | tuple) else [size]))


def _load(name: str, choice: settings.ClipModel) -> tuple[Any, Any, Any]:
    """Model, preprocessing and tokenizer."""
    import open_clip

    try:
        with nullcontext() if name.startswith(hub.LOCAL) else hub.looked_for():
            model, preprocess = open_clip.create_model_from_pretrained(name, pretrained=choice.pretrained)
            return model, preprocess, open_clip.get_tokenizer(name)
    except Exception as error:  # foreign code reads foreign files: whatever it raises, they are to blame
        raise hub.not_loaded(
            choice.model, error, "Name an open_clip model and its pretrained weights, a hub name, or local-dir:PATH."
        ) from error
