"""Pictures of any kind as upright RGB on white, and their thumbnails."""

import io
from typing import TYPE_CHECKING

from label_configs.errors import Unreadable

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("AVIF", "BMP", "GIF", "ICO", "JPEG", "JPEG2000", "PNG", "PPM", "TGA", "TIFF", "WEBP")
"""What is read, by content, whatever the suffix says. Others start programs (EPS) or are no pictures of a corpus."""


def decode(content: bytes, name: str, max_pixels: int, least: int = 0) -> "Image":
    """A picture as upright RGB on white, whatever it was: palette, CMYK, 16 bit, transparent, rotated by EXIF.

    Of an animation the first frame. Nothing but pixels is kept: no EXIF, no place where it was taken.
    least: pixels of each side from which on more are of no use, 0 for all. A larger JPEG is read at a half, a quarter
    or an eighth of its size, which is faster; what gains nothing by it comes whole.
    Raises Unreadable for what is no picture and for pictures of more than `max_pixels`.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
            if opened.width * opened.height > max_pixels:
                raise Unreadable(
                    f"{name} has {opened.width} x {opened.height} pixels, more than {max_pixels}.",
                    mend="Scale it down, or raise max_pixels under [media].",
                )
            if least:
                opened.draft(None, (least, least))
            picture = _on_white(opened)
    except Unreadable:
        raise
    except Exception as error:  # Pillow's readers raise whatever broken bytes lead them to
        why = "nothing that is known as one" if isinstance(error, UnidentifiedImageError) else error
        raise Unreadable(f"{name} is no picture that can be read: {why}.", mend="Replace or leave it out.") from error
    picture.info = {}
    return picture


def thumbnail(content: bytes, name: str, max_pixels: int, side: int) -> bytes:
    """A picture as WebP of at most so many pixels a side; smaller ones stay as small. Raises Unreadable as `decode`."""
    picture = decode(content, name, max_pixels)
    picture.thumbnail((side, side))
    made = io.BytesIO()
    picture.save(made, "WEBP", quality=82, method=4)
    return made.getvalue()


def _on_white(opened: "Image") -> "Image":
    from PIL import Image, ImageOps

    upright = ImageOps.exif_transpose(opened)
    if upright.mode.startswith("I;16") or upright.mode in {"I", "F"}:
        upright = upright.convert("F").point(lambda value: value / 257).convert("L")
    if "A" not in upright.getbands() and "transparency" not in upright.info:
        return upright.convert("RGB")
    upright = upright.convert("RGBA")
    white = Image.new("RGBA", upright.size, "white")
    return Image.alpha_composite(white, upright).convert("RGB")
