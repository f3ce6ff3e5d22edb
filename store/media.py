"""Media of the corpus: read for encoders within limits, shown to annotators under URIs that browsers reach."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from label_configs.errors import Mendable, Unreadable
from label_configs.records import Item, Query
from store import files
from store.settings import Media as MediaSettings

if TYPE_CHECKING:
    from PIL.Image import Image


class Clip(NamedTuple):
    """A stretch of a recording or a film: the bytes of the whole medium, start and end in seconds."""

    medium: bytes
    start: float
    end: float | None


Content = str | bytes | Clip
"""What a model learns from of a record: a text, the bytes of a medium, or a stretch of one."""


@dataclass(frozen=True)
class Media:
    """One reader for all rooms. root: the workspace, from which relative URIs count and which they cannot leave."""

    root: Path
    settings: MediaSettings

    def read(self, record: Item | Query) -> bytes:
        """The bytes of a record's medium. Raises Unreadable for what is missing, outside, or too large."""
        path = self._path(record)
        size = path.stat().st_size
        if not 0 < size <= self.settings.max_bytes:
            raise Unreadable(
                f"{record.uri} has {size} bytes; at least 1 and at most {self.settings.max_bytes} are read.",
                mend="Replace the file, or raise max_bytes under [media].",
            )
        return path.read_bytes()

    def content(self, record: Item | Query) -> Content:
        """What a model learns from of a record: its text, title first, or what of its medium counts; see `read`."""
        if record.modality == "text":
            return " ".join(part for part in (record.title, record.text) if part)
        medium = self.read(record)
        whole = record.start is None and record.end is None
        return medium if whole else Clip(medium, record.start or 0.0, record.end)

    def shown(self, record: Item | Query) -> str:
        """The URI under which Label Studio's browser page finds the medium; pictures as thumbnails."""
        if not record.uri or "://" in record.uri:
            return record.uri
        if self.settings.serve == "http":
            raise Mendable(
                f"The browser cannot reach {record.uri}.",
                why="[media] serve is 'http', and this is a path on this machine.",
                mend="Give http(s) URIs in the corpus, or set serve = 'local-files'.",
            )
        path = self.thumbnail(record) if record.modality == "image" else self._path(record)
        served = (self.root / self.settings.document_root).resolve()
        if not path.is_relative_to(served):
            raise Mendable(
                f"Label Studio cannot serve {path}: it lies outside {served}.",
                mend="Correct document_root under [media].",
            )
        return f"/data/local-files/?d={quote(str(path.relative_to(served)))}"

    def thumbnail(self, record: Item | Query) -> Path:
        """A small WebP of a picture, named by the picture's content; made once."""
        content = self.read(record)
        name = hashlib.sha256(content).hexdigest()[:32]
        path = self.root.resolve() / "media" / "thumbs" / name[:2] / f"{name}-{self.settings.thumbnail}.webp"
        if not path.exists():
            picture = decode(content, record.uri, self.settings.max_pixels)
            picture.thumbnail((self.settings.thumbnail, self.settings.thumbnail))
            with files.replacing(path) as temporary:
                picture.save(temporary, "WEBP", quality=82, method=4)
        return path

    def _path(self, record: Item | Query) -> Path:
        if "://" in record.uri:
            raise Unreadable(
                f"{record.uri} cannot be encoded: this version reads media from the workspace's folder alone.",
                mend="Copy the media beside the corpus and name them by relative path.",
            )
        try:
            path = (self.root / record.uri).resolve()
            there = path.is_file()
        except (OSError, RuntimeError, ValueError) as error:  # too long a name, a loop of links, a NUL
            raise Unreadable(f"{record.uri[:80]!r} names no file: {error}.") from error
        if not path.is_relative_to(self.root.resolve()):
            raise Unreadable(f"{record.uri} lies outside the workspace.", mend="Copy it into the workspace.")
        if not there:
            raise Unreadable(f"There is no file {path}.", mend="Put it there, or correct the path.")
        return path


def decode(content: bytes, name: str, max_pixels: int) -> "Image":
    """A picture as upright RGB on white, whatever it was: palette, CMYK, 16 bit, transparent, rotated by EXIF.

    Raises Unreadable for what is no picture and for pictures of more than `max_pixels`.
    """
    import io

    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content)) as opened:
            if opened.width * opened.height > max_pixels:
                raise Unreadable(
                    f"{name} has {opened.width} x {opened.height} pixels, more than {max_pixels}.",
                    mend="Scale it down, or raise max_pixels under [media].",
                )
            upright = ImageOps.exif_transpose(opened)
            if upright.mode.startswith("I;16") or upright.mode in {"I", "F"}:
                upright = upright.convert("F").point(lambda value: value / 257).convert("L")
            if "A" not in upright.getbands() and "transparency" not in upright.info:
                return upright.convert("RGB")
            upright = upright.convert("RGBA")
            white = Image.new("RGBA", upright.size, "white")
            return Image.alpha_composite(white, upright).convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        why = "nothing that is known as one" if isinstance(error, UnidentifiedImageError) else error
        raise Unreadable(f"{name} is no picture that can be read: {why}.", mend="Replace or leave it out.") from error
