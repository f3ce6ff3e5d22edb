"""Vectors by content hash: nothing is encoded twice, nothing half-written survives, and broken media are left out."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st
from tiny import Table

from label_configs.errors import Mendable, Unreadable
from label_configs.records import Item, Modality, Query
from ml_backend import embed as embedding
from ml_backend.embed import embed
from ml_backend.encoders.base import Vectors
from ml_backend.keys import Keys
from ml_backend.vectors import VectorStore, clip_key, key
from store.media import Clip, Content
from store.media import Media as Reader
from store.settings import Media as MediaSettings

A, B, C = (key("text", name) for name in "abc")
ROWS = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store of a and b."""
    store = VectorStore(tmp_path / "store")
    with store.writing():
        store.add([A, B], ROWS[:2])
    return tmp_path / "store"


def test_an_empty_store_holds_nothing(tmp_path: Path) -> None:
    store = VectorStore(tmp_path)
    assert len(store) == 0
    assert A not in store
    assert store.get([]).shape == (0, 0)
    with pytest.raises(KeyError):
        store.get([A])


def test_vectors_come_back_in_the_order_asked_for_also_after_reopening(folder: Path) -> None:
    for store in (VectorStore(folder), VectorStore(folder)):
        assert store.get([B, A, B]).tolist() == [[0, 1, 0], [1, 0, 0], [0, 1, 0]]


def test_a_content_that_is_there_or_comes_twice_takes_no_second_row(folder: Path) -> None:
    store = VectorStore(folder)
    with store.writing():
        store.add([A, C, C], ROWS[[0, 2, 2]])
        store.add([C], ROWS[2:])
    again = VectorStore(folder)
    assert len(again) == 3
    assert again.get([A, B, C]).tolist() == ROWS.tolist()
    assert (folder / "vectors.f32").stat().st_size == 3 * 3 * 4


@pytest.mark.parametrize("name", ["vectors.f32", "keys.sha256"])
@pytest.mark.parametrize("lost", [1, 4, 11, 12, 13, 23, 24, 31, 32, 33, 63])
def test_a_write_torn_anywhere_is_mended_at_the_next_opening(folder: Path, name: str, lost: int) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes()[: max(0, path.stat().st_size - lost)])
    kept = [k for k in (A, B) if k in VectorStore(folder)]
    assert VectorStore(folder).get(kept).tolist() == ROWS[: len(kept)].tolist()  # a reader is not disturbed
    store = VectorStore(folder)
    with store.writing():
        assert len(store) == len(kept) == path.stat().st_size // (12 if name == "vectors.f32" else 32)
        store.add([A, B, C], ROWS)
    assert VectorStore(folder).get([A, B, C]).tolist() == ROWS.tolist()


def test_a_reader_is_not_disturbed_by_a_batch_in_the_writing(folder: Path) -> None:
    reader = VectorStore(folder)
    with (folder / "vectors.f32").open("ab") as file:
        file.write(b"\0\0\0\0\0")
    assert reader.get([B, A]).tolist() == ROWS[[1, 0]].tolist()


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(folder: Path, wrong: float) -> None:
    store = VectorStore(folder)
    with store.writing(), pytest.raises(Mendable, match="not finite"):
        store.add([C], np.array([[0, wrong, 0]], dtype=np.float32))
    assert C not in VectorStore(folder)


def test_vectors_of_another_width_are_refused(folder: Path) -> None:
    store = VectorStore(folder)
    with store.writing(), pytest.raises(Mendable, match="2 numbers do not fit a store of 3"):
        store.add([C], np.ones((1, 2), dtype=np.float32))


def test_a_second_writer_is_refused(folder: Path) -> None:
    with (
        VectorStore(folder).writing(),
        pytest.raises(Mendable, match="Another process is writing vectors"),
        VectorStore(folder).writing(),
    ):
        pass
    with VectorStore(folder).writing():
        pass


def test_rows_that_follow_each_other_are_not_copied_into_memory(folder: Path) -> None:
    store = VectorStore(folder)
    with store.writing():
        store.add([C], ROWS[2:])
    assert isinstance(store.get([A, B, C]), np.memmap)
    assert isinstance(store.get([B, C]), np.memmap)
    assert not isinstance(store.get([C, A]), np.memmap)
    assert store.get([B, C]).tolist() == ROWS[1:].tolist()


def test_stretches_of_a_medium_have_keys_of_their_own_to_the_last_digit() -> None:
    stretches = [(0.0, None), (0.0, 1.0), (1234.567, 2000.0), (1234.5671, 2000.0), (1.0, None)]
    keys = {key("video", Clip(b"film", start, end)) for start, end in stretches} | {key("video", b"film")}
    assert len(keys) == len(stretches) + 1
    assert key("video", Clip(b"film", 1, 2)) == clip_key(key("video", b"film"), 1.0, 2.0)


