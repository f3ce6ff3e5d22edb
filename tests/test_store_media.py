"""Media: any picture becomes a small upright one on white; nothing outside the workspace is read."""

import hashlib
import io
import os
import struct
import tarfile
import tempfile
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import recordings
import shop
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from label_configs.errors import Mendable, Unreadable
from label_configs.records import Item, Query
from store.cells import Cell
from store.cells import read as read_cell
from store.media import Media, decode, pictures
from store.settings import Media as MediaSettings

if TYPE_CHECKING:
    from obstore.store import ObjectStore

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


CELLS = ("c.parquet#image/1", "c.parquet#image/2")


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


RED_16 = (65535, 0, 0)


def png16(pixel: tuple[int, ...]) -> bytes:
    """A PNG of 4 x 2 pixels of three or four channels of 16 bits, which Pillow reads and does not write."""
    header = struct.pack(">IIBBBBB", 4, 2, 16, 2 if len(pixel) == 3 else 6, 0, 0, 0)
    line = b"\0" + struct.pack(f">{len(pixel)}H", *pixel) * 4
    parts = {b"IHDR": header, b"IDAT": zlib.compress(line * 2), b"IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in parts.items())


def chunk(kind: bytes, data: bytes) -> bytes:
    """A part of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


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
    "cmyk-jpeg": (encoded(Image.new("CMYK", (4, 2), (0, 255, 255, 0)), "JPEG", quality=100, subsampling=0), RED),
    "16-rgb": (png16((*RED_16,)), RED),
    "16-clear": (png16((*RED_16, 0)), WHITE),
    "16-half": (png16((0, 0, 0, 127 * 257)), GREY),
}


@pytest.mark.parametrize(("content", "colour"), PICTURES.values(), ids=PICTURES)
def test_every_kind_of_picture_becomes_rgb_on_white(content: bytes, colour: tuple[int, int, int]) -> None:
    picture = decode(content, "x", LIMIT)
    assert (picture.mode, picture.size) == ("RGB", (4, 2))
    assert picture.getcolors() == [(8, colour)]


CORNERS = {1: (0, 0), 2: (3, 0), 3: (3, 1), 4: (0, 1), 5: (0, 0), 6: (1, 0), 7: (1, 3), 8: (0, 3)}
"""Where EXIF's orientations bring the top left of 4 x 2 pixels; from 5 on they lie on their side."""


@pytest.mark.parametrize("orientation", CORNERS)
def test_a_picture_that_exif_calls_rotated_or_mirrored_is_turned_upright(orientation: int) -> None:
    lying = Image.new("RGB", (4, 2), WHITE)
    lying.putpixel((0, 0), RED)
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = decode(encoded(lying, exif=exif), "x", LIMIT)
    assert upright.size == ((4, 2) if orientation < 5 else (2, 4))
    assert upright.getpixel(CORNERS[orientation]) == RED
    assert set(upright.getcolors() or ()) == {(1, RED), (7, WHITE)}


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


BROKEN_EXIF = [b"Exif\0\0II*\0" + tail for tail in (b"", b"\x08\0\0\0\xff\xff", b"\xff" * 40)]


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # what Pillow says of it
@pytest.mark.parametrize("exif", BROKEN_EXIF)
def test_a_picture_with_broken_exif_is_read_as_it_lies(exif: bytes) -> None:
    content = encoded(Image.new("RGB", (4, 2), WHITE), "JPEG", exif=exif)
    assert decode(content, "x", LIMIT).getcolors() == [(8, WHITE)]


LOSSLESS: dict[str, dict[str, object]] = {"WEBP": {"lossless": True}}


def test_of_an_animation_the_first_frame_is_taken() -> None:
    frames = [Image.new("RGB", (4, 2), colour) for colour in (RED, WHITE, GREY)]
    for format_ in ("GIF", "WEBP", "PNG"):
        content = encoded(frames[0], format_, save_all=True, append_images=frames[1:], **LOSSLESS.get(format_, {}))
        assert decode(content, "x", LIMIT).getcolors() == [(8, RED)], format_


def test_what_a_picture_is_called_does_not_matter(media: Media) -> None:
    (media.root / "mislabelled.png").write_bytes(encoded(Image.new("RGB", (4, 2), RED), "BMP"))
    assert media.thumbnail(image("mislabelled.png")).is_file()


def test_a_small_file_that_says_it_is_huge_is_refused_before_it_is_unpacked() -> None:
    side = 60_000
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(10_000_000))) + chunk(b"IEND", b"")
    with pytest.raises(Unreadable, match="bomb"):
        decode(bomb, "x", MediaSettings().max_pixels)


