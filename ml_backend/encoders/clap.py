"""Text and sound by a CLAP model of transformers (Wu et al., 2023, "Large-scale contrastive language-audio
pretraining"): LAION's checkpoints, or a folder with one of their form."""

from collections.abc import Sequence
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from label_configs.errors import Mendable
from label_configs.records import Modality
from ml_backend import hub
from ml_backend.decoding import sound
from ml_backend.encoders import machine
from ml_backend.encoders.base import PROBES, Vectors, fingerprint, unit
from store import settings
from store.media import Content

_OFFSET = 2
"""RoBERTa's positions begin after its padding index."""


class ClapEncoder:
    """A recording's vector is the mean of its windows' unit vectors.

    The model hears windows of some 10 s. transformers would cut one out of a longer recording by chance; here it is
    divided into as few equal windows as will do, so that all of it counts, and the same each time. What is shorter
    than a window is repeated and padded as the model's feature extractor does.
    """

    modalities: ClassVar[frozenset[Modality]] = frozenset({"text", "audio"})

    def __init__(self, choice: settings.Clap, root: Path, limits: settings.Media) -> None:
        self._choice, name = choice, hub.locate(choice.model, root)
        self._machine = machine.choose(choice)
        model, self._hear, self._tokenize = _load(name, choice.model)
        self._model: Any = model.float().eval().to(self._machine.device)

    def __str__(self) -> str:
        return f"{self._choice.model} on {self._machine}"

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the weights, the feature extractor's configuration, the tokenizer, and bf16."""
        coarse = "bf16" if self._machine.precision == "bf16" else ""
        tokens = [self._tokens([probe])["input_ids"].tolist() for probe in PROBES]
        return fingerprint(self._model.state_dict(), "clap", self._hear.to_json_string(), tokens, coarse)

    def encode(self, modality: Modality, contents: Sequence[Content]) -> Vectors:
        """See Encoder.encode. Raises Unreadable for a sound that cannot be decoded, is silent or too long."""
        if modality == "text":
            return unit(self._by_batch(contents, self._texts))
        heard = [self._windows(content) for content in contents if not isinstance(content, str)]
        vectors = unit(self._by_batch([window for windows in heard for window in windows], self._sounds))
        recordings = np.split(vectors, np.cumsum([len(windows) for windows in heard])[:-1])
        return unit(np.stack([windows.mean(axis=0) for windows in recordings]))

    def _windows(self, content: bytes | Any) -> list[sound.Waveform]:
        samples = sound.waveform(content, self._hear.sampling_rate, self._choice.max_seconds)
        return np.array_split(samples, -(-len(samples) // self._hear.nb_max_samples))

    def _by_batch(self, contents: Sequence[Any], step: Any) -> Vectors:
        import torch

        size = self._choice.batch
        with torch.inference_mode(), self._machine.computing():
            found = [step(contents[n : n + size]) for n in range(0, len(contents), size)]
        # transformers 5 gives the vectors among other outputs
        return np.concatenate([getattr(f, "pooler_output", f).float().cpu().numpy() for f in found])

    def _texts(self, texts: Sequence[str]) -> Any:
        tokens = self._tokens(texts).to(self._machine.device)
        return self._model.get_text_features(tokens["input_ids"], tokens["attention_mask"])

    def _tokens(self, texts: Sequence[str]) -> Any:
        longest = self._model.config.text_config.max_position_embeddings - _OFFSET
        return self._tokenize(list(texts), padding=True, truncation=True, max_length=longest, return_tensors="pt")

    def _sounds(self, windows: Sequence[sound.Waveform]) -> Any:
        import torch

        rate = self._hear.sampling_rate
        heard = self._hear(list(windows), sampling_rate=rate, return_tensors="pt")["input_features"]
        longer = torch.zeros(len(windows), 1, dtype=torch.bool)  # the extractor would draw one to be called longer
        device = self._machine.device
        return self._model.get_audio_features(input_features=heard.float().to(device), is_longer=longer.to(device))


def _load(name: str, model: str) -> tuple[Any, Any, Any]:
    """Model, feature extractor and tokenizer; weights as safetensors alone, and none of them made up."""
    transformers = _transformers()
    here = name.startswith(hub.LOCAL)
    place, given = name.removeprefix(hub.LOCAL), {"local_files_only": here}
    try:
        with nullcontext() if here else hub.looked_for():
            loaded, report = transformers.ClapModel.from_pretrained(
                place, use_safetensors=True, output_loading_info=True, **given
            )
            hear = transformers.ClapFeatureExtractor.from_pretrained(place, **given)
            tokenize = transformers.AutoTokenizer.from_pretrained(place, trust_remote_code=False, **given)
    except Exception as error:  # foreign code reads foreign files: whatever it raises, they are to blame
        raise hub.not_loaded(
            model,
            error,
            "Name a CLAP model with safetensors weights, such as laion/clap-htsat-unfused, or local-dir:PATH.",
        ) from error
    if report["missing_keys"]:
        missing = sorted(report["missing_keys"])
        raise Mendable(
            f"The model {model!r} lacks weights: {', '.join(missing[:3])} and others, {len(missing)} in all.",
            mend="Take a whole CLAP model.",
        )
    return loaded, hear, tokenize


def _transformers() -> Any:
    """The library, without progress bars of its own; or what to do where it is not installed."""
    try:
        import transformers
    except ImportError as error:
        raise Mendable(
            "CLAP models are loaded by transformers, which is not installed.",
            mend="pip install 'label-studio-retrieval[audio]'",
        ) from error
    quiet: Any = transformers.utils.logging
    quiet.disable_progress_bar()
    quiet.set_verbosity_error()
    return transformers
