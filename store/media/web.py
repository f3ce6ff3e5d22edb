"""Media over http(s): bounded in time and size, every hop checked, tried again where that can help."""

import json
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote, urljoin, urlsplit

import httpcore
import tenacity

from label_configs.errors import Unreadable
from store import places
from store.media.base import Current, Fetched, Refused, Stamp, Unreachable, checked, gather
from store.media.wire import Deadline, Guarded
from store.places import Place
from store.settings import Media as MediaSettings

T = TypeVar("T")
Check = Callable[[str], Place]
"""Takes a URI apart that may be fetched; raises Unreadable for others."""
_HOPS = 5
_REDIRECTS = {301, 302, 303, 307, 308}
_REFUSED = {401, 403}
_LATER = {408, 425, 429, 500, 502, 503, 504}
_ANSWER = 1_000_000
_KEPT = "/%:@!$&'()*+,;=~?-._[]"
_WORDS: Mapping[type[Exception], str] = {
    httpcore.ConnectTimeout: "no connection in time",
    httpcore.ReadTimeout: "no answer in time",
    httpcore.ReadError: "the connection broke",
}
_BACKOFF = tenacity.wait_random_exponential(multiplier=0.25, max=10)


class Asked(NamedTuple):
    """A request. headers: go to the host of `uri` alone, not to where it redirects to."""

    uri: str
    check: Check
    stamp: Stamp = Stamp()
    headers: Mapping[str, str] = {}


class _Again(Exception):
    """What another try may mend; after: seconds that the server asks to wait."""

    def __init__(self, reason: str, after: float = 0.0) -> None:
        super().__init__(reason)
        self.after = after


class Web:
    """A client of its own connections, kept open between fetches. trusted: see `Guarded`. Safe in several threads."""

    def __init__(self, settings: MediaSettings, trusted: frozenset[tuple[str, int]] = frozenset()) -> None:
        self._settings, self._deadline = settings, Deadline()
        guarded = Guarded(self._deadline, trusted, allow_private=settings.allow_private)
        self._pool = httpcore.ConnectionPool(network_backend=guarded, http2=False)
        weakref.finalize(self, self._pool.close)

    def get(self, asked: Asked) -> Fetched:
        """Fetch a medium. Raises Current where it is still what its stamp stands for; Unreadable, Unreachable."""
        return self._repeatedly(asked.uri, lambda: self._follow(asked))

    def post(self, uri: str, content: Mapping[str, str]) -> dict[str, Any]:
        """Send JSON to a trusted host and read its answer. Raises Unreadable for any but a JSON object with 200."""
        return self._repeatedly(uri, lambda: self._post(uri, json.dumps(content).encode()))

    def _repeatedly(self, uri: str, once: Callable[[], T]) -> T:
        """Try until it works, the tries are spent, or the next one would begin too late."""
        total = self._settings.total_timeout
        self._deadline.at = time.monotonic() + total
        try:
            return tenacity.Retrying(
                retry=tenacity.retry_if_exception_type(_Again),
                stop=tenacity.stop_after_attempt(self._settings.tries) | tenacity.stop_before_delay(total),
                wait=_pause,
                reraise=True,
            )(once)
        except _Again as error:
            raise Unreachable(f"{places.named(uri)} does not arrive: {error}.", mend="Try again later.") from error

    def _follow(self, asked: Asked) -> Fetched:
        uri, origin = asked.uri, asked.check(asked.uri)[:3]
        for _ in range(_HOPS + 1):
            place = asked.check(uri)
            private = asked.headers if place[:3] == origin else {}
            with self._sent("GET", uri, place, {**private, **_conditions(asked.stamp)}) as answer:
                found = _headers(answer)
                if answer.status not in _REDIRECTS:
                    return self._medium(asked, answer, found)
            uri = urljoin(uri, found.get("location", ""))
        raise Unreadable(f"{places.named(asked.uri)} leads from one place to the next more than {_HOPS} times.")

    def _medium(self, asked: Asked, answer: httpcore.Response, found: Mapping[str, str]) -> Fetched:
        name, limit = places.named(asked.uri), self._settings.max_bytes
        if answer.status == 304 and asked.stamp != Stamp():
            raise Current
        if answer.status != 200:
            kind = Refused if answer.status in _REFUSED else Unreadable
            raise kind(f"{name} cannot be fetched: the server answers {answer.status}.")
        if found.get("content-encoding", "identity").lower() != "identity":
            raise Unreadable(f"{name} comes packed ({found['content-encoding'][:20]}), which was not asked for.")
        announced = found.get("content-length", "")
        if announced.isdigit():
            checked(name, int(announced), limit)
        stamp = Stamp(*(_repeatable(found.get(header, "")) for header in ("etag", "last-modified")))
        return Fetched(gather(name, answer.iter_stream(), limit), stamp)

    def _post(self, uri: str, content: bytes) -> dict[str, Any]:
        headers = {"Content-Type": "application/json", "Content-Length": str(len(content))}
        with self._sent("POST", uri, places.parse(uri), headers, content) as answer:
            said = gather(places.named(uri), answer.iter_stream(), _ANSWER)
        if answer.status != 200:
            raise Unreadable(f"{places.named(uri)} answers {answer.status}.")
        try:
            return dict(json.loads(said))
        except (ValueError, TypeError, RecursionError) as error:
            raise Unreadable(f"{places.named(uri)} does not answer with a JSON object.") from error

    @contextmanager
    def _sent(
        self, method: str, uri: str, place: Place, headers: Mapping[str, str], content: bytes | None = None
    ) -> Iterator[httpcore.Response]:
        """The answer to one request, its body still to be read. Raises _Again for what may be mended by itself."""
        parts, limits = urlsplit(uri), self._settings
        asked = f"?{quote(parts.query, safe=_KEPT)}" if parts.query else ""
        target = quote(parts.path or "/", safe=_KEPT) + asked
        url = httpcore.URL(scheme=place.scheme, host=place.host, port=place.port, target=target)
        own = {"Host": places.root(place).split("/")[2], "User-Agent": "ls-retrieval", "Accept-Encoding": "identity"}
        times = {"connect": limits.connect_timeout, "read": limits.read_timeout, "write": limits.read_timeout}
        try:
            with self._pool.stream(
                method, url, headers=[*(own | {**headers}).items()], content=content, extensions={"timeout": times}
            ) as answer:
                if answer.status in _LATER:
                    raise _Again(f"the server answers {answer.status}", _after(_headers(answer)))
                yield answer
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            raise _Again(_WORDS.get(type(error)) or str(error) or type(error).__name__) from error


def _conditions(stamp: Stamp) -> dict[str, str]:
    given = {"If-None-Match": stamp.etag, "If-Modified-Since": "" if stamp.etag else stamp.last_modified}
    return {name: value for name, value in given.items() if value}


def _headers(answer: httpcore.Response) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}


def _repeatable(value: str) -> str:
    """A header's value as it may be sent back."""
    return value if value.isascii() and value.isprintable() else ""


def _after(headers: Mapping[str, str]) -> float:
    """Seconds that Retry-After asks for, given as such or as a date."""
    said = headers.get("retry-after", "").strip()
    if said.isdigit():
        return float(said)
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0


def _pause(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return max(_BACKOFF(state), error.after if isinstance(error, _Again) else 0.0)