@pytest.mark.parametrize("format_", ["EPS", "PCX", "SGI"])
def test_formats_that_no_browser_shows_are_not_even_tried(format_: str) -> None:
    with pytest.raises(Unreadable, match="nothing that is known as one"):
        decode(encoded(Image.new("RGB", (4, 2)), format_), "x", LIMIT)


def test_every_format_that_is_tried_is_known_to_pillow() -> None:
    Image.init()
    assert set(pictures.FORMATS) <= set(Image.OPEN)


@given(st.binary(max_size=200), st.integers(0, 400), st.sampled_from(["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"]))
@settings(max_examples=150, deadline=None)
def test_a_picture_with_any_bytes_overwritten_is_read_or_refused(noise: bytes, place: int, format_: str) -> None:
    content = bytearray(encoded(Image.effect_noise((16, 16), 90), format_))
    content[place : place + len(noise)] = noise
    with warnings.catch_warnings(), suppress(Unreadable):
        warnings.simplefilter("ignore")
        assert decode(bytes(content), "x", LIMIT).mode == "RGB"


def test_neither_where_a_picture_was_taken_nor_any_other_word_of_it_is_in_the_thumbnail(media: Media) -> None:
    exif = Image.Exif()
    exif[0x010F] = "SECRET-MAKER"
    exif.get_ifd(0x8825)[1] = "SECRET-NORTH"
    notes = PngInfo()
    notes.add_text("Comment", "SECRET-COMMENT")
    notes.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta>SECRET-XMP</x:xmpmeta>")
    whole = {
        "a.jpg": encoded(Image.new("RGB", (40, 20), RED), "JPEG", exif=exif, comment=b"SECRET", xmp=b"SECRET-XMP"),
        "a.png": encoded(Image.new("RGB", (40, 20), WHITE), pnginfo=notes, exif=exif, icc_profile=b"SECRET-ICC"),
        "a.webp": encoded(Image.new("RGB", (40, 20), GREY), "WEBP", exif=exif, xmp=b"SECRET-XMP"),
    }
    for name, content in whole.items():
        assert b"SECRET" in content
        (media.root / name).write_bytes(content)
        made = media.thumbnail(image(name)).read_bytes()
        assert b"SECRET" not in made
        with Image.open(io.BytesIO(made)) as thumbnail:
            assert (dict(thumbnail.getexif()), thumbnail.info.get("xmp"), thumbnail.info.get("icc_profile")) == (
                {},
                None,
                None,
            )


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


# --- members of archives


