"""Media: any picture becomes a small upright one on white; nothing outside the workspace is read."""

import hashlib
import io
from pathlib import Path

import pytest
from PIL import Image

from label_configs.errors import Mendable, Unreadable
from label_configs.records import Item
from store.media import Media, decode
from store.settings import Media as MediaSettings

RED, WHITE, GREY = (255, 0, 0), (255, 255, 255), (128, 128, 128)
LIMIT = 10_000


def encoded(picture: Image.Image, format: str = "PNG", **options: object) -> bytes:  # noqa: A002 - Pillow's word
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def palette() -> Image.Image:
    picture = Image.new("P", (4, 2), 1)
    picture.putpalette([0, 0, 0, *RED])
    return picture


def image(uri: str) -> Item:
    return Item(doc_id="d", modality="image", uri=uri)


def refused(media: Media, record: Item) -> str:
    with pytest.raises(Unreadable) as caught:
        media.read(record)
    return str(caught.value)


@pytest.fixture
def media(tmp_path: Path) -> Media:
    root = tmp_path / "workspace"
    root.mkdir()
    (root / "red.png").write_bytes(encoded(Image.new("RGB", (1000, 500), RED)))
    (tmp_path / "outside.png").write_bytes(encoded(Image.new("RGB", (4, 2))))
    return Media(root, MediaSettings())


# --- pictures


PICTURES = {
    "rgb": (encoded(Image.new("RGB", (4, 2), RED)), RED),
    "bit": (encoded(Image.new("1", (4, 2), 1)), WHITE),
    "grey": (encoded(Image.new("L", (4, 2), 128)), GREY),
    "grey-alpha": (encoded(Image.new("LA", (4, 2), (0, 0))), WHITE),
    "clear": (encoded(Image.new("RGBA", (4, 2), (0, 0, 0, 0))), WHITE),
    "opaque": (encoded(Image.new("RGBA", (4, 2), (*RED, 255))), RED),
    "half": (encoded(Image.new("RGBA", (4, 2), (0, 0, 0, 127))), GREY),
    "key": (encoded(Image.new("RGB", (4, 2), RED), transparency=RED), WHITE),
    "palette": (encoded(palette()), RED),
    "palette-clear": (encoded(palette(), transparency=1), WHITE),
    "gif": (encoded(palette(), "GIF"), RED),
    "16": (encoded(Image.new("I;16", (4, 2), 128 * 257)), GREY),
    "16-white": (encoded(Image.new("I;16", (4, 2), 65535)), WHITE),
    "16-tiff": (encoded(Image.new("I;16", (4, 2), 128 * 257), "TIFF"), GREY),
    "cmyk": (encoded(Image.new("CMYK", (4, 2), (0, 255, 255, 0)), "TIFF"), RED),
}


@pytest.mark.parametrize(("content", "colour"), PICTURES.values(), ids=PICTURES)
def test_every_kind_of_picture_becomes_rgb_on_white(content: bytes, colour: tuple[int, int, int]) -> None:
    picture = decode(content, "x", LIMIT)
    assert (picture.mode, picture.size) == ("RGB", (4, 2))
    assert picture.getcolors() == [(8, colour)]


