"""Where a bucket's secret key comes from."""

from base64 import b64encode
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from obstore.exceptions import BaseError

from label_configs.errors import Mendable
from store.buckets import brief, open_bucket

SECRET = b64encode(b"opens the bucket").decode()


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A private file with the key, and the other half of the credentials in the environment."""
    for name in ("AWS_SECRET_ACCESS_KEY", "AZURE_STORAGE_ACCOUNT_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    path = tmp_path / "key"
    path.write_text(f"{SECRET}\n")
    path.chmod(0o600)
    return path


def given(url: str) -> Any:
    opened: Any = open_bucket(url)
    return opened.config


@pytest.mark.parametrize(
    ("url", "variable", "name"),
    [
        ("s3://training/photos", "AWS_SECRET_ACCESS_KEY", "secret_access_key"),
        ("az://training/photos", "AZURE_STORAGE_ACCOUNT_KEY", "account_key"),
    ],
)
def test_the_key_may_be_in_a_private_file(
    kept: Path, monkeypatch: pytest.MonkeyPatch, url: str, variable: str, name: str
) -> None:
    monkeypatch.setenv(f"{variable}_FILE", str(kept))
    assert given(url)[name] == SECRET


def test_the_variable_comes_before_the_file(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY_FILE", str(kept))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "plain")
    assert given("s3://training")["secret_access_key"] == "plain"


def test_a_file_that_others_may_read_is_refused(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY_FILE", str(kept))
    kept.chmod(0o644)
    with pytest.raises(Mendable, match="can be read by others"):
        open_bucket("s3://training")


def test_a_piece_of_a_large_file_may_take_a_slow_line_minutes(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY_FILE", str(kept))
    opened: Any = open_bucket("s3://training")
    assert opened.client_options["timeout"] == "5m"
    assert opened.retry_config["retry_timeout"] == timedelta(minutes=5)


def test_a_folder_asks_for_no_key(kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY_FILE", str(tmp_path / "nowhere"))
    open_bucket(str(tmp_path / "bucket"), make=True)
    assert (tmp_path / "bucket").is_dir()


class Expired(BaseHTTPRequestHandler):
    """An S3 server that does not take a token any more, and repeats it, as Amazon's does."""

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        said = "<Code>ExpiredToken</Code><Message>The provided token has expired.</Message><Token-0>SECRET</Token-0>"
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{said}</Error>'.encode()
        self.send_response(400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = answer  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def expired() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Expired) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_token_that_expired_is_said_and_not_told(expired: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"ENDPOINT_URL": expired, "ALLOW_HTTP": "true", "ACCESS_KEY_ID": "id", "SECRET_ACCESS_KEY": "key"}
    for name, value in {**given, "SESSION_TOKEN": "SECRET", "REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    bucket = open_bucket("s3://training/photos")
    for use in (
        lambda: bucket.get("a"),
        lambda: bucket.put("a", b"x"),
        lambda: bucket.delete(["a", "b"]),
        lambda: list(bucket.list("a")),
    ):
        with pytest.raises(BaseError) as refused:
            use()
        assert "SECRET" not in brief(refused.value)
        assert brief(refused.value).endswith("ExpiredToken: The provided token has expired.")


def test_an_address_with_a_signature_is_named_without_it() -> None:
    with pytest.raises(Mendable, match="cannot be opened") as refused:
        open_bucket("https://user:SECRET@nobody.invalid/container?sig=SECRET")
    assert "SECRET" not in str(refused.value)