def archive(path: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


def test_a_member_of_an_archive_is_read_where_it_lies(media: Media) -> None:
    archive(media.root / "0001.tar", {"a.mp3": b"first", "sub/b c.mp3": b"second", "../a.mp3": b"third", "a": b""})
    assert media.read(image("0001.tar#a.mp3")) == b"first"
    assert media.read(image("0001.tar#sub/b c.mp3")) == b"second"
    assert media.read(image("0001.tar#../a.mp3")) == b"third"
    assert "has 0 bytes" in refused(media, image("0001.tar#a"))
    assert "has no file /etc/passwd" in refused(media, image("0001.tar#/etc/passwd"))
    small = Media(media.root, MediaSettings(max_bytes=5))
    assert "has 6 bytes" in refused(small, image("0001.tar#sub/b c.mp3"))
    assert {path.name for path in media.root.iterdir()} == {"red.png", "0001.tar"}


def test_links_and_folders_in_an_archive_are_no_files(media: Media) -> None:
    with tarfile.open(media.root / "0001.tar", "w") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE):
            entry = tarfile.TarInfo(f"odd-{kind.decode()}")
            entry.type, entry.linkname = kind, "/etc/passwd"
            tar.addfile(entry)
            assert "has no file" in refused(media, image(f"0001.tar#{entry.name}"))


def test_an_archive_that_was_written_anew_is_read_anew(media: Media) -> None:
    archive(media.root / "0001.tar", {"a": b"old"})
    assert media.read(image("0001.tar#a")) == b"old"
    archive(media.root / "0001.tar", {"b": bytes(10_000), "a": b"new"})
    assert media.read(image("0001.tar#a")) == b"new"


def test_a_damaged_archive_gives_what_is_whole_and_refuses_the_rest(media: Media) -> None:
    archive(media.root / "0001.tar", {"a": b"whole", "b": bytes(5000)})
    content = (media.root / "0001.tar").read_bytes()
    (media.root / "0001.tar").write_bytes(content[:3000])
    assert media.read(image("0001.tar#a")) == b"whole"
    assert "has no file b" in refused(media, image("0001.tar#b"))
    (media.root / "0002.tar").write_bytes(b"no archive at all" * 100)
    assert "has no file a" in refused(media, image("0002.tar#a"))
    assert "There is no file" in refused(media, image("0003.tar#a"))
    assert "lies outside" in refused(media, image("../0001.tar#a"))


def test_a_file_whose_own_name_looks_like_a_members_is_read_as_itself(media: Media) -> None:
    (media.root / "a.tar#b.mp3").write_bytes(b"itself")
    assert media.read(image("a.tar#b.mp3")) == b"itself"


# --- cells of Parquet files


def cells(path: Path, *contents: bytes | None, column: str = "image", **options: object) -> None:
    pq.write_table(pa.table({column: pa.array(contents, pa.binary())}), path, **options)


@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize("struct", [False, True])
def test_a_cell_is_read_in_any_order_however_its_rows_are_grouped(media: Media, size: int, struct: bool) -> None:
    contents = [f"no. {n}".encode() for n in range(1, 11)]
    column = [{"bytes": c, "path": "x"} for c in contents] if struct else contents
    pq.write_table(pa.table({"image": column, "text": ["x"] * 10}), media.root / "c.parquet", row_group_size=size)
    for row in [*range(1, 11), 10, 3, 4, 9, 1, 1]:
        assert media.read(image(f"c.parquet#image/{row}")) == f"no. {row}".encode()


