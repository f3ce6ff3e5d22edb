"""Where a bucket's secret key comes from."""

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from label_configs.errors import Mendable
from store.buckets import open_bucket

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


def test_a_folder_asks_for_no_key(kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY_FILE", str(tmp_path / "nowhere"))
    open_bucket(str(tmp_path / "bucket"), make=True)
    assert (tmp_path / "bucket").is_dir()
