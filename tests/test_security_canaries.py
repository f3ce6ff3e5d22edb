"""Secrets and names that would be found anywhere: whole flows are run with them, and all that came out is searched."""

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
from sync_world import make_workspace
from task_server import World, serving

from ls_retrieval import ports
from store.judgments import Table
from store.workspace import Workspace
from sync.pull import pseudonym

PROGRAM = str(Path(sys.executable).with_name("ls-retrieval"))
SECRETS = {
    "LABEL_STUDIO_API_KEY": "canary0token0" + "f" * 27,
    "BASIC_AUTH_PASS": "canary-password-7c1e",
    "LSR_WEBHOOK_SECRET": "canary-webhook-9b2d",
    "LSR_PSEUDONYM_KEY": "canary-pseudonym-4a8f",
    "AWS_SECRET_ACCESS_KEY": "canary-bucket-3d6e",
}
SENT = {"access token": "canary-access-1f2e", "login of the task": "canary-login-5e6f", "a guess": "canary-guess-8a9b"}
EMAIL, FIRST, LAST = "canary.annotator@mail.example", "Canarina", "Canarsson"
NAMES = {"email": EMAIL, "first_name": FIRST, "last_name": LAST, "username": "canary.annotator"}
WHO = {"created_username": f"{FIRST} {LAST} {EMAIL}, 4711", "updated_by": [NAMES], "last_created_by": NAMES}


class Told(NamedTuple):
    """All that flows left: what was printed, by flow; files, by name; command lines that `ps` would show."""

    printed: Mapping[str, str]
    files: Mapping[str, bytes]
    commands: Mapping[int, str]

    def holding(self, words: str) -> list[str]:
        """Where the words stand, as they are or in base64."""
        forms = [words.encode(), base64.b64encode(words.encode()).rstrip(b"=")[:-1], words.encode("utf-16-le")]
        found = [name for name, text in self.printed.items() if any(form in text.encode() for form in forms)]
        found += [name for name, content in self.files.items() if any(form in content for form in forms)]
        return found + [text for text in self.commands.values() if any(form in text.encode() for form in forms)]


def environment(url: str) -> dict[str, str]:
    return {
        **os.environ,
        **SECRETS,
        "LABEL_STUDIO_URL": url,
        "BASIC_AUTH_USER": "label-studio",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ALLOW_HTTP": "true",
    }


COMMANDS = """
import contextlib, io, json, sys
from ls_retrieval import cli
told = {}
for name, words in json.loads(sys.argv[1]).items():
    sys.argv, ended = ["ls-retrieval", *words], 0
    with io.StringIO() as out, contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            cli.main()
        except SystemExit as error:
            ended = error.code or 0
        told[name] = f"{ended}\\n{out.getvalue()}"
print(json.dumps(told))
"""


def call(url: str, runs: Mapping[str, Sequence[object]]) -> dict[str, str]:
    """What commands end with and print, one after the other in one process; and what that prints beside, as ""."""
    words = json.dumps({name: list(map(str, run)) for name, run in runs.items()})
    command = [sys.executable, "-c", COMMANDS, words]
    done = subprocess.run(command, env=environment(url), capture_output=True, timeout=240, check=False)
    beside, _, told = done.stdout.decode(errors="replace").rstrip("\n").rpartition("\n")
    assert done.returncode == 0, done.stderr
    return {"": beside + done.stderr.decode(errors="replace"), **json.loads(told)}


def answered() -> World:
    """Tasks with answers that bear names wherever Label Studio writes some."""
    world = World()
    for query_id in ("q1", "q2", "q3"):
        task_id = world.add(query_id)
        world.tasks[task_id] |= {"updated_by": [NAMES], "annotators": [NAMES], "comment_authors": [NAMES]}
        for user, values in ((4711, "310"), (4712, "300"), (4713, "210")):
            world.annotate(task_id, values, user, **WHO)
    return world


def flows(root: Path) -> dict[str, str]:
    """Answers to a bucket and a report, and what goes wrong on the way."""
    world, workspace = answered(), make_workspace(root / "workspace", candidates="text", labelled=False)
    here = ("-w", workspace.root)
    with serving(world) as url:
        (root / "export.json").write_text(json.dumps([{**row, "created_by": NAMES} for row in world.export()]))
        runs: Mapping[str, Sequence[object]] = {
            "pull": ("pull", *here),
            "pull from a file": ("pull", *here, "--from-export", root / "export.json"),
            "status": ("status", *here),
            "doctor": ("doctor", *here),
            "report": ("report", *here, "--out", root / "report.html", "--json", root / "report.json"),
            "export": ("export", *here, "--formats", "trec,beir,judgments,pairs,scored-pairs"),
            "sync": ("sync", *here, "--to", root / "bucket", "--formats", "trec,beir,judgments"),
            "verify": ("verify", root / "bucket"),
            "a bucket that does not answer": ("sync", *here, "--to", "s3://train", "--formats", "trec"),
        }
        printed = call(url, runs)
        for name, fault in {"refused": 401, "broken": 500}.items():
            world.faults = [fault] * 20
            again = call(url, {name: ("pull", *here)})
            printed |= {**again, "": printed[""] + again[""]}
        (root / "export.json").unlink()
    return printed


