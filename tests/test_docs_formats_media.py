"""The loading lines of docs/formats.md for formats on media, run as they stand there."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from media_world import suited
from sync_world import make_workspace

from sync.dataset import load
from sync.export import export

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "formats.md").read_text("utf-8")
SECTIONS: Mapping[str, str] = dict(re.findall(r"^## `(\S+)`\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
NAMES = (
    "openclip-csv",
    "openclip-wds",
    "wds-negatives",
    "karpathy",
    "interleaved",
    "clip-text",
    "moments",
    "grounding",
    "dissonance",
    "colpali",
    "vlm2vec",
)


@pytest.mark.parametrize("name", NAMES)
def test_the_lines_load_what_is_exported(tmp_path: Path, name: str) -> None:
    data = load(make_workspace(tmp_path / "world", settings="[splits]\ndev = 0\ntest = 0\n"), "main")
    export(suited(name, data), [name], tmp_path / "data")
    (block,) = re.findall(r"```python\n(.*?)```", SECTIONS[name], re.DOTALL)
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hub")}
    done = subprocess.run(
        [sys.executable, "-c", block], cwd=tmp_path, env=environment, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
