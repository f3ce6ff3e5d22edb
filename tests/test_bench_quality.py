"""The script that says how fast consensus, agreement and measures are beside their peers, run as a program."""

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parent.parent / "bench" / "quality.py"


def test_it_answers_for_two_claims_and_every_peer_that_has_the_same_model_gives_the_same_answer(tmp_path: Path) -> None:
    kept = tmp_path / "figures.json"
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parent.parent)}
    subprocess.run([sys.executable, str(SCRIPT), "--tiny", "--json", str(kept)], env=environment, check=True)
    found = json.loads(kept.read_text())
    assert list(found) == ["P6", "P7"]
    apart = {row["work"].split(",")[0].strip(): row["answers apart"] for one in found.values() for row in one["rows"]}
    assert {who: gap for who, gap in apart.items() if gap is not None and gap > 1e-4} == {}
    assert {"crowd-kit", "choix", "evalica (Rust)", "krippendorff", "pytrec_eval"} <= apart.keys()
