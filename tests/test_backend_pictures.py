"""Pictures are read no larger than a tower needs them, and their vectors stay what they were, by weights that learned.

An EfficientNet and its scores for ImageNet's 1,000 classes stand for a tower: it tells pictures apart by what is seen.
"""

import io
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from sklearn.datasets import load_sample_images

from ls_retrieval.demo import features
from ml_backend.encoders.preparation import Preparation
from store.media import decode

SIDE, PIXELS = 224, 10**9
LEAST = SIDE * 5 // 2


@cache
def whole(mode: str) -> Any:
    return image_transform_v2(PreprocessCfg(size=SIDE, mean=0.5, std=0.5, resize_mode=mode), is_train=False)


def photo(width: int, height: int) -> Image.Image:
    return Image.fromarray(load_sample_images().images[0]).resize((width, height), Image.Resampling.BILINEAR)


def file(picture: Image.Image, kind: str, **given: Any) -> bytes:
    made = io.BytesIO()
    picture.save(made, kind, **given)
    return made.getvalue()


def clear(width: int, height: int) -> Image.Image:
    """A photo that fades to nothing from left to right."""
    picture = photo(width, height)
    picture.putalpha(Image.fromarray(np.tile(np.linspace(255, 0, width).astype(np.uint8), (height, 1))))
    return picture


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


FILES: dict[str, Callable[[], bytes]] = {
    "a JPEG of a camera": lambda: file(photo(3000, 2000), "JPEG", quality=90),
    "a JPEG of a shop": lambda: file(photo(1000, 750), "JPEG"),
    "a JPEG just above what is needed": lambda: file(photo(2 * LEAST, 2 * LEAST), "JPEG"),
    "a progressive JPEG without colour": lambda: file(photo(1600, 1200).convert("L"), "JPEG", progressive=True),
    "a JPEG in CMYK": lambda: file(photo(1600, 1200).convert("CMYK"), "JPEG"),
    "a JPEG turned by its EXIF": lambda: file(photo(1200, 1600), "JPEG", exif=turned(6)),
    "a JPEG mirrored by its EXIF": lambda: file(photo(1600, 1200), "JPEG", exif=turned(5)),
    "a PNG": lambda: file(photo(1600, 1200), "PNG", compress_level=1),
    "a PNG that can be seen through": lambda: file(clear(1600, 1200), "PNG", compress_level=1),
    "a palette": lambda: file(photo(900, 700).quantize(64), "PNG"),
    "a WebP": lambda: file(photo(1400, 1000), "WEBP", method=0),
    "a tiny one": lambda: file(photo(20, 15), "PNG"),
    "a single pixel": lambda: file(photo(1, 1), "PNG"),
    "a huge one": lambda: file(photo(5000, 4000), "JPEG"),
    "a long strip": lambda: file(photo(4000, 300), "JPEG"),
}


@cache
def network() -> tuple[Any, Any, Any]:
    return (features.trunk(), *features.classifier())


def vector(content: bytes, least: int) -> Any:
    trunk, weight, bias = network()
    preparation = Preparation(whole("shortest"))
    pixels = preparation.pixels([preparation.scaled(decode(content, "it", PIXELS, least))], torch.contiguous_format)
    with torch.inference_mode():
        return torch.nn.functional.normalize(trunk(pixels) @ weight.T.float() + bias.float(), dim=-1)[0]


@pytest.mark.parametrize("kind", FILES)
def test_a_picture_that_is_read_smaller_has_the_vector_of_the_whole_one(kind: str) -> None:
    content = FILES[kind]()
    assert float(vector(content, LEAST) @ vector(content, 0)) >= 0.999


def test_the_vectors_of_other_pictures_are_far_from_that() -> None:
    one, other = (file(Image.fromarray(pixels), "PNG", compress_level=1) for pixels in load_sample_images().images)
    assert float(vector(one, LEAST) @ vector(other, LEAST)) < 0.9


@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_batch_is_prepared_to_the_numbers_that_open_clip_gives_each_picture(mode: str, layout: Any) -> None:
    pictures = [photo(640, 427), photo(100, 300), photo(3, 2)]
    preparation = Preparation(whole(mode))
    prepared = preparation.pixels([preparation.scaled(picture) for picture in pictures], layout)
    assert torch.equal(prepared, torch.stack([whole(mode)(picture) for picture in pictures]))
    assert prepared.is_contiguous(memory_format=layout)


def test_a_preparation_is_called_what_open_clips_own_is_called() -> None:
    assert str(Preparation(whole("shortest"))) == str(whole("shortest"))
