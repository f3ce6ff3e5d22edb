"""open_clip's own preparation of pictures in two halves: one by one as bytes, then all numbers of a batch at once.

The same numbers to the last bit. Three operations on a batch cost less than three on each of its pictures, whose
threads would wait for each other three times as well.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Scaled = NDArray[np.uint8]
"""A picture at the size that the tower looks at: shape (height, width, 3)."""


class Preparation:
    """whole: what open_clip composed: steps on a picture, its turn into a tensor, steps on tensors."""

    def __init__(self, whole: Any) -> None:
        from torchvision.transforms import ToTensor

        self._whole = whole
        turn = next(n for n, step in enumerate(whole.transforms) if isinstance(step, ToTensor))
        self._before, self._after = whole.transforms[:turn], whole.transforms[turn + 1 :]

    def __str__(self) -> str:
        return str(self._whole)

    def scaled(self, picture: Any) -> Scaled:
        """A picture as the tower's transform cuts and scales it."""
        for step in self._before:
            picture = step(picture)
        return np.asarray(picture)

    def pixels(self, pictures: Sequence[Scaled], layout: Any) -> Any:
        """A batch as the tower takes it, in this memory layout: shape (pictures, 3, height, width)."""
        import torch

        pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous(memory_format=layout)
        pixels = pixels.float().div_(255)
        for step in self._after:
            pixels = step(pixels)
        return pixels
