"""Publishing into a container of Azure's, as on the other servers; npm installs the server, which takes a while."""

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from azure_server import KEY, make_container, running_azurite
from obstore.exceptions import AlreadyExistsError
from test_sync_bucket import ABOUT, FILES, LAGS, LATER, SCRIPT, STATE, Between, double, dying, files, places, seen

from label_configs.errors import Mendable
from store.buckets import open_bucket
from sync.bucket.check import verify
from sync.bucket.layout import current, history, manifest
from sync.bucket.prune import prune
from sync.bucket.publish import publish

pytestmark = pytest.mark.long
__all__ = ["files"]


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed: install your system's `npm` package.")
    with running_azurite(tmp_path_factory.mktemp("azurite"), npm) as environment:
        make_container(environment, "train")
        yield environment


@pytest.fixture
def url(azurite: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in azurite.items():
        monkeypatch.setenv(name, value)
    return f"az://train/{uuid.uuid4().hex}"


def test_versions_are_published_once_and_pruned(url: str, files: dict[str, Path]) -> None:
    bucket = open_bucket(url)
    assert verify(bucket) == (0, 0, 0, [], [])
    publish(bucket, files, ABOUT, STATE)
    assert seen(bucket) == FILES
    assert publish(dying(bucket, 0), files, ABOUT, STATE).written == 0
    double(files)
    publish(bucket, files, ABOUT, STATE)
    assert prune(bucket, 1, now=LATER).versions == 1
    assert verify(bucket)[:2] == (1, 3)
    assert verify(bucket)[3:] == ([], [])


def test_what_is_there_is_not_made_again(url: str) -> None:
    bucket = open_bucket(url)
    bucket.put("one", b"1", mode="create")
    with pytest.raises(AlreadyExistsError):
        bucket.put("one", b"2", mode="create")


@pytest.mark.parametrize("writes", range(6))
def test_killed_at_any_write_readers_keep_the_old_version(url: str, files: dict[str, Path], writes: int) -> None:
    bucket = open_bucket(url)
    publish(bucket, files, ABOUT, STATE)
    wanted = double(files)
    with pytest.raises(KeyboardInterrupt):
        publish(dying(bucket, writes), files, ABOUT, STATE)
    assert seen(bucket) == FILES
    publish(bucket, files, ABOUT, STATE)
    assert seen(bucket) == wanted
    assert len(history(bucket)) == 2
    assert verify(bucket).problems == []


@pytest.mark.parametrize("writes", range(5))
def test_of_two_writers_at_once_one_is_told(url: str, files: dict[str, Path], writes: int) -> None:
    bucket = open_bucket(url)
    publish(bucket, files, ABOUT, STATE)
    double(files)
    slow: Any = Between(bucket, writes, lambda: publish(bucket, files, {**ABOUT, "rules": "r2"}, STATE))
    with pytest.raises(Mendable, match="Another sync has just published"):
        publish(slow, files, ABOUT, STATE)
    assert verify(bucket).problems == []


def test_killed_by_the_system_in_mid_upload_a_container_stays_whole(url: str, tmp_path: Path) -> None:
    folder = tmp_path / "large"
    folder.mkdir()
    (folder / "old.txt").write_text("old")
    publish(open_bucket(url), {"old.txt": folder / "old.txt"}, {}, {})
    for number in range(6):
        (folder / f"{number}.bin").write_bytes(os.urandom(14_000_000))
    command = [sys.executable, "-c", SCRIPT, url, str(folder)]
    bucket = open_bucket(url)
    for wait in (0.5, 0.7, 0.9, 1.1, 1.3):
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            time.sleep(wait)
            process.send_signal(signal.SIGKILL)
        assert set(verify(bucket).problems) <= {LAGS}
        assert sorted(manifest(bucket, current(bucket))["files"]) in (["old.txt"], sorted(os.listdir(folder)))
    subprocess.run(command, check=True)
    assert verify(bucket)[3:] == ([], [])
    assert sorted(manifest(bucket, current(bucket))["files"]) == sorted(os.listdir(folder))
    assert {place.partition("/")[0] for place in places(bucket)} == {"parts", "versions", "history", "latest.json"}


def test_a_wrong_key_is_a_sentence_that_does_not_tell_it(
    url: str, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = KEY[:-8] + "AAAAAA=="
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", wrong)
    with pytest.raises(Mendable, match="cannot be") as refused:
        publish(open_bucket(url), files, ABOUT, STATE)
    assert wrong not in str(refused.value)
    assert "credentials" in refused.value.mend