def test_the_same_bytes_have_a_key_for_each_modality_that_they_are_read_as() -> None:
    modalities: list[Modality] = ["image", "audio", "video"]
    keys = {key(modality, b"a GIF") for modality in modalities} | {key("text", "a GIF")}
    keys |= {key(modality, Clip(b"a GIF", 0, 1)) for modality in modalities}
    assert len(keys) == 7


# keys


def keys_of(tmp_path: Path, keys: Sequence[bytes]) -> Keys:
    (tmp_path / "keys").write_bytes(b"".join(keys))
    return Keys(tmp_path / "keys", len(keys))


def test_keys_without_any_know_nothing(tmp_path: Path) -> None:
    assert keys_of(tmp_path, []).rows([A]).tolist() == [-1]
    assert keys_of(tmp_path, [A]).rows([]).tolist() == []


def test_keys_that_begin_alike_are_told_apart(tmp_path: Path) -> None:
    alike = [b"12345678" + bytes([n]) * 24 for n in range(5)]
    last = b"\xff" * 32
    keys = keys_of(tmp_path, [alike[3], A, alike[0], last, alike[4]])
    assert keys.rows([alike[0], alike[1], alike[3], alike[4], last, A, B]).tolist() == [2, -1, 0, 4, 3, 1, -1]
    assert keys_of(tmp_path, alike[:2]).rows([alike[2], alike[1]]).tolist() == [-1, 1]


@given(st.lists(st.integers(0, 300), unique=True), st.lists(st.integers(0, 300)))
def test_keys_find_what_a_dict_finds(there: list[int], asked: list[int]) -> None:
    keys = [key("text", str(n)) for n in there]
    with tempfile.TemporaryDirectory() as folder:
        found = keys_of(Path(folder), keys).rows([key("text", str(n)) for n in asked])
    expected = {n: row for row, n in enumerate(there)}
    assert found.tolist() == [expected.get(n, -1) for n in asked]


# embedding


class Careful(Table):
    """A table that finds broken what is not in it."""

    def encode(self, modality: Modality, contents: Sequence[Content]) -> Vectors:
        if any(content not in self._vectors for content in contents):
            self.asked += contents
            raise Unreadable("it is broken", mend="Mend it.")
        return super().encode(modality, contents)


@pytest.fixture
def media(tmp_path: Path) -> Reader:
    for name in "xy":
        (tmp_path / f"{name}.png").write_bytes(name.encode())
    return Reader(tmp_path, MediaSettings())


@pytest.fixture
def store(tmp_path: Path) -> VectorStore:
    return VectorStore(tmp_path / "embeddings")


def image(doc_id: str, uri: str) -> Item:
    return Item(doc_id=doc_id, modality="image", uri=uri)


def test_nothing_to_embed_is_no_error(store: VectorStore, media: Reader) -> None:
    assert embed([], Table({}), store, media) == ([], [], [])


def test_nothing_is_encoded_twice(store: VectorStore, media: Reader) -> None:
    encoder = Table({"red": [1, 0], "blue": [0, 1], b"x": [0.6, 0.8]})
    records: list[Item | Query] = [
        Item(doc_id="1", text="red"),
        Item(doc_id="2", text="blue"),
        Item(doc_id="3", text="red"),
        image("4", "x.png"),
        Query(query_id="q", text="red"),
    ]
    done: list[int] = []
    found = embed(records, encoder, store, media, batch=2, advance=done.append)
    assert encoder.asked == ["red", "blue", b"x"]
    assert done == [2, 1, 1, 1]
    assert found.records == records
    assert store.get(found.keys) == pytest.approx(np.array([[1, 0], [0, 1], [1, 0], [0.6, 0.8], [1, 0]]))
    embed(records, encoder, VectorStore(media.root / "embeddings"), media)
    assert encoder.asked == ["red", "blue", b"x"]


def test_a_duplicate_within_one_batch_is_encoded_once(store: VectorStore, media: Reader) -> None:
    encoder = Table({"red": [1, 0]})
    found = embed([Item(doc_id=d, text="red") for d in "123"], encoder, store, media)
    assert encoder.asked == ["red"]
    assert found.keys == [key("text", "red")] * 3


