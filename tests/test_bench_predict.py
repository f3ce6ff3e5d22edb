"""The script that says how long predictions for a whole project take, run as a program."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parent.parent / "bench" / "predict.py"


def test_it_asks_for_filled_and_bare_tasks_through_a_running_backend() -> None:
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parent.parent)}
    said = subprocess.run(
        [sys.executable, str(SCRIPT), "30"], env=environment, text=True, capture_output=True, check=True
    ).stdout
    lines = [line.rpartition("  CPU")[0].split("  ")[0] for line in said.splitlines()]
    assert lines == [
        "30 filled tasks of 8 candidates (graded), the first time",
        "30 filled tasks of 8 candidates (graded), again",
        "30 bare tasks",
        "30 filled tasks of 20 candidates (ranking), the first time",
        "30 filled tasks of 20 candidates (ranking), again",
        "30 bare tasks",
    ]
