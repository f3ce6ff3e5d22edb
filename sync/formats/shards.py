"""WebDataset shards: samples of files with one key, about 1,000 a shard, the same bytes from the same samples."""

import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from itertools import chain, islice
from pathlib import Path

from label_configs.records import Item, Modality, Query
from store import files
from store.corpus.rows import modality
from store.media import decode
from sync.dataset import Dataset
from sync.formats import media

Sample = Mapping[str, bytes]
"""Extension to content, as `txt`, `query.txt` or `json`."""
_SAMPLES = 1000
_PICTURES = {b"\xff\xd8\xff": "jpg", b"\x89PNG\r\n\x1a\n": "png", b"RIFF": "webp"}
"""What loaders of shards read, by how it begins."""
COMMONEST: Mapping[Modality, str] = {"text": "txt", "image": "jpg", "audio": "wav", "video": "mp4"}


def write(folder: Path, samples: Iterable[Sample]) -> None:
    """Write `00000.tar`, `00001.tar` … and `sizes.json`, which says how many samples each holds."""
    numbered = enumerate(samples)
    sizes: dict[str, int] = {}
    for first in numbered:
        name = f"{len(sizes):05d}.tar"
        sizes[name] = _shard(folder / name, chain([first], islice(numbered, _SAMPLES - 1)))
    if sizes:
        files.write(folder / "sizes.json", json.dumps(sizes, indent=1) + "\n")


def medium(record: Item | Query, data: Dataset) -> tuple[bytes, str]:
    """The bytes of a medium and its extension. Pictures that loaders of shards pass over become PNG."""
    content, _ = media.read(record, data)
    if record.modality != "image":
        return content, extension(record, data)
    kind = next((kind for start, kind in _PICTURES.items() if content.startswith(start)), None)
    return (content, kind) if kind else (_png(content, record, data), "png")


def extension(record: Item | Query, data: Dataset) -> str:
    """The extension that a record's suffix asks for; else that of the commonest kind of its modality."""
    if record.modality == "image" and data.settings.export.pictures == "thumbnails":
        return "webp"
    suffix = media.suffix(record)
    if record.modality == "image":
        return suffix[1:] if suffix in {".png", ".webp"} else COMMONEST["image"]
    return suffix[1:] if modality(f"x{suffix}") == record.modality else COMMONEST[record.modality]


def _png(content: bytes, record: Item | Query, data: Dataset) -> bytes:
    made = io.BytesIO()
    decode(content, record.uri, data.settings.media.max_pixels).save(made, "PNG")
    return made.getvalue()


def _shard(path: Path, samples: Iterable[tuple[int, Sample]]) -> int:
    """Write one shard, sample by sample, and say how many it holds."""
    held = 0
    with files.replacing(path) as temporary, tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as archive:
        for number, sample in samples:
            for name, content in sorted(sample.items()):
                entry = tarfile.TarInfo(f"{number:09d}.{name}")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
            held += 1
    return held