@given(st.lists(st.binary(max_size=3), min_size=1, max_size=12), st.integers(1, 12), st.data())
@settings(max_examples=60, deadline=None)
def test_every_cell_is_what_was_written(contents: list[bytes], size: int, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        cells(Path(folder) / "c.parquet", *contents, row_group_size=size)
        for row in data.draw(st.lists(st.integers(1, len(contents)), max_size=8)):
            assert read_cell(Path(folder) / "c.parquet", Cell("image", row)) == contents[row - 1]


def test_what_is_no_cell_or_holds_nothing_is_refused(media: Media) -> None:
    cells(media.root / "c.parquet", b"x", None, b"", bytes(1000))
    small = Media(media.root, MediaSettings(max_bytes=999))
    for uri, said in {
        "c.parquet#image/2": "c.parquet has nothing in its row 2, column image",
        "c.parquet#image/3": "c.parquet#image/3 has 0 bytes",
        "c.parquet#image/4": "has 1000 bytes; at least 1 and at most 999 are read",
        "c.parquet#image/5": "c.parquet has no row 5",
        "c.parquet#audio/1": "c.parquet has no column audio that holds media",
        "c.parquet#image/0": "no file",
        "c.parquet#image/1/2": "no file",
        "none.parquet#image/1": "There is no file",
        "../c.parquet#image/1": "lies outside the workspace",
    }.items():
        assert said in refused(small, image(uri))


def test_of_two_columns_of_one_name_no_cell_is_guessed(media: Media) -> None:
    twice = pa.Table.from_arrays([pa.array([b"x"]), pa.array([b"y"])], names=["image", "image"])
    pq.write_table(twice, media.root / "c.parquet")
    assert "more than one column image" in refused(media, image("c.parquet#image/1"))


def test_a_damaged_parquet_file_gives_what_is_whole_and_refuses_the_rest(media: Media) -> None:
    noise = [bytes([n]) * 5000 for n in range(1, 5)]
    cells(media.root / "c.parquet", *noise, row_group_size=1, compression="none", use_dictionary=False)
    content = bytearray((media.root / "c.parquet").read_bytes())
    place = pq.read_metadata(media.root / "c.parquet").row_group(2).column(0).data_page_offset
    content[place : place + 10] = b"\xff" * 10
    (media.root / "c.parquet").write_bytes(content)
    assert media.read(image("c.parquet#image/2")) == noise[1]
    assert "c.parquet is damaged in its row 3" in refused(media, image("c.parquet#image/3"))
    assert media.read(image("c.parquet#image/4")) == noise[3]
    (media.root / "c.parquet").write_bytes(content[:5000])
    assert "c.parquet cannot be read as Parquet" in refused(media, image("c.parquet#image/2"))


def test_a_parquet_file_that_was_written_anew_is_read_anew(media: Media) -> None:
    cells(media.root / "c.parquet", b"old", b"x")
    assert media.read(image("c.parquet#image/1")) == b"old"
    cells(media.root / "c.parquet", b"newer")
    assert media.read(image("c.parquet#image/1")) == b"newer"
    assert "has no row 2" in refused(media, image("c.parquet#image/2"))


def test_several_threads_read_cells_of_one_file(media: Media) -> None:
    cells(media.root / "c.parquet", *(str(n).encode() for n in range(1, 51)), row_group_size=7)
    with ThreadPoolExecutor(4) as threads:
        found = threads.map(lambda n: media.read(image(f"c.parquet#image/{n}")), [*range(1, 51)] * 4)
    assert [*found] == [str(n).encode() for n in range(1, 51)] * 4


def test_of_a_large_column_no_more_than_a_row_group_is_held(media: Media) -> None:
    noise = [os.urandom(1_000_000) for _ in range(60)]
    cells(media.root / "c.parquet", *noise, row_group_size=5)
    before = pa.total_allocated_bytes()
    for row, content in enumerate(noise, 1):
        assert media.read(image(f"c.parquet#image/{row}")) == content
        assert pa.total_allocated_bytes() - before < 15_000_000


SOUNDS = {
    ".wav": recordings.wave(recordings.tone(0.1)),
    ".mp3": recordings.sound(recordings.tone(0.1), container="mp3", codec="libmp3lame"),
    ".flac": recordings.sound(recordings.tone(0.1), container="flac", codec="flac"),
    ".ogg": recordings.sound(recordings.tone(0.1), container="ogg", codec="libopus"),
    ".mp4": recordings.colours((RED, 0.2)),
    ".webm": recordings.colours((RED, 0.2), container="webm"),
    ".avi": recordings.colours((RED, 0.2), container="avi"),
}


@pytest.mark.parametrize("suffix", SOUNDS)
def test_sound_and_film_in_a_cell_are_put_where_browsers_get_them_under_the_suffix_of_their_kind(
    media: Media, suffix: str
) -> None:
    cells(media.root / "c.parquet", SOUNDS[suffix], column="audio")
    shown = media.shown(Item(doc_id="d", modality="audio", uri="c.parquet#audio/1"))
    name = hashlib.sha256(SOUNDS[suffix]).hexdigest()[:32]
    assert shown == f"/data/local-files/?d=media/thumbs/{name[:2]}/{name}{suffix}"
    assert (media.root / shown.partition("=")[2]).read_bytes() == SOUNDS[suffix]


def test_a_bare_frame_of_mp3_is_known_and_a_cell_of_anything_else_is_put_nowhere(media: Media) -> None:
    frame = SOUNDS[".mp3"][SOUNDS[".mp3"].index(b"\xff\xfb") :]
    cells(media.root / "c.parquet", frame, b"<script>", column="audio")
    assert media.shown(Item(doc_id="d", modality="audio", uri="c.parquet#audio/1")).endswith(".mp3")
    with pytest.raises(Mendable, match="by how it begins it is no medium"):
        media.shown(Item(doc_id="d", modality="audio", uri="c.parquet#audio/2"))


def test_a_picture_in_a_cell_is_shown_as_the_thumbnail_that_a_file_of_it_has(media: Media) -> None:
    cells(media.root / "c.parquet", (media.root / "red.png").read_bytes())
    assert media.shown(image("c.parquet#image/1")) == media.shown(image("red.png"))
    with pytest.raises(Mendable, match="The browser cannot reach"):
        Media(media.root, MediaSettings(serve="http")).shown(image("c.parquet#image/1"))


# --- what is not there


def test_media_that_the_workspace_does_not_hold_are_named_and_remote_ones_are_not_looked_for(media: Media) -> None:
    (media.root / "folder.png").mkdir()
    archive(media.root / "0001.tar", {"a": b"x"})
    cells(media.root / "c.parquet", b"x")
    uris = ["red.png", "gone.png", "folder.png", "https://example.org/x.png", "", "/data/upload/1/x.png", "0001.tar#a"]
    records = [Item(doc_id=f"d{n}", modality="image", uri=uri) for n, uri in enumerate([*uris, "0001.tar#b", *CELLS])]
    query = Query(query_id="q", modality="audio", uri="gone.mp3")
    root = media.root.resolve()
    assert media.missing([*records, query]) == [
        f"d1: There is no file {root}/gone.png.",
        f"d2: There is no file {root}/folder.png.",
        "d7: 0001.tar has no file b.",
        "d9: c.parquet has no row 2.",
        f"q: There is no file {root}/gone.mp3.",
    ]


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


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("", ""),
        ("https://example.org/x.mp3", "https://example.org/x.mp3"),
        ("s3://bucket/x y.mp3", "s3://bucket/x y.mp3"),
        ("az://container/x.mp3", "azure-blob://container/x.mp3"),
        ("/data/upload/1/x.mp3", "/data/upload/1/x.mp3"),
    ],
)
def test_sound_and_film_from_elsewhere_are_shown_under_their_own_uri(media: Media, uri: str, shown: str) -> None:
    assert media.shown(Item(doc_id="d", modality="audio", uri=uri)) == shown


