"""Media from elsewhere: fetched from allowed places only, within limits, kept, and asked about again."""

import hashlib
import io
import os
import socket
import ssl
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import shop
import trustme
from obstore.store import ObjectStore
from shop import Handler, Shop

from label_configs.errors import Mendable, Unreadable
from label_configs.records import Item
from store import places
from store.media import Media, objects
from store.media.base import Stamp, Unreachable
from store.media.objects import Objects
from store.media.wire import is_public
from store.settings import Media as MediaSettings

BYTES = b"the bytes of a medium"


def sound(uri: str) -> Item:
    return Item(doc_id="d", modality="audio", uri=uri)


def refused(media: Media, uri: str) -> str:
    with pytest.raises(Unreadable) as caught:
        media.read(sound(uri))
    return str(caught.value)


@pytest.fixture
def server() -> Iterator[Shop]:
    with shop.opened() as running:
        yield running


@pytest.fixture
def reader(server: Shop, tmp_path: Path) -> Callable[..., Media]:
    """`reader(**settings)`: a reader that may fetch from the server."""

    def make(**settings: Any) -> Media:
        given = {"allow": (f"{server.url}/",), "fresh_for": 0, "connect_timeout": 5, "read_timeout": 5, **settings}
        return Media(tmp_path, MediaSettings(**given))

    return make


# --- which places


@pytest.mark.parametrize(
    ("entry", "uri"),
    [
        ("https://media.example.org/", "https://media.example.org/a/b.jpg"),
        ("https://media.example.org", "https://MEDIA.example.org.:443/a.jpg"),
        ("https://media.example.org/a", "https://media.example.org/a/b%20c.jpg?v=1#t=3"),
        ("https://media.example.org/a b/", "https://media.example.org/a%20b/c.jpg"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/x.jpg"),
        ("http://[::1]:8080/", "http://[0:0::1]:8080/x.jpg"),
        ("s3://bucket/prefix/", "s3://bucket/prefix/a b#c?.jpg"),
        ("az://container/", "azure-blob://container/x.jpg"),
    ],
)
def test_an_entry_covers_what_lies_below_it_however_it_is_spelt(entry: str, uri: str) -> None:
    assert places.check(uri, [entry]) == places.parse(uri)


@pytest.mark.parametrize(
    ("entry", "uri"),
    [
        ("https://media.example.org/", "http://media.example.org/a.jpg"),
        ("https://media.example.org/", "https://media.example.org:8443/a.jpg"),
        ("https://media.example.org/", "https://media.example.org.evil.example/a.jpg"),
        ("https://media.example.org/", "https://evil.example/https://media.example.org/a.jpg"),
        ("https://example.org/", "https://media.example.org/a.jpg"),
        ("https://media.example.org/a", "https://media.example.org/ab.jpg"),
        ("https://media.example.org/a/", "https://media.example.org/a%2Fb.jpg"),
        ("s3://bucket/prefix/", "s3://bucket/prefixed/a.jpg"),
        ("s3://bucket/", "gs://bucket/a.jpg"),
        ("http://127.0.0.1/", "http://2130706433/a.jpg"),
    ],
)
def test_an_entry_covers_nothing_else(entry: str, uri: str) -> None:
    with pytest.raises(Unreadable, match="no entry of allow covers it"):
        places.check(uri, [entry])


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc/passwd",
        "ftp://media.example.org/a.jpg",
        "https://user:secret@media.example.org/a.jpg",
        "https://media.example.org\\@evil.example/a.jpg",
        "s3://key:secret@bucket/a.jpg",
        "https:///a.jpg",
        "https://media.example.org:port/a.jpg",
        "http://[broken/a.jpg",
        "https://media.example.org/../secret",
        "https://media.example.org/a/%2e%2E/b",
        "https://media.example.org/a/%252e%252e/b",
        "https://media.example.org/a/..%2fb",
        "https://media.example.org/a/..%5cb",
        "s3://bucket/prefix/../secret",
        f"https://{'a' * 300}.example/x.jpg",
    ],
)
def test_other_schemes_credentials_and_climbing_paths_are_refused_whatever_is_allowed(uri: str) -> None:
    with pytest.raises(Unreadable) as caught:
        places.check(uri, ["https://media.example.org/", "s3://bucket/prefix/"])
    assert "secret@" not in str(caught.value)


