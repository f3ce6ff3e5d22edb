"""The web workers: gunicorn's threads, which no client holds up that sends half a request and no more."""

import errno
import socket
import time
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import TConn, ThreadWorker

HEAD = 5.0
"""Seconds that a client has for the head of a request."""
BODY = 60.0
"""Seconds that it has for the whole request, from when its head is there."""
_LONGEST = 64 * 1024
"""Bytes of a head; gunicorn refuses shorter ones."""
_END = b"\r\n\r\n"


class Worker(ThreadWorker):  # type: ignore[misc] # gunicorn ships no types
    """Gives a connection to a thread once the head of its request is there: whoever waits holds no thread.

    A body is read by a thread, after its sender's credentials were looked at, and for a limited time.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting: dict[TConn, float] = {}

    def enqueue_req(self, conn: TConn) -> None:
        """Wait for the head of a request; what was read of it already is with the parser."""
        if conn.initialized and conn.parser.unreader.buf.getvalue():
            self._begin(conn, b"")
            return
        conn.sock.setblocking(False)
        self._waiting[conn] = time.monotonic() + HEAD
        self.poller.register(conn.sock, EVENT_READ, partial(self._read, conn, bytearray()))

    def _read(self, conn: TConn, head: bytearray, sock: socket.socket) -> None:
        try:
            found = sock.recv(_LONGEST)
        except BlockingIOError:
            return
        except OSError:
            found = b""
        head += found
        if not found or _END in head or len(head) > _LONGEST:
            self._forget(conn)
            self._begin(conn, bytes(head)) if head else self._close(conn)

    def _begin(self, conn: TConn, head: bytes) -> None:
        """Let a thread answer. The head is looked at by gunicorn, whatever it is."""
        conn.init()
        begun = conn.parser.unreader.take_buffered() + head
        conn.parser.unreader = _Hurried(conn.sock, time.monotonic() + BODY, begun)
        conn.data_ready = True
        super().enqueue_req(conn)

    def murder_pending(self) -> None:
        """Close the connections whose heads did not come in time."""
        super().murder_pending()
        now = time.monotonic()
        for conn in [conn for conn, until in self._waiting.items() if until < now]:
            self._forget(conn)
            self._close(conn)

    def _forget(self, conn: TConn) -> None:
        del self._waiting[conn]
        self.poller.unregister(conn.sock)

    def _close(self, conn: TConn) -> None:
        self.nr_conns -= 1
        conn.close()


class _Hurried(SocketUnreader):  # type: ignore[misc] # gunicorn ships no types
    """Reads a socket until a time, and is then as if its other end had gone."""

    def __init__(self, sock: socket.socket, until: float, begun: bytes) -> None:
        super().__init__(sock)
        self._until = until
        self.unread(begun)

    def chunk(self, size_hint: int | None = None) -> bytes:
        """The next bytes, within the time that is left, or less where gunicorn gives less."""
        given = self.sock.gettimeout()
        self.sock.settimeout(min(given or BODY, max(self._until - time.monotonic(), 0.001)))
        try:
            return bytes(super().chunk(size_hint))
        except TimeoutError as error:
            self.sock.shutdown(socket.SHUT_RDWR)  # or gunicorn's loop waits for the other end
            raise ConnectionResetError(errno.ECONNRESET, "The request did not come in time.") from error
        finally:
            self.sock.settimeout(given)
