"""The script that says what proposers and sources are worth, run as a program on workspaces whose truth is known."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import recordings
import tiny

from ls_retrieval.demo import corpus, run, stamps
from ml_backend import library
from store import settings
from store.settings import Project
from store.workspace import Workspace

SCRIPT = Path(__file__).resolve().parent.parent / "bench" / "candidates.py"


def said(workspace: Workspace, *options: str | Path) -> str:
    command = [sys.executable, SCRIPT, workspace.root, "--depth", "4", "--negatives", "2", *options]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parent.parent), "HF_HUB_OFFLINE": "1"}
    return subprocess.run(list(map(str, command)), env=environment, text=True, capture_output=True, check=True).stdout


def rows(text: str, source: str) -> list[list[str]]:
    """The cells of each row that a source has in the tables."""
    lines = (line.split("│")[1:-1] for line in text.splitlines() if line.startswith("│"))
    cells = ([cell.strip() for cell in line] for line in lines)
    return [line for line in cells if line[0] == source]


def test_it_counts_what_every_proposer_and_source_brought(tiny_workspace: Workspace) -> None:
    settings.add_project(tiny_workspace.settings_path, "main", Project(id=1))
    truth = [f"q-red 0 red-{shape} 3" for shape in ("square", "circle", "bar", "cross")]
    (tiny_workspace.root / "truth.tsv").write_text("\n".join(truth) + "\n")
    told = said(tiny_workspace)
    assert told.startswith("text → image: 1 queries, 24 items, 2 relevant not known\n")
    for name in ("dense:clip", "neighbours:clip", "siblings", "near-miss", "look-alike", "confuser", "audit:near"):
        assert name in told
    assert "pools as set: 8 candidates" in told
    assert rows(told, "lexical") == [["lexical", "2", "0", "0", "2", "100%", "0"]]  # the two others of red


@pytest.fixture
def demo(tiny_model: Path, tmp_path: Path) -> Workspace:
    """A demo's workspace on stamps of its own: a flag, a car and a hat in each of four colours, and a sound of each."""
    root = tmp_path / "demo"
    things, colours = ("flag", "car", "hat"), ("red", "green", "blue", "black")
    for n, (thing, colour) in enumerate((thing, colour) for thing in things for colour in colours):
        path = root / "cache" / stamps.PACKAGE / stamps.STAMPS / thing / f"{colour}.png"
        tiny.draw(path, colour, tiny.SHAPES[things.index(thing)])
        path.with_suffix(".txt").write_text(f"A {colour} {thing}.\n", "utf-8")
        path.with_suffix(".wav").write_bytes(recordings.wave(recordings.tone(1, 300 + 100 * n)))
    (root / "pack").write_text("stamps\n")
    pictures = stamps.pictures(root / "cache", root, lambda sequence, description: sequence)
    corpus.write(pictures, root, n_queries=3, seed=run.SEED, tags={}, pack="stamps")
    (root / "settings.toml").write_text(tiny.SETTINGS.format(model=tiny_model))
    settings.add_project(root / "settings.toml", "main", Project(id=1))
    workspace = Workspace(root)
    library.build(workspace, {"clip": library.load_encoder(workspace, "clip")})
    return workspace


def test_a_demo_is_measured_in_four_directions(demo: Workspace, tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("captions", "films", "sounds")}
    options = [option for name, folder in folders.items() for option in (f"--{name}", folder)]
    told = said(demo, *options)
    assert re.findall(r"^(\w+ → \w+): (\d+) queries, (\d+) items, (\d+) relevant not known$", told, re.MULTILINE) == [
        ("text → image", "3", "12", "9"),
        ("image → text", "3", "12", "9"),
        ("text → video", "3", "12", "9"),
        ("text → audio", "12", "12", "36"),
    ]
    for source in ("dense:clip", "neighbours:clip", "siblings"):
        assert len(rows(told, source)) == 4
    assert len(re.findall(r"^of all relevant, known or not, the first 4 of dense alone hold \d+%$", told, re.M)) == 4
    assert len(re.findall(r"^pools as set: ", told, re.MULTILINE)) == 4
    for name in ("films", "sounds"):
        assert not re.search("red|green|flag|hat", (folders[name] / "corpus.jsonl").read_text("utf-8"))
    assert said(demo, *options) == told  # from what is there already