def test_a_picture_that_exif_calls_rotated_is_turned_upright() -> None:
    lying = Image.new("RGB", (4, 2), WHITE)
    lying.putpixel((0, 0), RED)
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn by 90 degrees clockwise, which brings the top left to the top right
    upright = decode(encoded(lying, exif=exif), "x", LIMIT)
    assert upright.size == (2, 4)
    assert upright.getpixel((1, 0)) == RED


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n", b"<svg xmlns='x'/>", b"GIF89a"])
def test_what_is_no_picture_is_refused_by_its_name(content: bytes) -> None:
    with pytest.raises(Unreadable, match=r"^odd\.png is no picture that can be read"):
        decode(content, "odd.png", LIMIT)


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "GIF", "WEBP"])
def test_a_picture_cut_off_anywhere_is_refused_or_read_but_never_fails_otherwise(format_: str) -> None:
    whole = encoded(Image.effect_noise((24, 24), 90).convert("RGB"), format_)
    with pytest.raises(Unreadable):
        decode(whole[: len(whole) // 2], "x", LIMIT)
    for end in range(0, len(whole), 7):
        try:
            assert decode(whole[:end], "x", LIMIT).mode == "RGB"
        except Unreadable:
            continue


def test_a_picture_may_have_the_most_pixels_allowed_and_not_one_more() -> None:
    content = encoded(Image.new("L", (100, 100)))
    assert decode(content, "x", 10_000).size == (100, 100)
    with pytest.raises(Unreadable, match="100 x 100 pixels, more than 9999"):
        decode(content, "x", 9_999)


# --- reading


def test_the_bytes_of_a_medium_are_read_up_to_the_limit(media: Media) -> None:
    content = (media.root / "red.png").read_bytes()
    exact = Media(media.root, MediaSettings(max_bytes=len(content)))
    short = Media(media.root, MediaSettings(max_bytes=len(content) - 1))
    assert exact.read(image("red.png")) == content
    assert f"red.png has {len(content)} bytes" in refused(short, image("red.png"))


def test_an_empty_file_is_refused(media: Media) -> None:
    (media.root / "empty.png").touch()
    assert "empty.png has 0 bytes" in refused(media, image("empty.png"))


@pytest.mark.parametrize("uri", ["../outside.png", "sub/../../outside.png", "link.png", "folder/outside.png"])
def test_no_path_and_no_link_leads_out_of_the_workspace(media: Media, uri: str) -> None:
    (media.root / "link.png").symlink_to(media.root.parent / "outside.png")
    (media.root / "folder").symlink_to(media.root.parent)
    assert f"{uri} lies outside the workspace" in refused(media, image(uri))


def test_an_absolute_path_and_a_link_are_read_where_they_stay_inside(media: Media) -> None:
    (media.root / "link.png").symlink_to("red.png")
    content = (media.root / "red.png").read_bytes()
    assert media.read(image("link.png")) == content
    assert media.read(image(str(media.root / "red.png"))) == content
    assert "lies outside" in refused(media, image("/etc/passwd"))


@pytest.mark.parametrize("uri", ["", ".", "gone.png", "javascript:alert(1)", "x" * 300, "a\0b", "loop"])
def test_what_names_no_file_is_refused(media: Media, uri: str) -> None:
    (media.root / "loop").symlink_to("loop")
    assert "no file" in refused(media, image(uri))


def test_a_remote_medium_is_not_read(media: Media) -> None:
    assert "cannot be encoded" in refused(media, image("https://example.org/x.png"))


# --- showing


def test_a_thumbnail_is_named_by_its_pictures_content_and_made_once(media: Media) -> None:
    content = (media.root / "red.png").read_bytes()
    (media.root / "same.png").write_bytes(content)
    name = hashlib.sha256(content).hexdigest()[:32]
    path = media.thumbnail(image("red.png"))
    made = path.stat()
    assert path == media.root.resolve() / "media" / "thumbs" / name[:2] / f"{name}-384.webp"
    assert media.thumbnail(image("same.png")) == path
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (made.st_ino, made.st_mtime_ns)


def test_a_thumbnail_is_a_webp_within_its_size_and_a_small_picture_is_not_enlarged(media: Media) -> None:
    (media.root / "dot.png").write_bytes(encoded(Image.new("RGB", (3, 1))))
    with Image.open(media.thumbnail(image("red.png"))) as thumbnail:
        assert (thumbnail.format, thumbnail.size) == ("WEBP", (384, 192))
    with Image.open(media.thumbnail(image("dot.png"))) as thumbnail:
        assert thumbnail.size == (3, 1)


def test_another_content_or_another_size_makes_another_thumbnail(media: Media) -> None:
    first = media.thumbnail(image("red.png"))
    small = Media(media.root, MediaSettings(thumbnail=64)).thumbnail(image("red.png"))
    (media.root / "red.png").write_bytes(encoded(Image.new("RGB", (10, 10))))
    assert len({first, small, media.thumbnail(image("red.png"))}) == 3


def test_a_broken_picture_leaves_no_thumbnail_behind(media: Media) -> None:
    (media.root / "broken.png").write_bytes(b"broken")
    with pytest.raises(Unreadable):
        media.thumbnail(image("broken.png"))
    assert not (media.root / "media").exists()


def test_a_picture_is_shown_as_its_thumbnail_under_label_studios_local_files(media: Media) -> None:
    path = media.thumbnail(image("red.png")).relative_to(media.root.resolve())
    assert media.shown(image("red.png")) == f"/data/local-files/?d={path}"


def test_the_path_in_a_uri_is_percent_encoded(media: Media) -> None:
    (media.root / "sub").mkdir()
    (media.root / "sub" / 'a b#ü&"?.mp3').write_bytes(b"x")
    sound = Item(doc_id="d", modality="audio", uri='sub/a b#ü&"?.mp3')
    assert media.shown(sound) == "/data/local-files/?d=sub/a%20b%23%C3%BC%26%22%3F.mp3"


def test_paths_count_from_the_document_root_and_what_lies_outside_it_cannot_be_shown(media: Media) -> None:
    (media.root / "a.mp3").write_bytes(b"x")
    sound = Item(doc_id="d", modality="audio", uri="a.mp3")
    assert Media(media.root, MediaSettings(document_root="..")).shown(sound) == "/data/local-files/?d=workspace/a.mp3"
    with pytest.raises(Mendable, match="Correct document_root"):
        Media(media.root, MediaSettings(document_root="media")).shown(sound)


@pytest.mark.parametrize("uri", ["", "https://example.org/x.png", "s3://bucket/x y.png"])
def test_a_remote_medium_is_shown_under_its_own_uri_and_text_under_none(media: Media, uri: str) -> None:
    assert media.shown(image(uri)) == uri


def test_serving_http_only_refuses_a_path_and_says_what_to_do(media: Media) -> None:
    with pytest.raises(Mendable, match="serve = 'local-files'"):
        Media(media.root, MediaSettings(serve="http")).shown(image("red.png"))
