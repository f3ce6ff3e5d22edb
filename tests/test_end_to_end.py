"""The demo as a new user meets it: one command, run as a program, on a real Label Studio of its own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import ir_measures
import pytest
import requests

COMMAND = Path(sys.executable).parent / "ls-retrieval"
SMALL = ["--pack", "openmoji", "--queries", "12", "--limit", "160"]


@dataclass(frozen=True)
class Demo:
    """A finished demo: its workspace, how its first two runs ended, and how to call it again."""

    workspace: Path
    label_studio: Path
    runs: list[subprocess.CompletedProcess[str]]

    @property
    def summary(self) -> dict[str, object]:
        found: dict[str, object] = json.loads((self.workspace / "summary.json").read_text("utf-8"))
        return found


def call(*arguments: str, label_studio: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    given = {**os.environ, "LSR_LABEL_STUDIO": str(label_studio), **(env or {})}
    return subprocess.run([COMMAND, *arguments], env=given, text=True, capture_output=True, timeout=600, check=False)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, label_studio: Path) -> Demo:
    workspace = tmp_path_factory.mktemp("demo") / "workspace"
    arguments = ["demo", "--workspace", str(workspace), *SMALL]
    runs = []
    for _ in range(2):
        runs.append(call(*arguments, label_studio=label_studio))
        (workspace / f"summary.{len(runs)}.json").write_bytes((workspace / "summary.json").read_bytes())
    return Demo(workspace, label_studio, runs)


def test_the_demo_does_the_whole_job_and_says_what_came_out(demo: Demo) -> None:
    first = demo.runs[0]
    assert first.returncode == 0, first.stderr
    for said in ("SIMULATED", "Krippendorff's alpha", "nDCG@10", "judged@10", "found positive", "make up"):
        assert said in first.stdout
    assert demo.summary["queries"] == 12
    assert demo.summary["candidates"] == 12 * 24
    assert isinstance(demo.summary["judgments"], int)
    assert demo.summary["judgments"] > 2 * 12 * 24
    for share in ("alpha", "ndcg10", "judged10"):
        value = demo.summary[share]
        assert isinstance(value, float)
        assert 0 < value <= 1
    files = demo.summary["files"]
    assert isinstance(files, list)
    assert all(Path(name).is_file() for name in files)


def test_a_second_run_doubles_nothing(demo: Demo) -> None:
    second = demo.runs[1]
    assert second.returncode == 0, second.stderr
    assert "0 tasks pushed, 36 were there" in second.stderr
    assert "published, 0 bytes written" in second.stderr
    first, again = ((demo.workspace / f"summary.{n}.json").read_bytes() for n in (1, 2))
    assert first == again


def test_pools_hold_candidates_hard_negatives_an_audit_a_random_control_and_gold(demo: Demo) -> None:
    from store import pools

    for pool in pools.load(demo.workspace / "pools").values():
        roles = [candidate.role for candidate in pool.candidates]
        assert {role: roles.count(role) for role in ("control", "random", "audit")} == {
            "control": 1,
            "random": 1,
            "audit": 2,
        }
        assert roles.count("hard_negative") in (3, 4)  # one place may go to what a margin forbids
        assert len(roles) == 24


def test_what_was_published_is_what_people_said(demo: Demo) -> None:
    qrels = list(ir_measures.read_trec_qrels(str(demo.workspace / "exports" / "trec" / "qrels.txt")))
    judged = {(q.query_id, q.doc_id) for q in qrels}
    truth = (line.split() for line in (demo.workspace / "truth.tsv").read_text().splitlines())
    grades = {(query_id, doc_id): int(grade) for query_id, _, doc_id, grade in truth}
    right = sum(grades.get((q.query_id, q.doc_id), 0) == q.relevance for q in qrels)
    assert right / len(judged) > 0.9
    verified = call("verify", str(demo.workspace / "bucket"), label_studio=demo.label_studio)
    assert verified.returncode == 0, verified.stderr


def test_nothing_that_others_may_read_holds_a_secret_or_a_name(demo: Demo) -> None:
    password = (demo.workspace / "label-studio" / "password").read_text().strip()
    token = (demo.workspace / "label-studio" / "token").read_text().strip()
    for path in [*(demo.workspace / "bucket").rglob("*"), *(demo.workspace / "judgments").rglob("*")]:
        content = path.read_bytes() if path.is_file() else b""
        for secret in (password, token, "simulated-even", "@simulated"):
            assert secret.encode() not in content, path
    for name in ("pseudonym.key", "env", "label-studio/password", "label-studio/token"):
        assert (demo.workspace / name).stat().st_mode & 0o077 == 0


def test_up_serves_the_same_workspace_until_ctrl_c_and_leaves_no_process(demo: Demo) -> None:
    given = {**os.environ, "LSR_LABEL_STUDIO": str(demo.label_studio), "PYTHONUNBUFFERED": "1"}
    arguments = [str(COMMAND), "demo", "--up", "--workspace", str(demo.workspace)]
    with subprocess.Popen(arguments, env=given, stderr=subprocess.PIPE, text=True) as running:
        said = ""
        deadline = time.monotonic() + 120
        while "Ctrl-C stops both." not in said and time.monotonic() < deadline:
            assert running.stderr is not None
            said += running.stderr.readline()
        urls = re.findall(r"http://127\.0\.0\.1:\d+", said)
        assert len(set(urls)) == 2, said
        for url in set(urls):
            assert requests.get(f"{url}/health", timeout=5).json()["status"] == "UP"
        again = call("demo", "--up", "--workspace", str(demo.workspace), label_studio=demo.label_studio)
        assert again.returncode == 1
        assert "already" in again.stderr
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0
    for url in set(urls):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) != 0


def test_a_port_in_use_is_named_before_anything_is_begun(tmp_path: Path, label_studio: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for option in ("--port", "--backend-port"):
            refused = call(
                "demo", "--workspace", str(tmp_path / "w"), option, str(port), *SMALL, label_studio=label_studio
            )
            assert refused.returncode == 1
            assert f"Port {port}" in refused.stderr
            assert "Mend:" in refused.stderr
            assert not (tmp_path / "w" / "corpus.jsonl").exists()


def test_a_failing_step_is_named_with_its_code(demo: Demo) -> None:
    settings = demo.workspace / "settings.toml"
    kept = settings.read_text("utf-8")
    settings.write_text(kept.replace("alpha = 0.5", "alpha = 0.9999"), "utf-8")
    try:
        failed = call("demo", "--workspace", str(demo.workspace), *SMALL, label_studio=demo.label_studio)
    finally:
        settings.write_text(kept, "utf-8")
    assert failed.returncode == 3
    assert "The step failed: sync." in failed.stderr
    assert "alpha is" in failed.stderr
