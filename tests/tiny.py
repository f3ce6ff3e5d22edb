"""A real open_clip model of random weights and a workspace of drawn pictures, small enough to build in a test run;
and collections whose vectors are written down by hand."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import recordings
from PIL import Image, ImageDraw

from label_configs import rules as rules_file
from label_configs.forms import graded
from label_configs.records import Item, Modality, Query
from ml_backend import index
from ml_backend.collection import Collection, Space
from ml_backend.encoders.base import Vectors
from store.media import Content
from store.workspace import Workspace

DIM, PIXELS = 32, 64
COLOURS = ("red", "green", "blue", "orange", "purple", "black")
SHAPES = ("square", "circle", "bar", "cross")

_CONFIG = {
    "model_cfg": {
        "embed_dim": DIM,
        "vision_cfg": {"image_size": PIXELS, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
        "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
    },
    "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "size": [PIXELS, PIXELS]},
}
SETTINGS = """\
[encoders.clip]
model = "local-dir:{model}"
threads = 1
batch = 8

[pool]
depth = 8
per_screen = 4
hard = 2
near_duplicate = 1.0                # random weights find all pictures alike
"""


def build_model(folder: Path, seed: int = 0) -> Path:
    """Write an open_clip model folder; the seed decides its weights."""
    import torch
    from open_clip.model import CLIP
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    (folder / "open_clip_config.json").write_text(json.dumps(_CONFIG))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = CLIP(**_CONFIG["model_cfg"])
    save_file({name: t.contiguous() for name, t in model.state_dict().items()}, folder / "open_clip_model.safetensors")
    return folder


def build_clap(folder: Path, seed: int = 0, *, fusion: bool = False) -> Path:
    """Write a CLAP folder of transformers: random weights, windows of a second at 8 kHz, a tokenizer of bytes."""
    import torch
    import transformers

    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    text = {"vocab_size": 260, "max_position_embeddings": 42, "projection_dim": 16, **sizes}
    heard = {"num_mel_bins": 64, "spec_size": 256, "patch_embeds_hidden_size": 16, "depths": [1, 1], "hidden_size": 32}
    heard |= {"num_attention_heads": [2, 2], "projection_dim": 16, "enable_fusion": fusion}
    config = transformers.ClapConfig(text_config=text, audio_config=heard, projection_dim=16)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = transformers.ClapModel(config)
    model.save_pretrained(folder)
    transformers.ClapFeatureExtractor(
        sampling_rate=8000,
        max_length_s=1,
        hop_length=80,
        fft_window_size=256,
        frequency_max=4000,
        truncation="fusion" if fusion else "rand_trunc",
    ).save_pretrained(folder)
    _byte_tokenizer().save_pretrained(folder)
    return folder


def _byte_tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["<s>", "<pad>", "</s>", "<unk>"]
    vocabulary = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    bytes_ = Tokenizer(models.BPE({token: n for n, token in enumerate(vocabulary)}, [], unk_token="<unk>"))
    bytes_.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_.decoder = decoders.ByteLevel()
    bytes_.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    make: Any = PreTrainedTokenizerFast
    return make(tokenizer_object=bytes_, bos_token="<s>", pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


def draw(path: Path, colour: str, shape: str) -> None:
    """A picture of a shape in a colour on white."""
    picture = Image.new("RGB", (PIXELS, PIXELS), "white")
    pen = ImageDraw.Draw(picture)
    boxes = {"square": [(8, 8, 56, 56)], "bar": [(4, 24, 60, 40)], "cross": [(4, 28, 60, 36), (28, 4, 36, 60)]}
    for box in boxes.get(shape, []):
        pen.rectangle(box, fill=colour)
    if shape == "circle":
        pen.ellipse((8, 8, 56, 56), fill=colour)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


def build_workspace(root: Path, model: Path) -> Workspace:
    """24 pictures, `red-square` and so on; six queries, each with two of its four known as positive. Not indexed."""
    docs = [(colour, shape) for colour in COLOURS for shape in SHAPES]
    for colour, shape in docs:
        draw(root / "media" / f"{colour}-{shape}.png", colour, shape)
    write_rows(
        root / "corpus.jsonl",
        [{"_id": f"{c}-{s}", "title": f"{c} {s}", "image": f"media/{c}-{s}.png"} for c, s in docs],
    )
    write_rows(
        root / "queries.jsonl",
        [{"_id": f"q-{c}", "text": f"a {c} thing", "positives": [f"{c}-square", f"{c}-circle"]} for c in COLOURS],
    )
    (root / "rules.yaml").write_text(rules_file.preset())
    (root / "settings.toml").write_text(SETTINGS.format(model=model.resolve()))
    return Workspace(root)


_SEVERAL = """\
[encoders.see]
kind = "frames"
model = "local-dir:{model}"
frames = 2
threads = 1
batch = 4

