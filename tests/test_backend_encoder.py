"""The open_clip encoder, and the process that holds it: a real model of random weights."""

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import tiny

from label_configs.errors import Mendable, Unreadable
from label_configs.records import Modality, Query
from ml_backend.encoder_service import Answer, Ask, RemoteEncoders, _answer, _Service
from ml_backend.encoders.base import NotReady
from ml_backend.encoders.open_clip import OpenClip
from ml_backend.retriever import Retriever
from store import pools
from store.media import Media
from store.settings import Media as MediaSettings
from store.settings import OpenClip as Settings
from store.workspace import Workspace

LIMITS = MediaSettings(max_pixels=10_000)
TEXTS = ["a red square", "a blue circle", "", "green " * 200]


def load(model: Path, **choice: object) -> OpenClip:
    settings = Settings.model_validate({"model": f"local-dir:{model}", "threads": 1, **choice})
    return OpenClip(settings, Path("/"), LIMITS)


@pytest.fixture(scope="module")
def encoder(tiny_model: Path) -> OpenClip:
    return load(tiny_model)


def pictures(workspace: Workspace) -> list[str | bytes]:
    return [path.read_bytes() for path in sorted((workspace.root / "media").glob("*.png"))]


# the encoder


@pytest.mark.parametrize("modality", ["text", "image"])
def test_vectors_are_unit_rows_of_float32(encoder: OpenClip, tiny_indexed: Workspace, modality: Modality) -> None:
    contents = TEXTS if modality == "text" else pictures(tiny_indexed)
    vectors = encoder.encode(modality, contents)
    assert vectors.shape == (len(contents), tiny.DIM)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-6)


def test_a_vector_does_not_depend_on_its_batch(tiny_model: Path, encoder: OpenClip, tiny_indexed: Workspace) -> None:
    one_by_one = load(tiny_model, batch=1)
    images = pictures(tiny_indexed)
    assert encoder.encode("text", TEXTS) == pytest.approx(one_by_one.encode("text", TEXTS), abs=1e-5)
    assert encoder.encode("image", images) == pytest.approx(one_by_one.encode("image", images), abs=1e-5)


def test_the_fingerprint_stays_when_reloaded_and_differs_between_weights(
    tiny_model: Path, encoder: OpenClip, tmp_path: Path
) -> None:
    assert load(tiny_model, batch=3).fingerprint == encoder.fingerprint
    assert load(tiny.build_model(tmp_path / "other", seed=1)).fingerprint != encoder.fingerprint


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_unreadable(encoder: OpenClip, content: bytes) -> None:
    with pytest.raises(Unreadable, match="no picture"):
        encoder.encode("image", [content])


def test_a_picture_of_too_many_pixels_is_unreadable(encoder: OpenClip, tmp_path: Path) -> None:
    from PIL import Image

    Image.new("1", (101, 100)).save(tmp_path / "large.png")
    with pytest.raises(Unreadable, match="101 x 100 pixels"):
        encoder.encode("image", [(tmp_path / "large.png").read_bytes()])


def test_a_model_that_open_clip_does_not_know_is_mendable() -> None:
    with pytest.raises(Mendable, match="ViT-Z-9") as unknown:
        OpenClip(Settings(model="ViT-Z-9", pretrained="laion2b"), Path("/"), LIMITS)
    assert "local-dir:PATH" in unknown.value.mend


def test_a_hub_that_is_out_of_reach_is_told_in_one_sentence_without_noise(tmp_path: Path) -> None:
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:1", "HF_HOME": str(tmp_path)}
    (tmp_path / "settings.toml").write_text('[encoders.clip]\nmodel = "ViT-B-32"\npretrained = "laion2b_s34b_b79k"\n')
    (tmp_path / "corpus.jsonl").write_text('{"_id": "d", "text": "red"}\n')
    command = [sys.executable, "-c", "from ls_retrieval.cli import main; main()", "index", "-w", str(tmp_path)]
    done = subprocess.run(command, env={**os.environ, **nowhere}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "Error: The model 'ViT-B-32' is not on this machine, and the model hub cannot be reached.",
        "Mend: Connect to it for the first time of use, or copy a model here and name it local-dir:PATH.",
    ]


def test_a_missing_model_folder_is_named() -> None:
    with pytest.raises(Mendable, match="/nowhere/at/all"):
        load(Path("/nowhere/at/all"))


def test_a_model_without_weights_is_refused_instead_of_made_up() -> None:
    with pytest.raises(Mendable, match="weights"):
        OpenClip(Settings(model="ViT-S-32-alt"), Path("/"), LIMITS)


@pytest.mark.parametrize("name", ["open_clip_config.json", "open_clip_model.safetensors"])
def test_a_damaged_model_is_mendable(tmp_path: Path, name: str) -> None:
    model = tiny.build_model(tmp_path / "model")
    (model / name).write_bytes((model / name).read_bytes()[:100])
    with pytest.raises(Mendable, match="cannot be loaded"):
        load(model)


# the process