@contextmanager
def serve(workspace: Workspace, url: str, log: Path) -> Iterator[str]:
    """The URL of a backend in processes of its own, started as an admin does."""
    port = ports.free(0, "the backend", "127.0.0.1")
    command = [PROGRAM, "serve", "-w", str(workspace.root), "--port", str(port), "--workers", "1"]
    with log.open("wb") as out:
        running = subprocess.Popen(command, env=environment(url), stdout=out, stderr=out)
        try:
            for _ in range(600):
                with suppress(requests.RequestException):
                    requests.get(f"http://127.0.0.1:{port}/health", timeout=1).raise_for_status()
                    break
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait(30)


def commands(workspace: Workspace) -> dict[int, str]:
    """What `ps` shows of the backend's processes."""
    found = {}
    for folder in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            if str(workspace.root).encode() in (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes():
                found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
    return found


def ask(url: str) -> None:
    """What Label Studio sends with its secrets, and what somebody sends who guesses."""
    session, password = requests.Session(), SECRETS["BASIC_AUTH_PASS"]
    session.trust_env = False
    tokens = {"access_token": SENT["access token"], "hostname": "http://x", "token": SENT["access token"]}
    known = [("label-studio", password), ("label-studio", SENT["a guess"]), (password, password)]
    task: dict[str, Any] = {"id": 1, "data": {"query": "red"}}
    bodies: list[tuple[str, object]] = [
        ("setup", {"project": "7.1", "schema": "<View/>", **tokens}),
        (
            "predict",
            {"tasks": [task], "project": "7.1", "params": {"login": "x", "password": SENT["login of the task"]}},
        ),
        ("predict", {"tasks": SENT["login of the task"], **tokens}),
        ("webhook", {"action": "TASKS_CREATED", "project": {"id": 7, **tokens, "created_by": NAMES}}),
        ("webhook", {"action": 7, **tokens}),
        ("ui/pool", {"text": 7, **tokens}),
    ]
    for path, body in bodies:
        for login in known:
            session.post(f"{url}/{path}", json=body, auth=login, timeout=30)
        for secret in (SECRETS["LSR_WEBHOOK_SECRET"], SENT["a guess"]):
            session.post(f"{url}/{path}", json=body, headers={"X-LS-Retrieval-Secret": secret}, timeout=30)
    session.close()


@pytest.fixture(scope="module")
def told(tiny_indexed: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Everything that the flows and a backend in service wrote and printed."""
    root = tmp_path_factory.mktemp("canaries")
    printed, served = flows(root), Workspace(Path(shutil.copytree(tiny_indexed.root, root / "served")))
    with serving(answered()) as studio, serve(served, studio, root / "serve.log") as url:
        ask(url)
        shown = commands(served)
    places = [path for path in root.rglob("*") if path.is_file()]
    return Told(printed, {str(path): path.read_bytes() for path in places}, shown)


def test_the_flows_did_what_they_are_for(told: Told) -> None:
    for name in ("pull", "pull from a file", "report", "export", "sync", "verify"):
        assert told.printed[name].startswith("0\n"), told.printed[name]
    assert all(
        not told.printed[name].startswith("0\n") for name in ("refused", "broken", "a bucket that does not answer")
    )
    assert any(name.endswith("report.html") for name in told.files)
    assert any("/bucket/parts/" in name for name in told.files)
    assert len([text for text in told.commands.values() if "gunicorn" in text]) >= 2
    assert not any("Traceback" in text for text in told.printed.values())


@pytest.mark.parametrize("name", SECRETS)
def test_no_secret_is_in_any_file_line_or_command(told: Told, name: str) -> None:
    assert told.holding(SECRETS[name]) == []


@pytest.mark.parametrize("name", SENT)
def test_what_is_sent_beside_what_is_read_is_kept_nowhere(told: Told, name: str) -> None:
    assert told.holding(SENT[name]) == []


@pytest.mark.parametrize("name", [EMAIL, FIRST, LAST, NAMES["username"], "4711", "ada@example.org"])
def test_no_annotator_is_named_in_anything_that_is_written(told: Told, name: str) -> None:
    """By a keyed hash they are: who holds no key cannot tell who it is, and the same person has the same name."""
    assert told.holding(name) == []


def test_annotators_have_names_that_the_key_alone_makes(told: Told) -> None:
    root = next(Path(name).parent for name in told.files if name.endswith("/report.html"))
    found = {one.annotator for one in Table(root / "workspace" / "judgments" / "7").current()}
    assert found == {pseudonym(SECRETS["LSR_PSEUDONYM_KEY"], user) for user in (4711, 4712, 4713)}
    assert found.isdisjoint({pseudonym("another key", user) for user in (4711, 4712, 4713)})
    assert told.holding(found.pop())
