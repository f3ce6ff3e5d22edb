"""An ML backend as far as Label Studio's checks and events go, that a test can make slow, locked or deaf."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import shop
from shop import Handler, Shop


@contextmanager
def opened() -> Iterator[Shop]:
    """A backend that is well; `asked` holds what came to it."""
    with shop.opened() as server:
        server.answers["/health"] = _json(b'{"status": "UP"}')
        server.answers["/setup"] = _json(b'{"model_version": "v1"}')
        server.answers["/webhook"] = _json(b"{}")
        yield server


def slow(seconds: float) -> shop.Answer:
    def answer(handler: Handler) -> None:
        time.sleep(seconds)
        handler.send(body=b'{"status": "UP"}', Content_Type="application/json")

    return answer


def locked(handler: Handler) -> None:
    """Asks for a login that nobody has."""
    handler.send(401, b"{}", WWW_Authenticate="Basic")


def _json(body: bytes) -> shop.Answer:
    return lambda handler: handler.send(body=body, Content_Type="application/json")
