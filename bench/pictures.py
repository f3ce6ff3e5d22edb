"""P5: encoding pictures, from the bytes of files to vectors, beside open_clip's own preprocessing and loop.

    python bench/pictures.py [--full] [--json FILE]

The pictures are JPEGs of parts of two photos that scikit-learn brings, in sizes as cameras and shops have them. Times
are those of a ViT-B-32 of random weights; whether vectors stay the same is also asked of an EfficientNet that has
learned ImageNet, by its answers to all 1,000 classes. Threads that have nothing to do sleep, for everybody alike: on a
machine that others use too, waiting busily would be counted as work, and more of it for the tower alone than for both.
"""

import io
import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import models
import numpy as np
import side_by_side
from side_by_side import Claim, Row, median

from ml_backend.encoders.open_clip import OpenClip
from store import settings

SIZES = {"tiny": (4, 1), "small": (24, 3), "full": (256, 5)}
SIDES = ((1000, 750), (1600, 1200), (800, 1200), (3000, 2000))
_BATCH = 32


def photos(count: int) -> list[bytes]:
    """Files of pictures: parts of two photos, enlarged, with the grain that a camera adds."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    drawn, found = np.random.default_rng(0), []
    originals = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    for n in range(count):
        size = SIDES[n % len(SIDES)]
        left, top = drawn.integers(0, 320), drawn.integers(0, 200)
        part = (
            originals[n % 2]
            .crop((int(left), int(top), int(left) + 320, int(top) + 227))
            .resize(size, Image.Resampling.LANCZOS)
        )
        grain = drawn.normal(0, 4, (size[1], size[0], 1))
        pixels = (np.asarray(part, dtype=np.float32) + grain).clip(0, 255).astype(np.uint8)
        made = io.BytesIO()
        Image.fromarray(pixels).save(made, "JPEG", quality=90)
        found.append(made.getvalue())
    return found


def theirs(preprocess: Callable[[Any], Any], files: list[bytes]) -> Any:
    """As open_clip prepares them: whole pictures, one after the other."""
    import torch
    from PIL import Image

    return torch.stack([preprocess(Image.open(io.BytesIO(file))) for file in files])


def looked_at(model: Any, prepare: Callable[[list[bytes]], Any], files: list[bytes]) -> Any:
    """open_clip's loop: preprocessing and tower, batch by batch."""
    import torch

    with torch.inference_mode():
        parts = [model.encode_image(prepare(files[n : n + _BATCH])) for n in range(0, len(files), _BATCH)]
        return torch.nn.functional.normalize(torch.cat(parts), dim=-1).numpy()


def tower(encoder: OpenClip, pixels: Any) -> None:
    """The tower alone, on pictures that are prepared."""
    import torch

    with torch.inference_mode():
        for n in range(0, len(pixels), _BATCH):
            encoder.seen(pixels[n : n + _BATCH])


def learned(pixels: Any) -> Any:
    """Unit vectors of prepared pictures by weights that have learned: a score for each of ImageNet's classes."""
    import torch

    from ls_retrieval.demo import features

    mean, std = (torch.tensor(models.PREPROCESS[name]).reshape(3, 1, 1) for name in ("mean", "std"))
    weight, bias = features.classifier()
    with torch.inference_mode():
        seen = features.trunk()((pixels * std + mean - 0.5) / 0.5)
        return torch.nn.functional.normalize(seen @ weight.T.float() + bias.float(), dim=-1).numpy()


def lowest(one: Any, other: Any) -> float:
    """The lowest cosine of unit vectors, row by row."""
    return float((one * other).sum(axis=1).min())


def measure(size: str) -> Claim:
    """Preparing, and all of it."""
    import open_clip

    count, times = SIZES[size]
    files = photos(count)
    with tempfile.TemporaryDirectory() as folder:
        place = models.clip(Path(folder) / "model", models.TINY if size == "tiny" else models.VIT_B_32)
        model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{place}")
        choice = settings.OpenClip(model=f"local-dir:{place}", batch=_BATCH)
        encoder = OpenClip(choice, Path(folder), settings.Media())
    model.eval()
    prepare = partial(theirs, preprocess)
    pixels = prepare(files)
    own = encoder.prepared(files)
    same = lowest(looked_at(model, prepare, files), encoder.encode("image", files))
    real = lowest(learned(pixels[:_BATCH]), learned(own[:_BATCH]))
    taken = side_by_side.alternating(
        {
            "open_clip's preprocessing": partial(prepare, files),
            "preprocessing": partial(encoder.prepared, files),
            "the tower alone": partial(tower, encoder, own),
            "open_clip, end to end": partial(looked_at, model, prepare, files),
            "end to end": partial(encoder.encode, "image", files),
        },
        times,
    )
    faster = side_by_side.ratio(taken["preprocessing"], taken["open_clip's preprocessing"])
    over = 1 / side_by_side.ratio(taken["end to end"], taken["the tower alone"])
    rows: list[Row] = [
        {"what": name, "wall s": median(all_).wall, "CPU s": median(all_).cpu, "CPU ms a picture": _each(all_, count)}
        for name, all_ in taken.items()
    ]
    least = 1 + 1 / side_by_side.ratio(taken["preprocessing"], taken["the tower alone"])
    on_clock = 1 / side_by_side.ratio(taken["end to end"], taken["the tower alone"], of="wall")
    note = (
        f"Preprocessing {faster:.2f} × faster, the lowest cosine to open_clip's vectors {same:.5f}; by learned weights "
        f"{real:.5f}. End to end {over:.2f} × the tower's CPU time, {on_clock:.2f} × its time on the clock. Both keep "
        f"all cores busy, so that the limit is their sum, {least:.2f} × the tower."
    )
    aim = "preprocessing ≥ 1.8 × faster at a cosine ≥ 0.999; end to end ≤ 1.05 × the tower alone"
    ends = [median(taken[name]).cpu / count * 1000 for name in ("end to end", "open_clip, end to end")]
    met = faster >= 1.8 and min(same, real) >= 0.999 and over <= 1.05
    limit = _each(taken["the tower alone"], count) + _each(taken["preprocessing"], count)
    return Claim(ends[0], ends[1], "ms CPU a picture", faster, aim, met, limit=limit, note=note, rows=rows)


def _each(all_: list[side_by_side.Took], count: int) -> float:
    return 1000 * median(all_).cpu / count


def main() -> None:
    """Measure and tell."""
    given = side_by_side.arguments(__doc__)
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # read when torch comes in
    side_by_side.tell({"P5": measure(given.size)}, given.json)


if __name__ == "__main__":
    main()
