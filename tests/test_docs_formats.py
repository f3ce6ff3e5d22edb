"""The page on formats: a section for each, and its lines, run on an export as they stand there."""

import re
from pathlib import Path

import pytest
from sync_world import make_workspace

from label_configs.errors import Mendable
from store.workspace import Workspace
from sync.dataset import load
from sync.export import export
from sync.formats import FORMATS

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "formats.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^## `([a-z0-9-]+)`\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
BLOCKS = [
    pytest.param(name, block, id=f"{name}-{n}")
    for name, section in SECTIONS.items()
    for n, block in enumerate(re.findall(r"```python\n(.*?)```", section, re.DOTALL))
]


def test_every_format_has_its_section_and_lines_that_load_it() -> None:
    assert SECTIONS.keys() == FORMATS.keys()
    assert {parameter.values[0] for parameter in BLOCKS} == FORMATS.keys()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`data/` with every format: of pictures, or of texts where a format holds no pictures."""
    root = tmp_path_factory.mktemp("formats")
    for name in FORMATS:
        _export(name, root)
    return root


def _export(name: str, root: Path) -> None:
    try:
        export(load(_world(root, "image"), "main"), [name], root / "data")
    except Mendable:
        export(load(_world(root, "text"), "main"), [name], root / "data")


def _world(root: Path, candidates: str) -> Workspace:
    workspace = make_workspace(root / candidates, candidates=candidates, settings="[splits]\ndev = 0\ntest = 0.1\n")
    workspace.frozen.write_text("q2\n")
    return workspace


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # beir leaves its files open
@pytest.mark.parametrize(("name", "block"), BLOCKS)
def test_the_lines_load_it(exported: Path, monkeypatch: pytest.MonkeyPatch, name: str, block: str) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", exported / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.chdir(exported)
    assert f"data/{name}" in block
    exec(compile(block, f"docs/formats.md, {name}", "exec"), {})  # noqa: S102 -- the page's own lines
