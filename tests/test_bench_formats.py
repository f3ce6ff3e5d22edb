"""The script that writes every format at scale, on a few pairs."""

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parent.parent / "bench" / "formats.py"


def test_it_measures_each_format_in_a_process_of_its_own(tmp_path: Path) -> None:
    names = ["what all share", "trec", "labeled-lists"]
    command = [
        sys.executable,
        SCRIPT,
        "--pairs",
        "200",
        "--formats",
        ",".join(names),
        "--json",
        tmp_path / "found.json",
    ]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parent.parent)}
    subprocess.run(list(map(str, command)), env=environment, capture_output=True, check=True)
    rows = json.loads((tmp_path / "found.json").read_text())["formats"]["rows"]
    assert [(row["format"], row["pairs"]) for row in rows] == [(name, 200) for name in names]
    assert all(row["wall"] >= 0 and row["cpu"] >= 0 and row["megabytes"] >= 0 for row in rows)
