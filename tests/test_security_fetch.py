"""Media fetched by who means harm: no spelling of an address, no redirect and no path leads where nobody allowed it."""

import ipaddress
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import shop
from hypothesis import given, settings
from hypothesis import strategies as st
from reliability import Tally
from shop import Shop
from sync_world import make_workspace

from label_configs.errors import Mendable, Unreadable
from label_configs.records import Item
from ls_retrieval.doctor import browser
from store import places
from store.media import Media, local
from store.media.wire import is_public
from store.settings import Media as MediaSettings

SECRET = b"what nobody may fetch"
PRIVATE = ("127.0.0.1", "169.254.169.254", "10.0.0.1", "192.168.1.1", "172.16.0.1", "0.0.0.0", "100.64.0.1")  # noqa: S104
COUNTS = [100, pytest.param(5_000, marks=pytest.mark.long)]


def numbers(address: str) -> tuple[int, ...]:
    return tuple(ipaddress.IPv4Address(address).packed)


def spelt(address: str) -> list[str]:
    """The ways to write an IPv4 address that one resolver or another takes."""
    a, b, c, d = numbers(address)
    whole = int(ipaddress.IPv4Address(address))
    mapped = ipaddress.IPv6Address(f"::ffff:{address}")
    return [
        *(address, f"{address}.", str(whole), hex(whole), f"0{whole:o}", f"{a}.{b * 65536 + c * 256 + d}"),
        *(
            f"{a}.{b}.{c * 256 + d}",
            f"0{a:o}.0{b:o}.0{c:o}.0{d:o}",
            f"{a:#x}.{b:#x}.{c:#x}.{d:#x}",
            f"{a:#x}.{b}.0{c:o}.{d}",
        ),
        *(f"[{mapped}]", f"[::ffff:{address}]", f"[{mapped.exploded}]", f"[64:ff9b::{address}]", f"[::{address}]"),
        *(address.replace(".", "。"), address.translate(FULL_WIDTH), address.translate(CIRCLED)),
        *(
            f"cdn.example@{address}",
            f"{address}#@cdn.example",
            f"{address}%2f@cdn.example",
            f"cdn.example%00.{address}",
        ),
        *(f"{address}\\@cdn.example", f"cdn.example:80@{address}", f" {address}", f"{address}\t", f"%31{address[1:]}"),
    ]


FULL_WIDTH = str.maketrans("0123456789.", "０１２３４５６７８９．")
CIRCLED = str.maketrans("123456789", "①②③④⑤⑥⑦⑧⑨")
SPELLINGS = [(address, spelling) for address in PRIVATE for spelling in spelt(address)]


@pytest.fixture
def server() -> Iterator[Shop]:
    with shop.opened() as running:
        running.answers["/secret"] = lambda h: h.send(body=SECRET)
        yield running


def reader(root: Path, *allow: str, **more: Any) -> Media:
    times = {"connect_timeout": 0.5, "read_timeout": 0.5, "total_timeout": 1.0, "tries": 1}
    return Media(root, MediaSettings(allow=allow, **{**times, **more}))


def fetched(media: Media, uri: str) -> bytes | str:
    try:
        return media.read(Item(doc_id="d", modality="audio", uri=uri))
    except Mendable as error:
        return str(error)


@pytest.mark.parametrize("spelling", spelt("127.0.0.1"))
def test_however_this_machine_is_spelt_an_allowed_name_does_not_stand_for_it(
    server: Shop, tmp_path: Path, spelling: str
) -> None:
    """The spelling is even allowed, as if it were a name: what counts is the address that it leads to."""
    uri = f"http://{spelling}:{server.server_port}/secret"
    try:
        media = reader(tmp_path, uri)
    except ValueError:
        media = reader(tmp_path, "http://cdn.example/")
    found = fetched(media, uri)
    plain = spelling.strip().rstrip(".").translate({ord("。"): "."})
    named = places.parse(uri).host if _parses(uri) else ""
    assert found != SECRET or named == "127.0.0.1", plain
    assert (server.asked == []) == (found != SECRET)


def _parses(uri: str) -> bool:
    try:
        places.parse(uri)
    except Unreadable:
        return False
    return True


@pytest.mark.parametrize("scheme", ["http", "https", "HTTP"])
@pytest.mark.parametrize(("address", "spelling"), SPELLINGS)
def test_no_spelling_of_a_private_address_is_covered_by_an_allowed_host(
    address: str, spelling: str, scheme: str
) -> None:
    allow = ("http://cdn.example/", "https://cdn.example/", "s3://bucket/")
    with pytest.raises(Unreadable) as refused:
        places.check(f"{scheme}://{spelling}/latest/meta-data", allow)
    assert len(str(refused.value)) < 1_000


