"""The scripts that measure, each in its smallest size: they work, agree with their peers, and keep figures alike."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).resolve().parent.parent / "bench"
KEYS = {"ours", "peer", "unit", "ratio", "aim", "met", "limit", "note", "rows"}


FIGURES = {"start": "P10", "export_file": "P1", "negatives": "P2", "index": "P3", "predict": "P4", "pictures": "P5"}
OTHERS = ("candidates", "learning")
TOGETHER = """
import contextlib, importlib, io, json, sys, traceback
told = {}
for name, options in json.loads(sys.argv[1]).items():
    sys.argv, ended = [f"{name}.py", *options], 0
    with io.StringIO() as out, contextlib.redirect_stdout(out):
        try:
            importlib.import_module(name).main()
        except SystemExit as error:
            ended = error.code or 0
        except Exception:
            ended = traceback.format_exc()
        told[name] = ended, out.getvalue()
print(json.dumps(told))
"""
Told = Callable[[str], dict[str, Any]]


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{BENCH.parent}:{BENCH}", "HF_HUB_OFFLINE": "1"}
    return subprocess.run([sys.executable, *map(str, command)], env=environment, text=True, capture_output=True)


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, tuple[object, str]]]:
    """All scripts, one after the other in one process: what they import takes longer than what they measure."""
    folder = tmp_path_factory.mktemp("figures")
    options = {name: ["--tiny", "--json", str(folder / name)] for name in FIGURES} | {n: ["--help"] for n in OTHERS}
    done = run("-c", TOGETHER, json.dumps(options))
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def measured(ended: tuple[Path, dict[str, tuple[object, str]]]) -> Told:
    """The claim of a script."""

    def claim(script: str) -> dict[str, Any]:
        (code, printed), name = ended[1][script], FIGURES[script]
        assert code == 0, code
        (found,) = json.loads((ended[0] / script).read_text()).items()
        assert found[0] == name
        assert found[1].keys() == KEYS
        assert f"{name}: " in printed
        return dict(found[1])

    return claim


def row(claim: dict[str, Any], name: str) -> dict[str, Any]:
    return next(dict(row) for row in claim["rows"] if name in row.values())


def test_start_is_measured_beside_a_bare_program_and_a_loading_backend(measured: Told) -> None:
    assert "s, while the model was" in measured("start")["note"]


def test_an_export_is_read_by_every_contestant(measured: Told) -> None:
    claim = measured("export_file")
    by_form = [row["form"] for row in claim["rows"]]
    assert (by_form.count("buckets"), by_form.count("pairwise")) == (10, 7)


def test_mining_finds_the_negatives_that_sentence_transformers_finds(measured: Told) -> None:
    claim = measured("negatives")
    for peer in ("peer by faiss", "peer by torch"):
        assert row(claim, peer)["same negatives as exact"] == 1


def test_indexes_find_what_the_exact_scan_finds(measured: Told) -> None:
    claim = measured("index")
    for kind in ("pq", "ivf"):
        assert row(claim, kind)["recall@50 cross-modal"] > 0.95


def test_a_running_backend_predicts_every_filled_task_and_no_bare_one(measured: Told) -> None:
    claim = measured("predict")
    assert row(claim, "30 tasks of 20 candidates (ranking)")["wall s"] < 100


def test_pictures_come_to_open_clips_own_vectors(measured: Told) -> None:
    note = measured("pictures")["note"]
    cosine = float(note.partition("open_clip's vectors ")[2].partition(";")[0])
    assert cosine >= 0.999


def test_all_claims_come_into_one_file_and_one_page(tmp_path: Path) -> None:
    kept, page = tmp_path / "latest.json", tmp_path / "performance.md"
    kept.write_text(
        json.dumps({"P1": {"met": False, "failed": "no room", "script": "x", "size": "small", "seconds": 1, "at": ""}})
    )
    done = run(BENCH / "all.py", "--tiny", "--only", "growth", "--results", kept, "--page", page)
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


@pytest.mark.parametrize("name", OTHERS)
def test_scripts_that_measure_no_speed_say_what_they_need(
    ended: tuple[Path, dict[str, tuple[object, str]]], name: str
) -> None:
    code, printed = ended[1][name]
    assert code == 0
    assert printed.startswith("usage: ")
