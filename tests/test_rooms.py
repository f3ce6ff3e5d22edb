"""The house: which room may import which, and what stays out of memory until it is used."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
MAY_IMPORT: dict[str, set[str]] = {
    "label_configs": set(),
    "store": {"label_configs"},
    "ml_backend": {"label_configs", "store"},
    "sync": {"label_configs", "store"},
    "ls_retrieval": {"label_configs", "store", "ml_backend", "sync"},
}
HEAVY = ("torch", "open_clip", "faiss", "label_studio_sdk", "pandas")
TELL_HEAVY = f"import sys; print(*sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
IMPORT_ALL = """
import importlib, pkgutil, sys
room = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(room.__path__, room.__name__ + "."):
    importlib.import_module(module.name)
"""
HELP = """
import sys
from ls_retrieval.cli import main
sys.argv = ["ls-retrieval", "--help"]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""


def rooms_imported(source: str) -> set[str]:
    return {name.partition(".")[0] for name in _imported(ast.parse(source))} & set(MAY_IMPORT)


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or ""


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", f"{code}\n{TELL_HEAVY}", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=60)


def test_imports_are_seen_in_functions_and_in_type_checking_blocks() -> None:
    source = "if TYPE_CHECKING:\n    import sync.pull\ndef f():\n    from store import files\nimport storefront\n"
    assert rooms_imported(source) == {"sync", "store"}


def test_every_package_that_is_shipped_is_a_room() -> None:
    shipped = {path.parent.name for path in REPOSITORY.glob("*/__init__.py")}
    assert shipped == set(MAY_IMPORT)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_the_rooms_below_it(room: str) -> None:
    paths = sorted((REPOSITORY / room).rglob("*.py"))
    wrong = {
        str(path.relative_to(REPOSITORY)): above
        for path in paths
        if (above := rooms_imported(path.read_text("utf-8")) - MAY_IMPORT[room] - {room})
    }
    assert paths
    assert wrong == {}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_importing_every_module_of_a_room_loads_nothing_heavy(room: str) -> None:
    assert run(IMPORT_ALL, room).stderr.strip() == ""


def test_help_is_printed_without_loading_anything_heavy() -> None:
    done = run(HELP)
    assert "ls-retrieval" in done.stdout
    assert done.stderr.strip() == ""