@pytest.mark.parametrize("address", PRIVATE)
def test_what_a_resolver_makes_of_a_spelling_is_known_to_be_private(address: str) -> None:
    for spelling in spelt(address):
        try:
            found = {str(entry[4][0]) for entry in socket.getaddrinfo(spelling.strip("[]"), 80)}
        except (OSError, UnicodeError):
            continue
        assert not any(map(is_public, found)), spelling


@pytest.mark.parametrize("spelling", [*spelt("127.0.0.1"), "localhost", "LOCALHOST.", "[::1]"])
def test_no_redirect_leads_there_either(server: Shop, tmp_path: Path, spelling: str) -> None:
    with shop.opened() as inner:
        inner.answers["/secret"] = lambda h: h.send(body=SECRET)
        target = f"http://{spelling}:{inner.server_port}/secret".encode().decode("latin-1")
        server.answers["/a"] = lambda h: h.send(302, Location=target.replace("\t", " "))
        found = fetched(reader(tmp_path, f"{server.url}/"), f"{server.url}/a")
        assert (found != SECRET, inner.asked) == (True, [])


@pytest.mark.parametrize(
    "scheme", ["file", "ftp", "gopher", "data", "dict", "jar", "ldap", "netdoc", "unix", "FILE", "php"]
)
def test_no_other_scheme_is_read(server: Shop, tmp_path: Path, scheme: str) -> None:
    (tmp_path / "secret").write_bytes(SECRET)
    for rest in (f"//{tmp_path}/secret", f"//localhost{tmp_path}/secret", f"{tmp_path}/secret", "//127.0.0.1:70/_x"):
        server.answers["/a"] = lambda h, to=f"{scheme}:{rest}": h.send(307, Location=to)  # type: ignore[misc]
        media = reader(tmp_path / "workspace", f"{server.url}/")
        assert SECRET not in (fetched(media, f"{scheme}:{rest}"), fetched(media, f"{server.url}/a"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace, and beside it a file and links to it that somebody has put inside."""
    (tmp_path / "secret.png").write_bytes(SECRET)
    workspace = tmp_path / "workspace"
    (workspace / "media").mkdir(parents=True)
    (workspace / "media" / "owl.png").write_bytes(b"owl")
    (workspace / "link.png").symlink_to(tmp_path / "secret.png")
    (workspace / "away").symlink_to(tmp_path, target_is_directory=True)
    (workspace / "loop.png").symlink_to("loop.png")
    (workspace / "chain.png").symlink_to("link.png")
    return workspace


@pytest.mark.parametrize("count", COUNTS)
def test_no_path_leads_out_of_the_workspace(root: Path, count: int, tally: Tally) -> None:
    steps = [
        "..",
        ".",
        "media",
        "away",
        "secret.png",
        "link.png",
        "chain.png",
        "loop.png",
        "owl.png",
        "",
        "%2e%2e",
        "..\\",
    ]
    steps += ["/", "~", "\x00", "．．", "..;", "\ud800", "x" * 300, str(root), str(root.parent), "etc", "passwd"]
    tried = []

    @settings(max_examples=count, deadline=None, database=None, derandomize=True)
    @given(st.lists(st.sampled_from(steps), min_size=1, max_size=6), st.sampled_from(["", "/", "//", "./", "\\"]))
    def attack(path: list[str], start: str) -> None:
        tried.append(path)
        with suppress(Unreadable):
            assert local.read(root, start + "/".join(path), 1_000) == b"owl"

    attack()
    tally.add(bad_inputs=len(tried), crashes=0)


def test_a_pipe_or_a_device_is_no_medium(root: Path) -> None:
    os.mkfifo(root / "pipe.png")
    (root / "zero.png").symlink_to("/dev/zero")
    for name in ("pipe.png", "zero.png", "media"):
        with pytest.raises(Unreadable):
            local.read(root, name, 1_000)


def test_the_doctor_is_led_nowhere_that_the_settings_do_not_name(server: Shop, tmp_path: Path) -> None:
    with shop.opened() as inner:
        server.answers["/a.png"] = lambda h: h.send(302, Location=f"{inner.url}/secret")
        workspace = make_workspace(tmp_path, settings=f'[media]\nallow = ["{server.url}/"]')
        seen: Any = SimpleNamespace(url="http://studio.example", workspace=workspace)
        finding = browser._look(seen, browser.Shown(f"{server.url}/a.png", "uri"), is_read=False)
        assert "which allow does not name" in finding.what
        assert inner.asked == []