@pytest.fixture(scope="module")
def service(tiny_indexed: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RemoteEncoders]:
    """A real encoder process that has loaded its weights."""
    path = tmp_path_factory.mktemp("service") / "encoders"
    with subprocess.Popen([sys.executable, "-m", "ml_backend.encoder_service", tiny_indexed.root, path]) as process:
        try:
            remote = RemoteEncoders(path)
            wait_until(remote.ready)
            yield remote
        finally:
            process.terminate()


def wait_until(condition: object, seconds: float = 120) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_without_a_process_encoders_are_not_ready(tmp_path: Path) -> None:
    remote = RemoteEncoders(tmp_path / "nobody")
    assert not remote.ready()
    with pytest.raises(NotReady, match="does not answer"):
        remote.encode("clip", "text", ["red"])


def test_it_answers_that_it_is_loading_before_the_weights_are_there(tiny_indexed: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "encoders"
    with subprocess.Popen([sys.executable, "-m", "ml_backend.encoder_service", tiny_indexed.root, path]) as process:
        try:
            wait_until(path.exists)
            with pytest.raises(NotReady, match="still loading"):  # torch alone takes seconds to import
                RemoteEncoders(path).encode("clip", "text", ["red"])
            assert not RemoteEncoders(path).ready()
        finally:
            process.terminate()
    assert process.returncode == -signal.SIGTERM


def test_its_vectors_are_those_of_the_encoder(
    service: RemoteEncoders, encoder: OpenClip, tiny_indexed: Workspace
) -> None:
    assert service.encode("clip", "text", list(TEXTS)) == pytest.approx(encoder.encode("text", TEXTS), abs=1e-6)
    images = pictures(tiny_indexed)
    assert service.encode("clip", "image", images) == pytest.approx(encoder.encode("image", images), abs=1e-6)


def test_what_it_cannot_encode_comes_back_as_a_sentence(service: RemoteEncoders) -> None:
    with pytest.raises(Mendable, match="no picture"):
        service.encode("clip", "image", [b"no picture"])
    with pytest.raises(Mendable, match="no encoder 'other'"):
        service.encode("other", "text", ["red"])
    with pytest.raises(Mendable, match="reads image and text, not audio"):
        service.encode("clip", "audio", [b"RIFF"])


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\0",
        struct.pack(">I", 5) + b"\xc1\xc1\xc1\xc1\xc1",
        struct.pack(">I", 9) + b"short",
        struct.pack(">I", 2**32 - 1) + b"x",
        struct.pack(">I", 2) + msgspec.msgpack.encode({}),
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_garbage_does_not_kill_it(service: RemoteEncoders, frame: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(service._path))
        with contextlib.suppress(ConnectionError):  # it may hang up on what it has not read
            connection.sendall(frame)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(1) == b""
    assert service.ready()


def test_an_encoder_that_fails_keeps_nobody_waiting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with _Service(str(tmp_path / "socket"), None) as server:  # type: ignore[arg-type]
        server.encoders = {"table": tiny.Table({})}
        answer = _answer(server, Ask("table", "text", ["unknown"]))
    assert answer == Answer(error="The encoder 'table' failed; the backend's log says where.")
    assert "KeyError: 'unknown'" in capsys.readouterr().err


def test_a_model_that_cannot_be_loaded_is_told_and_never_ready(tiny_model: Path, tmp_path: Path) -> None:
    workspace = tiny.build_workspace(tmp_path / "w", tmp_path / "nowhere")
    path = tmp_path / "encoders"
    command = [sys.executable, "-m", "ml_backend.encoder_service", str(workspace.root), str(path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "no model folder" in process.stderr.readline()
        with pytest.raises(Mendable, match="no model folder"):
            RemoteEncoders(path).encode("clip", "text", ["red"])
        assert not RemoteEncoders(path).ready()
        process.kill()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:  # the socket file is still there
        assert process.stderr is not None
        assert "no model folder" in process.stderr.readline()
        process.kill()


# workers beside each other


def test_two_workers_make_the_same_pool_of_a_query(service: RemoteEncoders, tiny_workspace: Workspace) -> None:
    query = Query(query_id="live", text="something nobody has asked before")
    first, second = (Retriever(tiny_workspace.root, service) for _ in range(2))
    pool = first.propose(query, "image")
    assert second.propose(query, "image") == pool
    assert list(pools.load(tiny_workspace.pools).values()) == [pool]
    assert len(pool.candidates) == tiny_workspace.settings.pool.depth


def test_a_media_query_is_encoded_from_its_file(
    service: RemoteEncoders, encoder: OpenClip, tiny_indexed: Workspace
) -> None:
    media = Media(tiny_indexed.root, tiny_indexed.settings.media)
    query = Query(query_id="q", modality="image", uri="media/red-bar.png")
    expected = encoder.encode("image", [(tiny_indexed.root / query.uri).read_bytes()])[0]
    assert service.query(media)("clip", encoder.fingerprint, query) == pytest.approx(expected, abs=1e-6)
