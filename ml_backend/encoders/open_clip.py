"""Text and images by any open_clip model."""

import hashlib
from collections.abc import Sequence
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from label_configs.errors import Mendable
from label_configs.records import Modality
from ml_backend import hub
from ml_backend.encoders.base import Vectors
from store import settings
from store.media import Content, decode

LOCAL = "local-dir:"


class OpenClip:
    """An open_clip model on the CPU or, where there is one, the GPU. Loading it takes seconds."""

    modalities: frozenset[Modality] = frozenset({"text", "image"})

    def __init__(self, choice: settings.Encoder, root: Path, max_pixels: int) -> None:
        name = locate(choice.model, root)
        import torch

        if choice.threads:
            torch.set_num_threads(choice.threads)
        model, self._preprocess, self._tokenize = _load(choice, name)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model: Any = model.eval().to(self._device)
        self._batch, self._max_pixels = choice.batch, max_pixels

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the weights, the preprocessing and the tokenizer's kind."""
        seen = hashlib.sha256(f"{self._preprocess}\0{type(self._tokenize).__name__}".encode())
        for name, tensor in sorted(self._model.state_dict().items()):
            seen.update(f"{name}\0{tuple(tensor.shape)}".encode())
            seen.update(tensor.detach().cpu().contiguous().view(-1).numpy().tobytes())
        return seen.hexdigest()[:16]

    def encode(self, modality: Modality, contents: Sequence[Content]) -> Vectors:
        """See Encoder.encode. Raises Unreadable for a picture that cannot be decoded."""
        import torch

        step = {"text": self._texts, "image": self._images}[modality]
        with torch.inference_mode():
            parts = [step(contents[n : n + self._batch]) for n in range(0, len(contents), self._batch)]
            vectors = torch.nn.functional.normalize(torch.cat(parts).float(), dim=-1)
        return np.ascontiguousarray(vectors.cpu().numpy(), dtype=np.float32)

    def _texts(self, texts: Sequence[Content]) -> Any:
        return self._model.encode_text(self._tokenize(list(texts)).to(self._device))

    def _images(self, images: Sequence[Content]) -> Any:
        import torch

        pictures = [decode(bytes(i), "The picture", self._max_pixels) for i in images if isinstance(i, bytes)]
        return self._model.encode_image(torch.stack([self._preprocess(p) for p in pictures]).to(self._device))


def _load(choice: settings.Encoder, name: str) -> tuple[Any, Any, Any]:
    """Model, preprocessing and tokenizer."""
    import open_clip

    try:
        with nullcontext() if name.startswith(LOCAL) else hub.looked_for():
            model, preprocess = open_clip.create_model_from_pretrained(name, pretrained=choice.pretrained)
            return model, preprocess, open_clip.get_tokenizer(name)
    except Exception as error:  # foreign code reads foreign files: whatever it raises, they are to blame
        if hub.lacks(error):
            raise Mendable(
                f"The model {choice.model!r} is not on this machine, and the model hub cannot be reached.",
                mend="Connect to it for the first time of use, or copy a model here and name it local-dir:PATH.",
            ) from error
        raise Mendable(
            f"The model {choice.model!r} cannot be loaded: {error}",
            mend="Name an open_clip model and its pretrained weights, a hub name, or local-dir:PATH.",
        ) from error


def locate(model: str, root: Path) -> str:
    """The model's name as open_clip takes it; a `local-dir:` path counts from the workspace."""
    if not model.startswith(LOCAL):
        return model
    folder = (root / model.removeprefix(LOCAL)).resolve()
    if not folder.is_dir():
        raise Mendable(f"There is no model folder {folder}.", mend="Correct `model` under [encoders] in settings.toml.")
    return f"{LOCAL}{folder}"
