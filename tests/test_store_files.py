"""Files are whole or not there, and one process holds a lock."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from label_configs.errors import Mendable
from store import files

TRY_LOCK = """
import sys
from pathlib import Path
from store import files
try:
    with files.locked(Path(sys.argv[1]), "indexing"):
        print("held")
except Exception as error:
    print(error)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def in_another_process(lock: Path) -> str:
    command = [sys.executable, "-c", TRY_LOCK, str(lock)]
    here = Path(__file__).resolve().parent.parent
    return subprocess.run(command, cwd=here, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


@pytest.mark.parametrize("content", ["", "größer\r\n", b"\x00\xff"])
def test_what_is_written_is_read_back_byte_for_byte(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "new" / "folder" / "file"
    files.write(path, content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert names(path.parent) == ["file"]


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_file_has_the_mode_that_was_asked_for_also_where_it_replaces_another(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "file"
    path.touch(0o666)
    files.write(path, "x", mode)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_an_exception_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "file"
    files.write(path, "old")

    def half() -> None:
        with files.replacing(path) as temporary:
            temporary.write_text("ne", "utf-8")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert path.read_text("utf-8") == "old"
    assert names(tmp_path) == ["file"]


def test_until_the_block_ends_readers_see_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    files.write(path, "old")
    with files.replacing(path) as temporary:
        temporary.write_text("new", "utf-8")
        assert temporary.parent == path.parent
        assert path.read_text("utf-8") == "old"
    assert path.read_text("utf-8") == "new"


def test_a_second_process_is_refused_while_a_lock_is_held_and_let_in_after(tmp_path: Path) -> None:
    lock = tmp_path / "new" / "lock"
    with files.locked(lock, "indexing"):
        assert in_another_process(lock).startswith("Another process is indexing already.")
    assert in_another_process(lock) == "held"


def test_a_lock_is_let_go_when_its_block_fails(tmp_path: Path) -> None:
    def fail() -> None:
        with files.locked(tmp_path / "lock", "indexing"):
            raise Mendable("no")

    for _ in range(2):
        with pytest.raises(Mendable, match=r"^no$"):
            fail()