def test_nothing_is_fetched_by_default_and_the_error_says_which_line_to_add(server: Shop, tmp_path: Path) -> None:
    said = refused(Media(tmp_path, MediaSettings()), f"{server.url}/a.mp3?token=secret")
    assert f'allow = ["{server.url}/"]' in said
    assert "secret" not in said
    more = Media(tmp_path, MediaSettings(allow=("s3://bucket/",)))
    assert f'allow = ["s3://bucket/", "{server.url}/"]' in refused(more, f"{server.url}/a.mp3")
    assert server.asked == []


ADDRESSES = {
    True: "8.8.8.8 2606:4700::1111 ::ffff:8.8.8.8 64:ff9b::808:808",
    False: "127.0.0.1 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 255.255.255.255 "
    "::1 :: fe80::1 fe80::1%eth0 fc00::1 ff0e::1 ::ffff:127.0.0.1 64:ff9b::a00:1 64:ff9b:1::a00:1 2002:7f00:1::",
}


@pytest.mark.parametrize(
    ("address", "public"), [(a, public) for public in ADDRESSES for a in ADDRESSES[public].split()]
)
def test_private_addresses_are_known_in_whatever_they_are_wrapped(address: str, public: bool) -> None:
    assert is_public(address) == public


def test_an_allowed_name_that_resolves_to_a_private_address_is_refused(
    server: Shop, reader: Callable[..., Media]
) -> None:
    server.answers["/a"] = lambda h: h.send(body=BYTES)
    uri = f"http://localhost:{server.server_port}/a"
    allow = (f"http://localhost:{server.server_port}/",)
    said = refused(reader(allow=allow), uri)
    assert "localhost is refused: it resolves to" in said
    assert "allow_private = true" in said
    assert server.asked == []
    assert reader(allow=allow, allow_private=True).read(sound(uri)) == BYTES


def test_a_name_is_resolved_once_and_that_very_address_is_connected_to(
    server: Shop, reader: Callable[..., Media], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved = []

    def resolve(host: str, port: int, *given: Any, **more: Any) -> list[Any]:
        resolved.append(host)
        public = "8.8.8.8" if len(resolved) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in (public, "127.0.0.1")]

    uri = f"http://rebound.example:{server.server_port}/a"
    allow = (f"http://rebound.example:{server.server_port}/",)
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert "rebound.example is refused: it resolves to 127.0.0.1" in refused(reader(allow=allow), uri)
    assert (resolved, server.asked) == (["rebound.example"], [])


