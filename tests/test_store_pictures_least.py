"""Pictures that are read no larger than somebody needs them."""

import io

from PIL import Image

from store.media.pictures import decode

PIXELS = 10**9


def file(width: int, height: int, kind: str, **given: object) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(made, kind, **given)
    return made.getvalue()


def test_a_large_jpeg_comes_at_a_whole_part_of_its_size_and_no_side_below_the_least() -> None:
    assert decode(file(1600, 1200, "JPEG"), "it", PIXELS, 300).size == (400, 300)
    assert decode(file(1600, 1200, "JPEG"), "it", PIXELS, 301).size == (800, 600)


def test_what_is_not_read_faster_at_a_part_of_its_size_comes_whole() -> None:
    for kind in ("PNG", "TIFF", "WEBP"):
        assert decode(file(900, 600, kind), "it", PIXELS, 200).size == (900, 600), kind


def test_a_small_picture_and_one_of_which_all_is_wanted_stay_as_they_are() -> None:
    assert decode(file(80, 60, "JPEG"), "it", PIXELS, 300).size == (80, 60)
    assert decode(file(1600, 1200, "JPEG"), "it", PIXELS).size == (1600, 1200)


def test_a_reduced_picture_stands_upright() -> None:
    turned = Image.Exif()
    turned[0x0112] = 6  # a quarter turn
    assert decode(file(1600, 1200, "JPEG", exif=turned), "it", PIXELS, 300).size == (300, 400)
