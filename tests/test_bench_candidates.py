"""The script that says what proposers and sources are worth, run as a program on a workspace whose truth is known."""

import os
import subprocess
import sys
from pathlib import Path

from store import settings
from store.settings import Project
from store.workspace import Workspace

SCRIPT = Path(__file__).resolve().parent.parent / "bench" / "candidates.py"


def test_it_counts_what_every_proposer_and_source_brought(tiny_workspace: Workspace) -> None:
    settings.add_project(tiny_workspace.settings_path, "main", Project(id=1))
    truth = [f"q-red 0 red-{shape} 3" for shape in ("square", "circle", "bar", "cross")]
    (tiny_workspace.root / "truth.tsv").write_text("\n".join(truth) + "\n")
    command = [sys.executable, str(SCRIPT), str(tiny_workspace.root), "--depth", "4", "--negatives", "2"]
    said = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(SCRIPT.parent.parent)}, text=True, capture_output=True, check=True
    ).stdout
    assert said.startswith("text → image: 1 queries, 24 items, 2 relevant not known\n")
    for name in ("dense:clip", "neighbours:clip", "siblings", "near-miss", "look-alike", "confuser", "audit:near"):
        assert name in said
    assert "pools as set: 8 candidates" in said
    (lexical,) = [line.split("│")[1:-1] for line in said.splitlines() if line.startswith("│ lexical")]
    assert [cell.strip() for cell in lexical] == ["lexical", "2", "0", "0", "2", "100%", "0"]  # the two others of red
