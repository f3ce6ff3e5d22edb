"""The backend in service: real gunicorn workers and a real encoder process."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from label_configs.errors import Mendable
from ls_retrieval import filling, serve, workers
from ls_retrieval.filling import Filler
from ls_retrieval.serve import running_backend
from store import settings
from store.workspace import Workspace

NO_LOGIN = dict.fromkeys(
    ("BASIC_AUTH_USER", "BASIC_AUTH_PASS", "LSR_WEBHOOK_SECRET", "LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"), ""
)


def wait_until(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def processes(workspace: Workspace) -> dict[int, str]:
    """Every process of the backend on that workspace, by id: its command line."""
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            if f"LSR_WORKSPACE={workspace.root}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
        except (OSError, ValueError):
            continue
    return found


def only(workspace: Workspace, name: str) -> list[int]:
    return sorted(pid for pid, command in processes(workspace).items() if name in command)


def health(url: str) -> str:
    """What the backend says of its encoders, within the second that Label Studio gives it; it asks three times."""
    for _ in range(2):
        with suppress(requests.Timeout):
            return str(requests.get(f"{url}/health", timeout=1).json()["encoders"])
    return str(requests.get(f"{url}/health", timeout=1).json()["encoders"])


@pytest.fixture(scope="module")
def workspace(tiny_indexed: Workspace) -> Workspace:
    return Workspace(tiny_indexed.root.resolve())


@pytest.fixture(scope="module")
def url(workspace: Workspace) -> Iterator[str]:
    """The URL of a backend of two workers."""
    with running_backend(workspace, host="127.0.0.1", port=0, workers=2, environment=NO_LOGIN) as running:
        yield running


# before anything is started


def refused(workspace: Workspace, **arguments: Any) -> Mendable:
    given = {"host": "127.0.0.1", "port": 0, "workers": 1, "environment": NO_LOGIN, **arguments}
    with pytest.raises(Mendable) as raised, running_backend(workspace, **given):
        pass
    return raised.value


def test_a_port_in_use_is_named(workspace: Workspace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert f"Port {port} cannot be used" in refused(workspace, port=port).what


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "fe80::1", "backend"])  # noqa: S104
def test_it_does_not_listen_to_others_without_credentials(workspace: Workspace, host: str) -> None:
    assert f"{host} without credentials" in refused(workspace, host=host).what
    secret = {**NO_LOGIN, "LSR_WEBHOOK_SECRET": "known to the webhook alone"}
    assert f"{host} without credentials" in refused(workspace, host=host, environment=secret).what


def test_a_secret_that_cannot_be_read_is_told_before_anything_is_started(workspace: Workspace) -> None:
    gone = {**NO_LOGIN, "LSR_WEBHOOK_SECRET_FILE": str(workspace.root / "gone")}
    assert "gone cannot be read" in refused(workspace, environment=gone).what


@pytest.mark.parametrize("half", ["BASIC_AUTH_USER", "BASIC_AUTH_PASS"])
def test_half_of_the_credentials_is_refused(workspace: Workspace, half: str) -> None:
    assert "is not set" in refused(workspace, environment={**NO_LOGIN, half: "x"}).what


def test_credentials_may_come_from_private_files(tmp_path: Path) -> None:
    (tmp_path / "pass").write_text("secret\n")
    (tmp_path / "pass").chmod(0o600)
    given = {"BASIC_AUTH_USER": "ls", "BASIC_AUTH_PASS_FILE": str(tmp_path / "pass")}
    assert serve._login(given) == ("ls", "secret")
    assert serve._login({}) is None


# in service


def test_everything_answers_while_the_encoders_do_not(url: str, workspace: Workspace) -> None:
    """The encoder process is stopped meanwhile: harder than loading, and of no time of its own."""
    wait_until(lambda: only(workspace, "encoder_service"))
    (encoders,) = only(workspace, "encoder_service")
    bare = {"tasks": [{"id": 1, "data": {"query": "x"}}] * 3, "project": "1.1"}
    os.kill(encoders, signal.SIGSTOP)
    try:
        assert health(url) == "loading"
        assert requests.post(f"{url}/setup", json={}, timeout=5).json()["model_version"].startswith("ls-retrieval-")
        assert requests.post(f"{url}/predict", json=bare, timeout=5).json() == {"results": [[], [], []]}
        assert requests.post(f"{url}/webhook", json={"action": "TASKS_CREATED"}, timeout=5).json() == {"status": "ok"}
    finally:
        os.kill(encoders, signal.SIGCONT)
    wait_until(lambda: health(url) == "ready")


def test_all_workers_tell_the_same_version(url: str, workspace: Workspace) -> None:
    # gunicorn's own process and two workers; each request may reach another worker
    assert len(only(workspace, "gunicorn")) == 3
    told = {requests.post(f"{url}/setup", json={}, timeout=5).text for _ in range(30)}
    assert len(told) == 1


def test_a_malformed_request_gets_a_sentence(url: str) -> None:
    answer = requests.post(f"{url}/predict", data=b"{", headers={"Content-Type": "application/json"}, timeout=5)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("The body is not what Label Studio sends")


def test_web_workers_never_load_torch(url: str, workspace: Workspace) -> None:
    requests.post(f"{url}/predict", json={"tasks": [{"id": 1, "data": {"query": "x"}}]}, timeout=5)
    web, encoders = only(workspace, "gunicorn"), only(workspace, "encoder_service")
    wait_until(lambda: "libtorch" in Path(f"/proc/{encoders[0]}/maps").read_text())
    assert not [pid for pid in web if "libtorch" in Path(f"/proc/{pid}/maps").read_text()]


def test_an_encoder_process_that_dies_is_started_again(url: str, workspace: Workspace) -> None:
    wait_until(lambda: health(url) == "ready")
    (before,) = only(workspace, "encoder_service")
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: only(workspace, "encoder_service") not in ([], [before]))
    wait_until(lambda: health(url) == "ready")


def test_a_web_server_that_dies_is_started_again(url: str, workspace: Workspace) -> None:
    web = only(workspace, "gunicorn")
    master = next(pid for pid in web if Path(f"/proc/{pid}/stat").read_text().split()[3] == str(os.getpid()))
    os.kill(master, signal.SIGKILL)
    wait_until(lambda: len(only(workspace, "gunicorn")) == 3 and not set(only(workspace, "gunicorn")) & set(web))

    def answers() -> bool:
        try:
            return bool(health(url))
        except (requests.ConnectionError, requests.Timeout):
            return False

    wait_until(answers)


def test_it_listens_on_ipv6s_loopback_and_asks_for_what_it_was_told_to(tiny_workspace: Workspace) -> None:
    given = {**NO_LOGIN, "BASIC_AUTH_USER": "ls", "BASIC_AUTH_PASS": "p", "LSR_WEBHOOK_SECRET": "s"}
    hook = {"action": "TASKS_CREATED", "project": {"id": 1}}
    with running_backend(tiny_workspace, host="::1", port=0, workers=1, environment=given) as url:
        assert url.startswith("http://[::1]:")
        assert requests.get(f"{url}/versions", timeout=5).status_code == 401
        assert requests.get(f"{url}/versions", auth=("ls", "p"), timeout=5).status_code == 200
        assert requests.post(f"{url}/webhook", json=hook, timeout=5).status_code == 401
        secret = {"X-LS-Retrieval-Secret": "s"}
        assert requests.post(f"{url}/webhook", json=hook, headers=secret, timeout=5).status_code == 200


# slow clients

HEAD = b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n"


def connected(url: str, sent: bytes = b"") -> socket.socket:
    made = socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=15)
    made.sendall(sent)
    return made


@pytest.mark.parametrize("half", [b"", HEAD[:30], HEAD + b"{"], ids=["nothing", "half a head", "half a body"])
def test_fifty_clients_that_send_half_a_request_hold_nobody_up(url: str, half: bytes) -> None:
    with ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(connected(url, half))
        time.sleep(0.3)
        for _ in range(10):  # each may reach another worker
            assert health(url) in {"ready", "loading"}


def test_a_request_may_come_in_pieces_and_several_on_one_connection(url: str) -> None:
    with connected(url) as client:
        for _ in range(2):
            for piece in (HEAD[:20], HEAD[20:], b'{"tasks"', b": []}"):
                client.sendall(piece)
                time.sleep(0.02)
            answer = client.recv(4096)
            assert answer.startswith(b"HTTP/1.1 200")
            assert answer.endswith(b'{"results":[]}')


def test_a_connection_on_which_nothing_comes_is_closed(url: str) -> None:
    begun = time.monotonic()
    with connected(url, HEAD[:30]) as client:
        assert client.recv(10) == b""
    assert time.monotonic() - begun < workers.HEAD + 3


def test_a_body_that_stops_is_as_if_its_sender_had_gone() -> None:
    here, there = socket.socketpair()
    with here, there:
        there.sendall(b"half")
        reader = workers._Hurried(here, time.monotonic() + 0.05, b"begun ")
        assert (reader.read(6), reader.read(4)) == (b"begun ", b"half")
        with pytest.raises(ConnectionResetError):
            reader.read(4)
        assert there.recv(1) == b""


# stopping


def test_nothing_is_left_after_leaving(tiny_workspace: Workspace) -> None:
    with running_backend(tiny_workspace, host="127.0.0.1", port=0, workers=2, environment=NO_LOGIN) as url:
        assert len(processes(tiny_workspace)) == 4
    assert processes(tiny_workspace) == {}
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_however_serve_ends(tiny_workspace: Workspace, number: signal.Signals) -> None:
    script = "import sys; from pathlib import Path; from ls_retrieval.serve import serve; from store.workspace "
    script += "import Workspace; serve(Workspace(Path(sys.argv[1])), '127.0.0.1', 0, 2)"
    command = [sys.executable, "-c", script, str(tiny_workspace.root)]
    with subprocess.Popen(command, env={**os.environ, **NO_LOGIN}, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert "The backend answers at http://127.0.0.1:" in program.stdout.readline()
        assert len(processes(tiny_workspace)) == 4
        program.send_signal(number)
        assert program.wait(15) == (0 if number == signal.SIGTERM else -number)
    wait_until(lambda: processes(tiny_workspace) == {}, 10)


# the poll


def filler(workspace: Workspace, extra: Mapping[str, str] | None = None) -> Filler:
    given = {"LSR_WORKSPACE": str(workspace.root), "LSR_ENCODER_SOCKET": str(workspace.root / "none"), **(extra or {})}
    return Filler(given)


def test_without_a_label_studio_nothing_is_filled(workspace: Workspace) -> None:
    assert not filler(workspace).able
    assert filler(workspace).task(99, 1) is None  # a project of somebody else


def test_the_poll_goes_on_after_an_error(
    tiny_workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.add_project(tiny_workspace.settings_path, "main", settings.Project(id=3))
    kept = tiny_workspace.settings_path.read_text()
    asked: list[int] = []

    def project(number: int, *, thorough: bool = False) -> None:
        asked.append(number)
        if len(asked) < 4:
            raise ZeroDivisionError

    monkeypatch.setattr(filling, "POLL", 0.02)
    polled, stop = filler(tiny_workspace), threading.Event()
    monkeypatch.setattr(polled, "project", project)
    thread = threading.Thread(target=polled.poll, args=(stop,))
    thread.start()
    wait_until(lambda: len(asked) >= 5, 5)
    tiny_workspace.settings_path.write_text("[half")  # as while somebody edits it
    time.sleep(0.1)
    tiny_workspace.settings_path.write_text(kept)
    seen = len(asked)
    wait_until(lambda: len(asked) > seen, 5)
    stop.set()
    thread.join()
    said = capsys.readouterr().err
    assert said.count("project 3 was not filled:\nTraceback") == 1  # though the poll met it three times
    assert said.count("no project was looked at: ") == 1


def test_the_corpus_is_read_again_only_when_it_changed(tiny_workspace: Workspace) -> None:
    settings.add_project(tiny_workspace.settings_path, "main", settings.Project(id=3))
    one = filler(tiny_workspace)
    first = one._presenter("main")
    assert one._presenter("main") is first
    with tiny_workspace.corpus.open("a") as file:
        file.write('{"_id": "new", "text": "new"}\n')
    assert "new" in one._presenter("main").items