def test_a_picture_from_elsewhere_is_fetched_and_shown_as_a_thumbnail(media: Media) -> None:
    content = encoded(Image.new("RGB", (1000, 500), RED))
    with shop.opened() as server:
        server.answers["/x.png"] = lambda h: h.send(body=content)
        allowing = Media(media.root, MediaSettings(allow=(f"{server.url}/",)))
        assert allowing.shown(image(f"{server.url}/x.png")) == allowing.shown(image("red.png"))
        with pytest.raises(Unreadable, match="no entry of allow covers it"):
            media.shown(image(f"{server.url}/x.png"))


def test_serving_http_without_a_base_shows_the_corpus_uris_and_refuses_a_path(media: Media) -> None:
    as_they_are = Media(media.root, MediaSettings(serve="http"))
    assert as_they_are.shown(image("https://example.org/x.png")) == "https://example.org/x.png"
    with pytest.raises(Mendable, match="serve = 'local-files'"):
        as_they_are.shown(image("red.png"))


def test_serving_http_with_a_base_maps_the_names_under_it(media: Media, tmp_path: Path) -> None:
    (media.root / "a.mp3").write_bytes(b"sound")
    name = media.thumbnail(image("red.png")).relative_to(media.root.resolve() / "media" / "thumbs")
    cdn = Media(media.root, MediaSettings(serve="http", base="https://cdn.example.org/thumbs"))
    assert cdn.shown(image("red.png")) == f"https://cdn.example.org/thumbs/{name}"
    elsewhere = MediaSettings(serve="http", base="https://cdn.example.org/thumbs/", to=str(tmp_path / "static"))
    assert Media(media.root, elsewhere).shown(image("red.png")) == f"https://cdn.example.org/thumbs/{name}"
    assert (tmp_path / "static" / name).read_bytes() == media.thumbnail(image("red.png")).read_bytes()
    sound = hashlib.sha256(b"sound").hexdigest()[:32]
    shown = Media(media.root, elsewhere).shown(Item(doc_id="d", modality="audio", uri="a.mp3"))
    assert shown == f"https://cdn.example.org/thumbs/{sound[:2]}/{sound}.mp3"
    assert (tmp_path / "static" / sound[:2] / f"{sound}.mp3").read_bytes() == b"sound"


