"""A proxy on loopback before a real server, which does to chosen requests what networks do."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

import httpx

Fault = Literal["lost request", "lost answer", "cut answer", "slow answer", "too busy", "bad gateway"]
"""lost: the connection ends without a word, before the server heard it or after; cut: after half of the answer."""


@dataclass
class Faults:
    """What happens to the next requests that `hit` chooses, by method and path; and how many requests came.

    delay: seconds for which a slow answer is held back.
    """

    hit: Callable[[str, str], bool] = lambda method, path: False
    todo: list[Fault] = field(default_factory=list)
    seen: int = 0
    delay: float = 0.2

    def next(self, method: str, path: str) -> Fault | None:
        self.seen += 1
        return self.todo.pop(0) if self.todo and self.hit(method, path) else None


@contextmanager
def before(url: str) -> Iterator[tuple[str, Faults]]:
    """Run the proxy; gives its URL and what decides over its faults."""
    faults = Faults()

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            fault = faults.next(self.command, self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if fault == "lost request":
                self.close_connection = True
            elif fault in ("too busy", "bad gateway"):
                self._answer(429 if fault == "too busy" else 502, {"Retry-After": "0"}, b"", 0)
            else:
                self._forward(body, fault)

        do_POST = do_PATCH = do_DELETE = do_PUT = do_GET  # noqa: N815

        def _forward(self, body: bytes, fault: Fault | None) -> None:
            headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")}
            answer = client.request(self.command, url + self.path, content=body, headers=headers)
            kept = {k: v for k, v in answer.headers.items() if k.lower() in ("content-type", "set-cookie", "location")}
            if fault == "lost answer":
                self.close_connection = True
                return
            if fault == "slow answer":
                time.sleep(faults.delay)
            content = answer.content[: len(answer.content) // 2] if fault == "cut answer" else answer.content
            self._answer(answer.status_code, kept, content, len(answer.content))
            self.close_connection = fault == "cut answer"

        def _answer(self, status: int, headers: dict[str, str], content: bytes, length: int) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with httpx.Client(timeout=60, trust_env=False) as client, ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", faults
        finally:
            server.shutdown()
