"""A real S3 server for the tests: OpenStack Swift with its S3 interface, four processes on loopback.

It checks signatures, knows multipart uploads and `If-None-Match`, and answers 501 to `If-Match`.
"""

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import requests

SECRETS = {"AWS_ACCESS_KEY_ID": "test:tester", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-east-1"}
_PIPELINE = "catch_errors gatekeeper healthcheck cache listing_formats bulk s3api tempauth slo dlo versioned_writes"
_STORAGE = """\
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
user = {user}
swift_dir = {etc}
devices = {root}
mount_check = false
workers = 0
log_address = /nowhere
fallocate_reserve = 0
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""
_PROXY = """\
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
user = {user}
swift_dir = {etc}
workers = 0
log_address = /nowhere
[pipeline:main]
pipeline = {pipeline} proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:s3api]
use = egg:swift#s3api
s3_acl = false
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:1
"""


@contextmanager
def running_swift(root: Path) -> Iterator[Mapping[str, str]]:
    """Start the servers with their data below `root`; gives the environment that clients need. Stopped at exit."""
    etc = root / "etc"
    (root / "disk").mkdir(parents=True)
    etc.mkdir()
    ports = dict(zip(("account", "container", "object", "proxy"), _free(4), strict=True))
    (etc / "swift.conf").write_text("[swift-hash]\nswift_hash_path_prefix = a\nswift_hash_path_suffix = b\n")
    with ExitStack() as stack:
        for kind, port in ports.items():
            about = {"kind": kind, "port": port, "user": getpass.getuser(), "etc": etc, "root": root}
            (etc / f"{kind}-server.conf").write_text(_config(kind).format(pipeline=_PIPELINE, **about))
            if kind != "proxy":
                _ring(etc, kind, port)
        for kind in ports:
            stack.enter_context(_server(kind, etc))
        url = f"http://127.0.0.1:{ports['proxy']}"
        _await(f"{url}/healthcheck")
        yield {**SECRETS, "AWS_ENDPOINT_URL": url, "AWS_ALLOW_HTTP": "true"}


@contextmanager
def in_memory(otherwise: Path) -> Iterator[Path]:
    """A folder in memory, where Linux has one that keeps extended attributes: Swift syncs every write to the disk."""
    memory = Path("/dev", "shm")
    if not memory.is_dir():
        yield otherwise
        return
    with TemporaryDirectory(dir=memory) as folder:
        try:
            os.setxattr(folder, "user.try", b"1")
        except OSError:
            yield otherwise
        else:
            yield Path(folder)


def make_bucket(environment: Mapping[str, str], name: str) -> None:
    """Make a bucket, which is no business of the tool's."""
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
    client.create_bucket(Bucket=name)
    client.close()


def _config(kind: str) -> str:
    names = [name for name in _PIPELINE.split() if f"[filter:{name}]" not in _PROXY]
    return _PROXY + "".join(f"[filter:{n}]\nuse = egg:swift#{n}\n" for n in names) if kind == "proxy" else _STORAGE


def _ring(etc: Path, kind: str, port: int) -> None:
    """A ring of one device that holds everything once."""
    from swift.common.ring import RingBuilder

    builder = RingBuilder(2, 1, 1)
    place = {"ip": "127.0.0.1", "port": port, "replication_ip": "127.0.0.1", "replication_port": port}
    builder.add_dev({"id": 0, "region": 1, "zone": 1, "weight": 1.0, "device": "disk", "meta": "", **place})
    builder.rebalance()
    builder.get_ring().save(str(etc / f"{kind}.ring.gz"))


@contextmanager
def _server(kind: str, etc: Path) -> Iterator[None]:
    program = shutil.which(f"swift-{kind}-server", path=str(Path(sys.executable).parent))
    assert program, "pip install swift"
    with (etc / f"{kind}.log").open("wb") as log:
        process = subprocess.Popen([program, str(etc / f"{kind}-server.conf"), "-v"], stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


def _await(url: str) -> None:
    for _ in range(300):
        try:
            if requests.get(url, timeout=1).ok:
                return
        except requests.RequestException:
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer")


def _free(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
