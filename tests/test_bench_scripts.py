"""The scripts that measure, each in its smallest size: they work, agree with their peers, and keep figures alike."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).resolve().parent.parent / "bench"
KEYS = {"ours", "peer", "unit", "ratio", "aim", "met", "limit", "note", "rows"}


def run(script: str, *options: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(BENCH.parent), "HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        [sys.executable, str(BENCH / script), *map(str, options)], env=environment, text=True, capture_output=True
    )


def measured(script: str, claim: str, folder: Path) -> dict[str, Any]:
    done = run(script, "--tiny", "--json", folder / "figures.json")
    assert done.returncode == 0, done.stderr
    (found,) = json.loads((folder / "figures.json").read_text()).items()
    assert found[0] == claim
    assert found[1].keys() == KEYS
    assert f"{claim}: " in done.stdout
    return dict(found[1])


def row(claim: dict[str, Any], name: str) -> dict[str, Any]:
    return next(dict(row) for row in claim["rows"] if name in row.values())


def test_start_is_measured_beside_a_bare_program_and_a_loading_backend(tmp_path: Path) -> None:
    assert "s, while the model was" in measured("start.py", "P10", tmp_path)["note"]


def test_an_export_is_read_by_every_contestant(tmp_path: Path) -> None:
    claim = measured("export_file.py", "P1", tmp_path)
    by_form = [row["form"] for row in claim["rows"]]
    assert (by_form.count("buckets"), by_form.count("pairwise")) == (10, 7)


def test_mining_finds_the_negatives_that_sentence_transformers_finds(tmp_path: Path) -> None:
    claim = measured("negatives.py", "P2", tmp_path)
    for peer in ("peer by faiss", "peer by torch"):
        assert row(claim, peer)["same negatives as exact"] == 1


def test_indexes_find_what_the_exact_scan_finds(tmp_path: Path) -> None:
    claim = measured("index.py", "P3", tmp_path)
    for kind in ("pq", "ivf"):
        assert row(claim, kind)["recall@50 cross-modal"] > 0.95


def test_a_running_backend_predicts_every_filled_task_and_no_bare_one(tmp_path: Path) -> None:
    claim = measured("predict.py", "P4", tmp_path)
    assert row(claim, "30 tasks of 20 candidates (ranking)")["wall s"] < 100


def test_pictures_come_to_open_clips_own_vectors(tmp_path: Path) -> None:
    note = measured("pictures.py", "P5", tmp_path)["note"]
    cosine = float(note.partition("open_clip's vectors ")[2].partition(";")[0])
    assert cosine >= 0.999


def test_all_claims_come_into_one_file_and_one_page(tmp_path: Path) -> None:
    kept, page = tmp_path / "latest.json", tmp_path / "performance.md"
    kept.write_text(
        json.dumps({"P1": {"met": False, "failed": "no room", "script": "x", "size": "small", "seconds": 1, "at": ""}})
    )
    done = run("all.py", "--tiny", "--only", "growth", "--results", kept, "--page", page)
    assert done.returncode == 1  # another claim has failed before
    assert "P1 failed: no room" in done.stderr
    claims = json.loads(kept.read_text())
    assert list(claims) == ["P1", "P9"]
    assert [row["tasks"] for row in claims["P9"]["rows"]] == [5, 50, 500]
    assert (
        "| P1 | From an export of Label Studio to the table of judgments | | | | | the measurement failed |"
        in page.read_text()
    )
    assert "`python bench/growth.py`, tiny data" in page.read_text()


@pytest.mark.parametrize("name", ["candidates", "learning"])
def test_scripts_that_measure_no_speed_say_what_they_need(name: str) -> None:
    assert run(f"{name}.py", "--help").returncode == 0
