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
LINES = {name: re.findall(r"```python\n(.*?)```", section, re.DOTALL) for name, section in SECTIONS.items()}
NAMES = (
    "trec",
    "beir",
    "mteb",
    "pairs",
    "scored-pairs",
    "triplets",
    "ntuples",
    "labeled-lists",
    "flagembedding",
    "tevatron",
    "svmlight",
    "preferences",
    "judgments",
)


def test_every_format_has_its_section_and_lines_that_load_it() -> None:
    assert SECTIONS.keys() == FORMATS.keys()
    assert all(LINES.values())


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`data/` with all of them: of pictures, or of texts where a format holds no pictures."""
    root = tmp_path_factory.mktemp("formats")
    for name in NAMES:
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
@pytest.mark.parametrize("name", NAMES)
def test_the_lines_load_it(exported: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", exported / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.chdir(exported)
    for block in LINES[name]:
        assert f"data/{name}" in block
        exec(compile(block, f"docs/formats.md, {name}", "exec"), {})  # noqa: S102 -- the page's own lines