def test_over_tls_the_certificate_must_be_the_names_although_an_address_is_connected_to(
    reader: Callable[..., Media], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    for name, works in (("localhost", True), ("other.example", False)):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(context)
        with shop.opened(context) as secure:
            secure.answers["/a"] = lambda h: h.send(body=BYTES)
            place = f"https://localhost:{secure.server_port}/"
            media = reader(allow=(place,), allow_private=True, tries=1)
            if works:
                assert media.read(sound(f"{place}a")) == BYTES
            else:
                assert "certificate verify failed" in refused(media, f"{place}a")


# --- redirects


def test_a_redirect_is_followed_to_an_allowed_place(server: Shop, reader: Callable[..., Media]) -> None:
    server.answers["/old/a"] = lambda h: h.send(302, Location="../new/a?x=1")
    server.answers["/new/a"] = lambda h: h.send(body=BYTES)
    assert reader().read(sound(f"{server.url}/old/a")) == BYTES
    assert [path for path, _ in server.asked] == ["/old/a", "/new/a?x=1"]


@pytest.mark.parametrize("target", ["{other}/a", "file:///etc/passwd", "http://169.254.169.254/latest/", "//u:p@h/a"])
def test_every_hop_is_held_against_the_same_list(server: Shop, reader: Callable[..., Media], target: str) -> None:
    with shop.opened() as other:
        other.answers["/a"] = lambda h: h.send(body=BYTES)
        server.answers["/a"] = lambda h: h.send(301, Location=target.format(other=other.url))
        refused(reader(), f"{server.url}/a")
        assert (len(server.asked), other.asked) == (1, [])


def test_redirects_in_a_circle_end(server: Shop, reader: Callable[..., Media]) -> None:
    server.answers["/a"] = lambda h: h.send(302, Location="/a")
    assert "from one place to the next more than 5 times" in refused(reader(), f"{server.url}/a")
    assert len(server.asked) == 6


# --- sizes


def test_a_medium_may_have_the_most_bytes_allowed_and_not_one_more(server: Shop, reader: Callable[..., Media]) -> None:
    server.answers["/a"] = lambda h: h.send(body=BYTES)
    assert reader(max_bytes=len(BYTES)).read(sound(f"{server.url}/a")) == BYTES
    said = refused(reader(max_bytes=len(BYTES) - 1), f"{server.url}/a")
    assert f"has {len(BYTES)} bytes; at least 1 and at most {len(BYTES) - 1} are read" in said


def test_an_empty_medium_is_refused(server: Shop, reader: Callable[..., Media]) -> None:
    server.answers["/a"] = lambda h: h.send()
    assert "has 0 bytes" in refused(reader(), f"{server.url}/a")


def endless(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    while True:
        handler.wfile.write(bytes(10_000))


def test_an_endless_answer_is_left_at_the_limit(server: Shop, reader: Callable[..., Media]) -> None:
    server.answers["/a"] = endless
    assert "has more than 50000 bytes" in refused(reader(max_bytes=50_000), f"{server.url}/a")


def test_an_answer_shorter_than_announced_is_tried_again_and_never_kept(
    server: Shop, reader: Callable[..., Media], tmp_path: Path
) -> None:
    def short(handler: Handler) -> None:
        handler.send(body=BYTES, Content_Length=str(len(BYTES) + 1))
        handler.close_connection = True

    server.answers["/a"] = short
    assert "does not arrive" in refused(reader(tries=2), f"{server.url}/a")
    assert len(server.asked) == 2
    assert not (tmp_path / "media").exists()


def test_an_answer_longer_than_announced_ends_where_it_was_announced(
    server: Shop, reader: Callable[..., Media]
) -> None:
    server.answers["/a"] = lambda h: h.send(body=BYTES, Content_Length="3")
    assert reader().read(sound(f"{server.url}/a")) == BYTES[:3]


def test_a_packed_answer_is_refused_and_not_blown_up(server: Shop, reader: Callable[..., Media]) -> None:
    server.answers["/a"] = lambda h: h.send(body=BYTES, Content_Encoding="gzip")
    assert "comes packed (gzip)" in refused(reader(), f"{server.url}/a")
    assert server.asked[0][1]["Accept-Encoding"] == "identity"


# --- times


def drip(handler: Handler) -> None:
    """A byte now and again: every single read is in time."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(1000):
        handler.wfile.write(b"x")
        time.sleep(0.05)


def drip_headers(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(1000):
        handler.wfile.write(f"X-{number}: x\r\n".encode())
        time.sleep(0.05)


@pytest.mark.parametrize("answer", [drip, drip_headers, lambda h: time.sleep(3)], ids=["body", "headers", "silence"])
def test_no_medium_takes_longer_than_the_total_timeout(
    server: Shop, reader: Callable[..., Media], answer: shop.Answer
) -> None:
    server.answers["/a"] = answer
    begun = time.monotonic()
    assert "does not arrive" in refused(reader(total_timeout=0.5), f"{server.url}/a")
    assert time.monotonic() - begun < 2.9


def test_a_server_that_says_nothing_is_left_after_the_read_timeout(server: Shop, reader: Callable[..., Media]) -> None:
    server.answers["/a"] = lambda h: time.sleep(3)
    begun = time.monotonic()
    assert "no answer in time" in refused(reader(read_timeout=0.3, tries=1), f"{server.url}/a")
    assert time.monotonic() - begun < 2.9


def test_nobody_listens(reader: Callable[..., Media]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        place = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        assert "does not arrive" in refused(reader(allow=(place,), tries=2), f"{place}a")


# --- tries


def failing(times: int, status: int, after: str = "0") -> shop.Answer:
    left = [times]

    def answer(handler: Handler) -> None:
        left[0] -= 1
        handler.send(status, Retry_After=after) if left[0] >= 0 else handler.send(body=BYTES)

    return answer


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_mend_itself_is_tried_again(server: Shop, reader: Callable[..., Media], status: int) -> None:
    server.answers["/a"] = failing(2, status)
    assert reader(tries=3).read(sound(f"{server.url}/a")) == BYTES
    server.answers["/b"] = failing(2, status)
    assert f"the server answers {status}" in refused(reader(tries=2), f"{server.url}/b")


@pytest.mark.parametrize("status", [204, 206, 304, 400, 401, 403, 404, 410])
def test_what_does_not_is_not(server: Shop, reader: Callable[..., Media], status: int) -> None:
    server.answers["/a"] = failing(9, status)
    assert f"the server answers {status}" in refused(reader(), f"{server.url}/a")
    assert len(server.asked) == 1


@pytest.mark.parametrize("wait", ["1", "date"])
def test_retry_after_is_waited_for(server: Shop, reader: Callable[..., Media], wait: str) -> None:
    asked_for = formatdate(time.time() + 2, usegmt=True) if wait == "date" else wait
    server.answers["/a"] = failing(1, 429, asked_for)
    begun = time.monotonic()
    assert reader().read(sound(f"{server.url}/a")) == BYTES
    assert time.monotonic() - begun >= 0.9


@pytest.mark.parametrize("wait", ["3600", "x", "-1", "99999999999999999999"])
def test_who_asks_to_wait_longer_than_the_total_timeout_or_nonsense_holds_nobody_up(
    server: Shop, reader: Callable[..., Media], wait: str
) -> None:
    server.answers["/a"] = failing(9, 503, wait)
    begun = time.monotonic()
    assert "the server answers 503" in refused(reader(tries=2), f"{server.url}/a")
    assert time.monotonic() - begun < 10


# --- the cache


def versioned(etag: str, body: bytes) -> shop.Answer:
    return lambda h: h.send(304) if h.headers["If-None-Match"] == etag else h.send(body=body, ETag=etag)


def test_a_fresh_copy_is_used_without_asking(server: Shop, reader: Callable[..., Media]) -> None:
    server.answers["/a"] = versioned('"1"', BYTES)
    media = reader(fresh_for=3600)
    assert [media.read(sound(f"{server.url}/a")) for _ in range(2)] == [BYTES, BYTES]
    assert reader(fresh_for=3600).read(sound(f"{server.url}/a")) == BYTES
    assert len(server.asked) == 1


def test_an_older_copy_is_asked_about_by_its_etag_and_replaced_when_it_has_changed(
    server: Shop, reader: Callable[..., Media]
) -> None:
    uri = f"{server.url}/a"
    server.answers["/a"] = versioned('"1"', BYTES)
    assert [reader().read(sound(uri)) for _ in range(2)] == [BYTES, BYTES]
    server.answers["/a"] = versioned('"2"', b"new")
    assert [reader().read(sound(uri)) for _ in range(2)] == [b"new", b"new"]
    assert [headers.get("If-None-Match") for _, headers in server.asked] == [None, '"1"', '"1"', '"2"']


def test_without_an_etag_the_date_is_asked_about(server: Shop, reader: Callable[..., Media]) -> None:
    date = formatdate(1e9, usegmt=True)
    server.answers["/a"] = lambda h: (
        h.send(304) if h.headers["If-Modified-Since"] == date else h.send(body=BYTES, Last_Modified=date)
    )
    assert [reader().read(sound(f"{server.url}/a")) for _ in range(2)] == [BYTES, BYTES]
    assert [headers.get("If-Modified-Since") for _, headers in server.asked] == [None, date]


def test_a_copy_serves_while_its_place_is_down_and_no_longer_when_it_is_gone(
    server: Shop, reader: Callable[..., Media]
) -> None:
    uri = f"{server.url}/a"
    server.answers["/a"] = versioned('"1"', BYTES)
    assert reader().read(sound(uri)) == BYTES
    server.answers["/a"] = lambda h: h.send(503)
    assert reader(tries=1).read(sound(uri)) == BYTES
    server.answers["/a"] = lambda h: h.send(404)
    assert "the server answers 404" in refused(reader(), uri)


def test_a_copy_from_a_place_that_is_no_longer_allowed_is_not_used(server: Shop, reader: Callable[..., Media]) -> None:
    server.answers["/a"] = versioned('"1"', BYTES)
    reader().read(sound(f"{server.url}/a"))
    assert "no entry of allow covers it" in refused(reader(allow=(), fresh_for=3600), f"{server.url}/a")


@pytest.mark.parametrize("damage", [b"", b"other bytes, of another medium"])
def test_a_damaged_copy_is_fetched_anew(
    server: Shop, reader: Callable[..., Media], tmp_path: Path, damage: bytes
) -> None:
    server.answers["/a"] = versioned('"1"', BYTES)
    media = reader(fresh_for=3600)
    media.read(sound(f"{server.url}/a"))
    for path in (tmp_path / "media" / "cache").rglob("*"):
        if path.is_file():
            path.write_bytes(damage)
            assert media.read(sound(f"{server.url}/a")) == BYTES


def test_two_uris_of_one_content_share_one_copy(server: Shop, reader: Callable[..., Media], tmp_path: Path) -> None:
    server.answers["/a"] = server.answers["/b"] = lambda h: h.send(body=BYTES)
    for name in ("a", "b"):
        reader().read(sound(f"{server.url}/{name}"))
    copies = [p for p in (tmp_path / "media" / "cache").rglob("*") if p.is_file() and p.suffix != ".json"]
    assert [path.read_bytes() for path in copies] == [BYTES]


READ = """
import sys
from pathlib import Path
from label_configs.records import Item
from store.media import Media
from store.settings import Media as MediaSettings
media = Media(Path(sys.argv[1]), MediaSettings(allow=(sys.argv[2],), fresh_for=0))
for number in range(10):
    assert media.read(Item(doc_id="d", modality="audio", uri=f"{sys.argv[2]}{number % 3}")) == b"x" * 100_000
"""


def test_several_processes_read_through_one_cache_at_the_same_time(server: Shop, tmp_path: Path) -> None:
    for name in ("/0", "/1", "/2"):
        server.answers[name] = versioned(f'"{name}"', b"x" * 100_000)
    command = [sys.executable, "-c", READ, str(tmp_path), f"{server.url}/"]
    children = [subprocess.Popen(command) for _ in range(3)]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    left = [p.name for p in (tmp_path / "media").rglob("*") if p.is_file()]
    assert len(left) == 4
    assert not any(name.startswith(".") for name in left)


# --- the cache's size

MB = 1_000_000


NAMES = {hashlib.sha256(name.encode() * MB).hexdigest(): name for name in "abcdef"}


def kept(folder: Path) -> str:
    """The letters that the copies are made of; nothing is read, which would be a use."""
    found = [path.name for path in (folder / "media" / "cache").rglob("*") if path.is_file() and path.suffix != ".json"]
    return "".join(sorted(NAMES.get(name, "?") for name in found))


def age(folder: Path, seconds: float) -> None:
    """Make everything in the cache older, written and used so long ago."""
    for path in (folder / "media" / "cache").rglob("*"):
        status = path.stat()
        os.utime(path, (status.st_atime - seconds, status.st_mtime - seconds))


def test_of_too_many_copies_those_that_were_used_longest_ago_go(
    server: Shop, reader: Callable[..., Media], tmp_path: Path
) -> None:
    for name in "abcdef":
        server.answers[f"/{name}"] = lambda h: h.send(body=h.path[1:].encode() * MB)
    media = reader(cache_bytes=5 * MB, fresh_for=1e6)
    for name in "abcd":
        media.read(sound(f"{server.url}/{name}"))
    age(tmp_path, 1000)
    media.read(sound(f"{server.url}/a"))
    age(tmp_path, 1000)
    assert kept(tmp_path) == "abcd"
    for name in "ef":
        media.read(sound(f"{server.url}/{name}"))
    assert kept(tmp_path) == "adef"  # six are more than 5 MB, four within nine tenths of it
    asked = len(server.asked)
    assert media.read(sound(f"{server.url}/a"))[:1] == b"a"
    assert len(server.asked) == asked
    assert media.read(sound(f"{server.url}/b")) == b"b" * MB
    assert len(server.asked) == asked + 1


def test_what_is_in_use_or_being_written_is_kept_whatever_the_limit(
    server: Shop, reader: Callable[..., Media], tmp_path: Path
) -> None:
    for name in "abc":
        server.answers[f"/{name}"] = lambda h: h.send(body=h.path[1:].encode() * MB)
    written = tmp_path / "media" / "cache" / "aa" / ".somebody.x"
    written.parent.mkdir(parents=True)
    written.write_bytes(b"w" * MB)
    os.utime(written, (time.time() - 3600, time.time() - 3600))
    media = reader(cache_bytes=MB)
    for name in "abc":
        assert media.read(sound(f"{server.url}/{name}")) == name.encode() * MB
    assert kept(tmp_path) == "?abc"
    age(tmp_path, 100_000)
    media.read(sound(f"{server.url}/a"))
    assert kept(tmp_path) == "a"


def test_several_processes_read_and_trim_one_cache_at_the_same_time(server: Shop, tmp_path: Path) -> None:
    for name in "0123456789":
        server.answers[f"/{name}"] = lambda h: h.send(body=h.path[1:].encode() * 100_000)
    command = [sys.executable, "-c", TRIM, str(tmp_path), f"{server.url}/"]
    children = [subprocess.Popen(command) for _ in range(3)]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    left = [path for path in (tmp_path / "media").rglob("*") if path.is_file()]
    assert 0 < sum(path.stat().st_size for path in left) < 600_000
    assert not any(path.name.startswith(".") for path in left)


TRIM = """
import sys
from pathlib import Path
from label_configs.records import Item
from store.media import Media, trim
from store.settings import Media as MediaSettings
trim._IN_USE = 0.0  # nothing is spared
media = Media(Path(sys.argv[1]), MediaSettings(allow=(sys.argv[2],), cache_bytes=500_000))
for number in range(100):
    name = str(number * 7 % 10)
    assert media.read(Item(doc_id="d", modality="audio", uri=sys.argv[2] + name)) == name.encode() * 100_000
"""


# --- Label Studio

JWT = "head.body.sign"


@pytest.fixture
def studio_stand_in(server: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Speaks as Label Studio does of tokens and uploads; older ones lead a stranger to their login page."""

    def is_known(handler: Handler) -> bool:
        return handler.headers["Authorization"] in {"Token legacy", "Bearer access"}

    def upload(handler: Handler) -> None:
        handler.send(body=BYTES) if is_known(handler) else handler.send(401, b'{"detail": "no"}')

    def local(handler: Handler) -> None:
        handler.send(body=BYTES) if is_known(handler) else handler.send(302, Location="/user/login/?next=/data/")

    def refresh(handler: Handler) -> None:
        known = handler.body == f'{{"refresh": "{JWT}"}}'.encode()
        handler.send(body=b'{"access": "access"}') if known else handler.send(401, b'{"detail": "no"}')

    server.answers |= {"/data/upload/1/a.mp3": upload, "/api/token/refresh/": refresh}
    server.answers["/data/local-files/"] = local
    monkeypatch.setenv("LABEL_STUDIO_URL", f"http://localhost:{server.server_port}/")
    return server


@pytest.mark.parametrize(("key", "requests_made"), [("legacy", 2), (JWT, 3)])
def test_an_upload_is_fetched_with_a_legacy_token_or_with_one_that_is_refreshed_once(
    studio_stand_in: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, requests_made: int
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", key)
    media = Media(tmp_path, MediaSettings(fresh_for=0))
    assert media.read(sound("/data/upload/1/a.mp3")) == BYTES
    assert media.read(sound("/data/local-files/?d=sub/a%20b.mp3")) == BYTES
    assert len(studio_stand_in.asked) == requests_made
    assert studio_stand_in.asked[-1][0] == "/data/local-files/?d=sub/a%20b.mp3"


@pytest.mark.parametrize("key", ["wrong", "wrong.as.jwt"])
def test_a_token_that_label_studio_does_not_take_is_told_as_such(
    studio_stand_in: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", key)
    for uri in ("/data/upload/1/a.mp3", "/data/local-files/?d=a.mp3"):
        said = refused(Media(tmp_path, MediaSettings()), uri)
        assert "does not give its media to this token" in said
        assert key not in said.replace("It is wrong or revoked", "")


def test_the_token_goes_to_label_studio_alone(
    studio_stand_in: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "legacy")
    with shop.opened() as bucket:
        bucket.answers["/a"] = lambda h: h.send(body=BYTES)
        studio_stand_in.answers["/data/upload/1/b.mp3"] = lambda h: h.send(302, Location=f"{bucket.url}/a")
        assert "no entry of allow" in refused(Media(tmp_path, MediaSettings()), "/data/upload/1/b.mp3")
        media = Media(tmp_path, MediaSettings(allow=(f"{bucket.url}/",)))
        assert media.read(sound("/data/upload/1/b.mp3")) == BYTES
        assert [headers.get("Authorization") for _, headers in bucket.asked] == [None]


@pytest.mark.parametrize("uri", ["/data/upload/../../api/users", "/data/upload/%2e%2e/%2e%2e/api/users"])
def test_no_uri_makes_the_token_read_anything_but_media(
    studio_stand_in: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "legacy")
    assert "is refused" in refused(Media(tmp_path, MediaSettings()), uri)
    assert studio_stand_in.asked == []


def test_without_label_studios_address_an_upload_is_unreadable_and_says_what_to_set(tmp_path: Path) -> None:
    assert "LABEL_STUDIO_URL is not set" in refused(Media(tmp_path, MediaSettings()), "/data/upload/1/a.mp3")


def test_a_local_file_of_label_studio_is_read_from_disk_where_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a b.mp3").write_bytes(BYTES)
    (tmp_path / "..secret").write_bytes(BYTES)
    media = Media(tmp_path / "workspace", MediaSettings(document_root=".."))
    assert media.read(sound("/data/local-files/?d=sub/a%20b.mp3")) == BYTES
    inner = Media(tmp_path / "workspace", MediaSettings(document_root="."))
    assert "LABEL_STUDIO_URL is not set" in refused(inner, "/data/local-files/?d=../sub/a%20b.mp3")


# --- buckets


def test_an_object_is_fetched_kept_and_asked_about_by_its_etag(bucket: ObjectStore, tmp_path: Path) -> None:
    bucket.put("sub/a b#.mp3", BYTES)
    media = Media(tmp_path, MediaSettings(allow=("s3://media/sub/",), fresh_for=0))
    uri = "s3://media/sub/a b#.mp3"
    assert [media.read(sound(uri)) for _ in range(2)] == [BYTES, BYTES]
    bucket.put("sub/a b#.mp3", b"new")
    assert media.read(sound(uri)) == b"new"


def test_of_a_bucket_what_is_missing_too_large_or_not_allowed_is_refused(bucket: ObjectStore, tmp_path: Path) -> None:
    bucket.put("large.mp3", bytes(1000))
    media = Media(tmp_path, MediaSettings(allow=("s3://media/",), max_bytes=999))
    assert "has 1000 bytes; at least 1 and at most 999 are read" in refused(media, "s3://media/large.mp3")
    assert "There is no s3://media/none.mp3" in refused(media, "s3://media/none.mp3")
    assert "no entry of allow covers it" in refused(media, "s3://other/a.mp3")


def test_a_bucket_without_an_account_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    media = Media(tmp_path, MediaSettings(allow=("az://container/",)))
    assert "Account must be specified" in refused(media, "azure-blob://container/a.mp3")


# --- archives in buckets


def archive(members: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return made.getvalue()


SHARD = "s3://media/shards/0001.tar"


def sharded(folder: Path, **more: Any) -> Media:
    return Media(folder, MediaSettings(allow=("s3://media/shards/",), **more))


def test_members_of_an_archive_in_a_bucket_are_read_from_one_copy_of_it(
    bucket: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = {f"{n:04d}.mp3": os.urandom(1000) for n in range(20)}
    bucket.put("shards/0001.tar", archive({**members, "sub/../a b#.jpg": BYTES}))
    media = sharded(tmp_path)
    assert media.read(sound(f"{SHARD}#0000.mp3")) == members["0000.mp3"]
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # nobody is there any more
    for again in (media, sharded(tmp_path)):
        assert [again.read(sound(f"{SHARD}#{name}")) for name in members] == [*members.values()]
        assert again.read(sound(f"{SHARD}#sub/../a b#.jpg")) == BYTES


def test_an_archive_larger_than_a_part_is_fetched_in_parts(
    bucket: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = {f"{n:04d}.mp3": os.urandom(1000) for n in range(20)}
    whole = archive(members)
    bucket.put("shards/0001.tar", whole)
    for size in (len(whole) - 1, len(whole), len(whole) + 1, 7001):
        monkeypatch.setattr(objects, "_PART", size)
        media = sharded(tmp_path / str(size), max_bytes=1000)
        assert [media.read(sound(f"{SHARD}#{name}")) for name in members] == [*members.values()]


def test_an_archive_is_asked_about_and_replaced_when_it_has_changed(bucket: ObjectStore, tmp_path: Path) -> None:
    bucket.put("shards/0001.tar", archive({"a.mp3": b"old"}))
    media = sharded(tmp_path, fresh_for=0)
    assert [media.read(sound(f"{SHARD}#a.mp3")) for _ in range(2)] == [b"old", b"old"]
    bucket.put("shards/0001.tar", archive({"b.mp3": bytes(5000), "a.mp3": b"newer"}))
    assert media.read(sound(f"{SHARD}#a.mp3")) == b"newer"


def test_a_version_that_is_replaced_while_it_arrives_is_not_mixed_with_the_next(
    bucket: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("shards/0001.tar", archive({"a.mp3": b"old" * 1000}))
    monkeypatch.setattr(objects, "_PART", 1000)
    arriving = Objects(MediaSettings(allow=("s3://media/",))).archive(SHARD, Stamp())
    next(arriving.pieces)
    bucket.put("shards/0001.tar", archive({"a.mp3": b"new" * 1000}))
    with pytest.raises(Unreachable, match="does not arrive"):
        next(arriving.pieces)


def test_of_an_archive_in_a_bucket_what_is_missing_damaged_too_large_or_not_allowed_is_refused(
    bucket: ObjectStore, tmp_path: Path
) -> None:
    whole = archive({"a.mp3": b"whole", "empty.mp3": b"", "large.mp3": bytes(1000)})
    bucket.put("shards/0001.tar", whole)
    bucket.put("shards/0002.tar", whole[:2100])
    bucket.put("shards/0003.tar", b"no archive at all" * 100)
    media = sharded(tmp_path, max_bytes=999)
    for uri, said in {
        f"{SHARD}#b.mp3": f"{SHARD} has no file b.mp3",
        f"{SHARD}#empty.mp3": f"{SHARD}#empty.mp3 has 0 bytes",
        f"{SHARD}#large.mp3": f"{SHARD}#large.mp3 has 1000 bytes; at least 1 and at most 999 are read",
        "s3://media/shards/0002.tar#large.mp3": "0002.tar has no file large.mp3",
        "s3://media/shards/0003.tar#a.mp3": "0003.tar has no file a.mp3",
        "s3://media/shards/none.tar#a.mp3": "There is no s3://media/shards/none.tar",
        "s3://media/0001.tar#a.mp3": "no entry of allow covers it",
        "s3://media/shards/../0001.tar#a.mp3": "is refused",
    }.items():
        assert said in refused(media, uri)
    assert media.read(sound("s3://media/shards/0002.tar#a.mp3")) == b"whole"
    said = refused(sharded(tmp_path / "other", cache_bytes=len(whole) - 1), f"{SHARD}#a.mp3")
    assert "raise cache_bytes under [media]" in said


def test_sound_in_an_archive_in_a_bucket_is_put_where_browsers_get_it(bucket: ObjectStore, tmp_path: Path) -> None:
    bucket.put("shards/0001.tar", archive({"a.mp3": BYTES}))
    shown = sharded(tmp_path).shown(sound(f"{SHARD}#a.mp3"))
    assert shown.startswith("/data/local-files/?d=media/thumbs/")
    assert (tmp_path / shown.partition("=")[2]).read_bytes() == BYTES
    with pytest.raises(Mendable, match="The browser cannot reach"):
        sharded(tmp_path, serve="http").shown(sound(f"{SHARD}#a.mp3"))


# --- buckets that do not answer


def test_a_bucket_that_does_not_answer_is_unreachable_and_a_copy_serves_meanwhile(
    bucket: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("kept.mp3", BYTES)
    settings = MediaSettings(allow=("s3://media/",), fresh_for=0, tries=1, total_timeout=2)
    assert Media(tmp_path, settings).read(sound("s3://media/kept.mp3")) == BYTES
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert Media(tmp_path, settings).read(sound("s3://media/kept.mp3")) == BYTES
    assert "does not arrive" in refused(Media(tmp_path, settings), "s3://media/other.mp3")
