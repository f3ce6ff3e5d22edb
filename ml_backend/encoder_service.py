"""The encoders in a process of their own, behind a Unix socket: web workers never import torch.

A frame is four bytes of length and that much MessagePack. The socket is listened on before the weights are loaded;
until then the answer is that they are loading.
"""

import contextlib
import os
import socket
import socketserver
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from label_configs.errors import Mendable
from label_configs.records import Modality, Query
from ml_backend import lifeline
from ml_backend.encoders.base import Encode, Encoder, NotReady, Vectors, unsupported
from store.media import Clip, Content, Media
from store.workspace import Workspace

_LIMIT = 256 * 1024 * 1024
_GLANCE = 0.3  # seconds; Label Studio gives /health one second
_RENEW = "Run `ls-retrieval index`, and start the backend again."


class Ask(msgspec.Struct):
    """What a worker asks: vectors of texts or of media; without either, what encoders there are.

    fingerprint: the space that the vectors must be of, where that matters.
    """

    encoder: str = ""
    modality: Modality = "text"
    texts: list[str] = []
    media: list[bytes | Clip] = []
    fingerprint: str = ""


class Known(msgspec.Struct, frozen=True):
    """A loaded encoder."""

    fingerprint: str
    modalities: frozenset[Modality]


class Answer(msgspec.Struct):
    """Vectors as float32 bytes of shape (-1, dim), or the encoders by name; or why not."""

    dim: int = 0
    vectors: bytes = b""
    encoders: dict[str, Known] = {}
    loading: bool = False
    error: str = ""


class RemoteEncoders:
    """The workers' side of the service."""

    def __init__(self, path: Path, timeout: float = 30.0) -> None:
        self._path, self._timeout = path, timeout

    def ready(self) -> bool:
        """Whether the weights are loaded."""
        try:
            answer = self._call(Ask(), timeout=_GLANCE)
        except NotReady:
            return False
        return not answer.loading and not answer.error

    def known(self) -> dict[str, Known]:
        """The encoders by name. Raises NotReady while weights load."""
        return self._ask(Ask()).encoders

    def encode(self, encoder: str, modality: Modality, contents: Sequence[Content], fingerprint: str = "") -> Vectors:
        """See Encoder.encode. Raises NotReady while weights load, Mendable for what cannot be encoded.

        fingerprint: that of the index that the vectors are for; those of another are refused.
        """
        texts = [content for content in contents if isinstance(content, str)]
        media = [content for content in contents if not isinstance(content, str)]
        answer = self._ask(Ask(encoder, modality, texts, media, fingerprint))
        return np.frombuffer(answer.vectors, dtype=np.float32).reshape(-1, answer.dim)

    def query(self, media: Media) -> Encode:
        """What a collection encodes new queries with."""

        def encode(name: str, fingerprint: str, query: Query) -> Vectors:
            return np.asarray(self.encode(name, query.modality, [media.content(query)], fingerprint)[0])

        return encode

    def _ask(self, ask: Ask) -> Answer:
        answer = self._call(ask)
        if answer.loading:
            raise NotReady("The model is still loading.", mend="Try again in some seconds.")
        if answer.error:
            raise Mendable(answer.error)
        return answer

    def _call(self, ask: Ask, timeout: float | None = None) -> Answer:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(timeout or self._timeout)
                connection.connect(str(self._path))
                _send(connection, msgspec.msgpack.encode(ask))
                return msgspec.msgpack.decode(_receive(connection), type=Answer)
        except (OSError, EOFError) as error:
            raise NotReady(f"The encoder process does not answer: {error}.") from error


class _Service(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    encoders: Mapping[str, Encoder] | None = None
    known: Mapping[str, Known] = {}
    failure = ""
    turn = threading.Lock()


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(OSError, EOFError, msgspec.MsgspecError):
            ask = msgspec.msgpack.decode(_receive(self.request), type=Ask)
            assert isinstance(self.server, _Service)  # noqa: S101 - narrows the type, not input
            _send(self.request, msgspec.msgpack.encode(_answer(self.server, ask)))


def _answer(service: _Service, ask: Ask) -> Answer:
    if service.encoders is None:
        return Answer(loading=not service.failure, error=service.failure)
    if not ask.texts and not ask.media:
        return Answer(encoders=dict(service.known))
    encoder = service.encoders.get(ask.encoder)
    if encoder is None:
        return Answer(error=f"There is no encoder {ask.encoder!r}.")
    if ask.modality not in encoder.modalities:
        return Answer(error=unsupported(ask.modality, encoder.modalities).line)
    if ask.fingerprint not in {"", encoder.fingerprint}:
        which = f"is of the model {encoder.fingerprint}, the index of {ask.fingerprint}"
        return Answer(error=f"The backend's encoder {ask.encoder!r} {which}: their vectors do not compare. {_RENEW}")
    try:
        with service.turn:
            vectors = encoder.encode(ask.modality, ask.texts or ask.media)
    except Mendable as error:
        return Answer(error=error.what)
    except Exception:
        traceback.print_exc()
        return Answer(error=f"The encoder {ask.encoder!r} failed; the backend's log says where.")
    return Answer(dim=vectors.shape[1], vectors=vectors.tobytes())


def _send(connection: socket.socket, frame: bytes) -> None:
    connection.sendall(len(frame).to_bytes(4, "big") + frame)


def _receive(connection: socket.socket) -> bytes:
    size = int.from_bytes(_exactly(connection, 4), "big")
    if size > _LIMIT:
        raise OSError(f"a frame of {size} bytes is too large")
    return _exactly(connection, size)


def _exactly(connection: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = connection.recv(min(1 << 20, size - len(parts)))
        if not part:
            raise EOFError("the other side closed the connection")
        parts += part
    return bytes(parts)


def run(workspace: Workspace, path: Path) -> None:
    """Listen, load the weights, answer until the process is stopped."""
    from ml_backend.library import encoder_settings, load_encoder

    lifeline.hold(os.getpid())
    path.unlink(missing_ok=True)
    with _Service(str(path), _Handler) as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        try:
            loaded = {name: load_encoder(workspace, name) for name in encoder_settings(workspace)}
            service.known = {name: Known(one.fingerprint, one.modalities) for name, one in loaded.items()}
            service.encoders = loaded
        except Mendable as error:
            service.failure = error.what
            print(error, file=sys.stderr)
        threading.Event().wait()


if __name__ == "__main__":
    run(Workspace(Path(sys.argv[1])), Path(sys.argv[2]))