def test_stretches_that_follow_each_other_read_their_medium_once(store: VectorStore, media: Reader) -> None:
    class Counting(Reader):
        def read(self, record: Item | Query) -> bytes:
            read.append(record.uri)
            return super().read(record)

    read: list[str] = []
    records = [
        Item(doc_id=f"{uri}{n}", modality="video", uri=uri, start=n, end=n + 1)
        for uri in ("x.png", "y.png")
        for n in (0, 1)
    ]
    clips = [Clip(uri, float(n), float(n + 1)) for uri in (b"x", b"y") for n in (0, 1)]
    encoder = Table({clip: [n, 1] for n, clip in enumerate(clips)})
    found = embed(records, encoder, store, Counting(media.root, media.settings), batch=3)
    assert read == ["x.png", "y.png"]
    assert encoder.asked == clips
    assert found.keys == [key(record.modality, media.content(record)) for record in records]


def test_large_media_are_encoded_before_more_are_read(
    store: VectorStore, media: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "_HELD", 1)
    asked: list[int] = []

    class Counting(Table):
        def encode(self, modality: Modality, contents: Sequence[Content]) -> Vectors:
            asked.append(len(contents))
            return super().encode(modality, contents)

    found = embed(
        [Item(doc_id=word, text=word) for word in ("red", "blue", "x")],
        Counting({"red": [1, 0], "blue": [0, 1], "x": [1, 1]}),
        store,
        media,
    )
    assert asked == [1, 1, 1]
    assert len(found.keys) == 3


def test_the_title_stands_before_the_text(store: VectorStore, media: Reader) -> None:
    encoder = Table({"Red a colour": [1, 0]})
    embed([Item(doc_id="1", title="Red", text="a colour")], encoder, store, media)
    assert encoder.asked == ["Red a colour"]


def test_what_is_broken_is_named_and_the_rest_goes_on(store: VectorStore, media: Reader) -> None:
    encoder = Careful({b"x": [1, 0]})
    records = [image("missing", "z.png"), image("broken", "y.png"), image("fine", "x.png"), image("too", "y.png")]
    found = embed(records, encoder, store, media)
    assert [r.doc_id for r in found.records if isinstance(r, Item)] == ["fine"]
    assert found.keys == [key("image", b"x")]
    assert found.broken[0].startswith("missing (z.png): There is no file")
    assert sorted(found.broken[1:]) == ["broken (y.png): it is broken Mend it.", "too (y.png): it is broken Mend it."]


@pytest.mark.parametrize("batch", [1, 2, 8])
def test_a_content_whose_vector_is_not_finite_is_left_out_alone(store: VectorStore, media: Reader, batch: int) -> None:
    encoder = Table({"red": [1, 0], "odd": [np.nan, 1], "blue": [0, 1]})
    records = [Item(doc_id=word, text=word) for word in ("red", "odd", "blue")]
    found = embed(records, encoder, store, media, batch=batch)
    assert [r.doc_id for r in found.records if isinstance(r, Item)] == ["red", "blue"]
    assert store.get(found.keys).tolist() == [[1, 0], [0, 1]]
    assert found.broken == ["odd: The encoder gives it a vector that is not finite. Replace it, or leave it out."]


def test_an_encoder_that_gives_nothing_finite_stops_at_its_first_batch(store: VectorStore, media: Reader) -> None:
    encoder = Table({word: [np.inf, 0] for word in ("red", "blue", "green")})
    with pytest.raises(Mendable, match="The encoder returned vectors that are not finite"):
        embed([Item(doc_id=word, text=word) for word in ("red", "blue", "green")], encoder, store, media, batch=2)
    assert encoder.asked == ["red", "blue"]


def test_a_medium_is_read_as_each_modality_that_it_is_given_as(store: VectorStore, media: Reader) -> None:
    class AsFilm(Table):
        def encode(self, modality: Modality, contents: Sequence[Content]) -> Vectors:
            return super().encode(modality, contents) * (2 if modality == "video" else 1)

    given: list[Modality] = ["image", "video", "image"]
    records = [Item(doc_id=str(n), modality=modality, uri="x.png") for n, modality in enumerate(given)]
    found = embed(records, AsFilm({b"x": [1, 0]}), store, media)
    assert store.get(found.keys).tolist() == [[1, 0], [2, 0], [1, 0]]


def test_a_crash_loses_the_batch_in_hand_alone(store: VectorStore, media: Reader) -> None:
    records = [Item(doc_id=word, text=word) for word in ("red", "blue", "green")]
    with pytest.raises(KeyError, match="green"):
        embed(records, tiny.Table({"red": [1, 0], "blue": [0, 1]}), store, media, batch=2)
    resumed = Table({"green": [0.6, 0.8]})
    assert len(embed(records, resumed, VectorStore(media.root / "embeddings"), media).keys) == 3
    assert resumed.asked == ["green"]
