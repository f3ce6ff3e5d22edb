"""Secrets: two ways to give one, and no way into a message."""

from pathlib import Path

import pytest

from label_configs.errors import Mendable
from store import secrets

SECRET = "hunter2-ünïcode"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(f"  {SECRET}\n", "utf-8")
    path.chmod(0o600)
    return path


def refused(environ: dict[str, str]) -> str:
    with pytest.raises(Mendable) as caught:
        secrets.need("X", "It opens the door.", environ)
    assert SECRET not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("environ", [{}, {"X": ""}, {"X_FILE": ""}, {"X": "", "X_FILE": ""}])
def test_a_secret_that_is_not_set_is_none_and_needing_it_says_how_to_set_it(environ: dict[str, str]) -> None:
    assert secrets.find("X", environ) is None
    message = refused(environ)
    assert message.startswith("X is not set.\nWhy: It opens the door.\n")
    assert "export X=" in message
    assert "X_FILE=PATH" in message


def test_the_variable_comes_before_the_file(kept: Path) -> None:
    assert secrets.find("X", {"X": "plain", "X_FILE": str(kept)}) == "plain"


def test_a_file_that_only_its_owner_reads_gives_its_content_without_blanks_around(kept: Path) -> None:
    assert secrets.need("X", "", {"X_FILE": str(kept)}) == SECRET


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o601])
def test_a_file_open_to_anybody_else_is_refused_with_the_command_that_closes_it(kept: Path, mode: int) -> None:
    kept.chmod(mode)
    message = refused({"X_FILE": str(kept)})
    assert f"mode {mode:o}" in message
    assert f"chmod 600 {kept}" in message


def test_a_file_that_is_not_there_is_refused_by_its_path(tmp_path: Path) -> None:
    assert f"{tmp_path / 'none'} cannot be read: No such file" in refused({"X_FILE": str(tmp_path / "none")})


@pytest.mark.parametrize("content", [b"", b" \n"])
def test_an_empty_file_is_no_secret(kept: Path, content: bytes) -> None:
    kept.write_bytes(content)
    assert f"{kept} is empty" in refused({"X_FILE": str(kept)})


def test_a_file_that_is_no_text_is_refused_without_showing_a_byte_of_it(kept: Path) -> None:
    kept.write_bytes(b"\xff\xfe" + SECRET.encode())
    message = refused({"X_FILE": str(kept)})
    assert message == f"The secret file {kept} cannot be read as text."