[encoders.hear]
kind = "clap"
model = "local-dir:{clap}"
threads = 1
batch = 4
"""


def build_mixed_workspace(root: Path, model: Path) -> Workspace:
    """A picture, a text, two segments of one film, a sound, and a film's sound; an encoder that sees, one that hears.

    Both read text. Not indexed.
    """
    draw(root / "media" / "square.png", "red", "square")
    (root / "media" / "film.mp4").write_bytes(
        recordings.sounding(
            [recordings.RED, recordings.BLUE], np.concatenate([recordings.tone(1, 300), recordings.tone(1, 900)])
        )
    )
    (root / "media" / "tone.wav").write_bytes(recordings.wave(recordings.tone(1, 500)))
    film = "media/film.mp4"
    write_rows(
        root / "corpus.jsonl",
        [
            {"_id": "picture", "image": "media/square.png"},
            {"_id": "words", "text": "a red square"},
            {"_id": "first", "video": film, "start": 0, "end": 1},
            {"_id": "second", "video": film, "start": 1},
            {"_id": "tone", "audio": "media/tone.wav"},
            {"_id": "heard", "audio": film, "start": 1.0, "end": 2.0},
        ],
    )
    write_rows(
        root / "queries.jsonl",
        [
            {"_id": "q-text", "text": "something red"},
            {"_id": "q-image", "image": "media/square.png"},
            {"_id": "q-audio", "audio": "media/tone.wav"},
        ],
    )
    (root / "rules.yaml").write_text(rules_file.preset())
    clap = build_clap(root / "clap")
    (root / "settings.toml").write_text(_SEVERAL.format(model=model.resolve(), clap=clap.resolve()))
    return Workspace(root)


def write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


class Table:
    """An encoder whose vectors are written down: content to vector. `asked` holds every content it was given."""

    modalities: frozenset[Modality] = frozenset({"text", "image"})

    def __init__(self, vectors: Mapping[Content, Sequence[float]], fingerprint: str = "table") -> None:
        self._vectors, self.fingerprint = vectors, fingerprint
        self.asked: list[Content] = []

    def encode(self, modality: Modality, contents: Sequence[Content]) -> Vectors:
        self.asked += contents
        return np.array([self._vectors[c] for c in contents], dtype=np.float32)


def collection(
    folder: Path,
    docs: Mapping[str, Sequence[float]],
    queries: Mapping[str, Sequence[float]],
    *,
    titles: Mapping[str, str] | None = None,
    name: str = "e",
) -> Collection:
    """A collection of one encoder: doc_id to vector, a query's text to its vector, and titles of some items."""
    vectors = np.array(list(docs.values()), dtype=np.float32)
    index.build(folder, name, "hand", list(docs), [doc_id.encode() for doc_id in docs], vectors)

    def encode(query: Query) -> Vectors:
        return np.array(queries[query.text], dtype=np.float32)

    items = {d: Item(doc_id=d, modality="image", uri=d, title=(titles or {}).get(d, "")) for d in docs}
    return Collection(items, {name: Space(name, index.load(folder, name), encode)})


def graded_answer(grades: Mapping[int, int]) -> list[dict[str, object]]:
    """The regions of a graded answer: position to grade."""
    return [graded.answer(position, str(grade)) for position, grade in grades.items()]