def test_a_file_of_the_workspace_that_is_no_medium_is_never_published(media: Media, tmp_path: Path) -> None:
    (media.root / "pseudonym.key").write_text("secret")
    cdn = MediaSettings(serve="http", base="https://cdn.example.org/", to=str(tmp_path / "static"))
    with pytest.raises(Mendable, match="by its suffix it is no medium"):
        Media(media.root, cdn).shown(Item(doc_id="d", modality="audio", uri="pseudonym.key"))
    assert not (tmp_path / "static").exists()


def test_sound_in_an_archive_is_put_where_label_studio_serves_it(media: Media) -> None:
    archive(media.root / "0001.tar", {"a.mp3": b"sound"})
    shown = media.shown(Item(doc_id="d", modality="audio", uri="0001.tar#a.mp3"))
    name = hashlib.sha256(b"sound").hexdigest()[:32]
    assert shown == f"/data/local-files/?d=media/thumbs/{name[:2]}/{name}.mp3"
    assert (media.root / shown.partition("=")[2]).read_bytes() == b"sound"


def test_serving_from_a_bucket_puts_each_thumbnail_there_once(media: Media, bucket: "ObjectStore") -> None:
    name = str(media.thumbnail(image("red.png")).relative_to(media.root.resolve() / "media" / "thumbs"))
    there = Media(media.root, MediaSettings(serve="s3", to="s3://media/thumbs"))
    assert [there.shown(image("red.png")) for _ in range(2)] == [f"s3://media/thumbs/{name}"] * 2
    found = bucket.get(f"thumbs/{name}")
    assert bytes(found.bytes()) == media.thumbnail(image("red.png")).read_bytes()
    assert found.attributes["Content-Type"] == "image/webp"
    assert len([entry for batch in bucket.list("thumbs") for entry in batch]) == 1
    there.check_shelf()


def test_a_bucket_that_takes_no_thumbnails_is_told(media: Media, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ENDPOINT_URL": "http://127.0.0.1:9", "ALLOW_HTTP": "true", "ACCESS_KEY_ID": "id"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key")
    there = Media(media.root, MediaSettings(serve="s3", to="s3://media/thumbs", tries=1, total_timeout=2))
    for use in (there.check_shelf, lambda: there.shown(image("red.png"))):
        with pytest.raises(Mendable, match="s3://media/thumbs cannot be used for thumbnails"):
            use()
