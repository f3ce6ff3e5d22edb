"""Arrays as .npy files: written whole or not at all, in blocks, and opened by memory map."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store import files


def write(path: Path, array: NDArray[Any]) -> None:
    """Keep an array."""
    write_blocks(path, array.shape, array.dtype, [array])


def write_blocks(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], blocks: Iterable[NDArray[Any]]) -> None:
    """Keep an array of this shape that comes in blocks of its rows: only one of them is in memory."""
    header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    npy: Any = np.lib.format  # which has no types
    with files.replacing(path) as temporary, temporary.open("wb") as file:
        npy.write_array_header_1_0(file, header)
        for block in blocks:
            np.ascontiguousarray(block, dtype=dtype).tofile(file)


def opened(path: Path) -> Any:
    """An array as it is on disk: pages are read when they are looked at, and shared between processes."""
    return np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
