"""The ML backend in service: an encoder process, web workers, and the threads that fill bare tasks and pull answers."""

import gc
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from label_configs.errors import Mendable
from ls_retrieval import compose, ports
from ls_retrieval.filling import Filler
from ml_backend import lifeline
from ml_backend.guard import Credentials, is_loopback
from store import secrets, wake
from store.workspace import Workspace

if TYPE_CHECKING:
    from flask import Flask


WEBHOOK_SECRET = "LSR_WEBHOOK_SECRET"  # noqa: S105 - the name of a variable
_STOP = 10.0
_RESTART = 1.0
_GLANCE = 0.1


def application() -> "Flask":
    """The app of one web worker, for gunicorn; its workspace and socket come from the environment."""
    from ml_backend.app import create_app

    lifeline.hold(os.getppid())
    filler = Filler(os.environ)
    gc.freeze()  # what is loaded by now is never garbage: no request need look through it
    gc.set_threshold(50_000)  # objects; an answer for thousands of tasks is as many, and all of them are in use
    return create_app(
        filler.retriever,
        fill=filler.task if filler.able else None,
        wake=filler.project if filler.able else None,
        heard=lambda _: wake.ring(filler.workspace.root),
        train=filler.learn,
        credentials=_login(os.environ),
        secret=secrets.find(WEBHOOK_SECRET),
    )


def _login(environment: Mapping[str, str]) -> Credentials | None:
    """User and password that the backend asks for, where they are set."""
    user, password = secrets.find("BASIC_AUTH_USER", environment), secrets.find("BASIC_AUTH_PASS", environment)
    if bool(user) != bool(password):
        raise Mendable(
            f"{'BASIC_AUTH_PASS' if user else 'BASIC_AUTH_USER'} is not set.",
            why="Half of the credentials would protect nothing.",
            mend="Set both BASIC_AUTH_USER and BASIC_AUTH_PASS, or neither.",
        )
    return Credentials(user, password) if user and password else None


@contextmanager
def running_backend(
    workspace: Workspace, *, host: str, port: int, workers: int, environment: Mapping[str, str] | None = None
) -> Iterator[str]:
    """The backend's processes, stopped at exit; gives its URL once it answers.

    environment: what the processes get beside this one's. Raises Mendable for a port in use, an address that is open
    to others without credentials, or a backend that does not come up.
    """
    given = {**os.environ, **(environment or {})}
    if _login(given) is None and not is_loopback(host):
        raise Mendable(
            f"The backend does not listen on {host} without credentials.",
            why="Everybody who reaches it could read the corpus and write tasks.",
            mend="Set BASIC_AUTH_USER and BASIC_AUTH_PASS, or use --host 127.0.0.1.",
        )
    secrets.find(WEBHOOK_SECRET, given)  # one that cannot be read is told here, not by every web worker
    port = ports.free(port, "the backend", host)
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lsr-"))) / "encoders"
        root = str(workspace.root.resolve())
        given |= {"LSR_WORKSPACE": root, "LSR_ENCODER_SOCKET": str(place), lifeline.VARIABLE: "stdin"}
        given |= {"LSR_WEBHOOK_SECRET": secret} if (secret := compose.webhook_secret(workspace, given)) else {}
        given["XDG_RUNTIME_DIR"] = str(place.parent)  # where gunicorn puts its control socket, one a user otherwise
        stack.enter_context(_running([sys.executable, "-m", "ml_backend.encoder_service", root, str(place)], given))
        gunicorn = [sys.executable, "-m", "gunicorn", "ls_retrieval.serve:application()", "--bind", address]
        gunicorn += ["--worker-class", "ls_retrieval.workers.Worker", "--threads", "64"]
        options = ["--workers", str(workers), "--timeout", "120", "--log-level", "warning"]
        ended = stack.enter_context(_running([*gunicorn, *options], given))
        _await(ended, address)
        stack.enter_context(_going_on(workspace, given))
        yield f"http://{address}"


def serve(workspace: Workspace, host: str, port: int, workers: int) -> None:
    """Serve until the process is asked to stop."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with running_backend(workspace, host=host, port=port, workers=workers) as url:
        print(f"The backend answers at {url}; Ctrl-C stops it.", flush=True)
        stop.wait()


@contextmanager
def _running(command: list[str], environment: Mapping[str, str]) -> Iterator[threading.Event]:
    """A child process, started again whenever it ends by itself; gives an event that is set when it first does."""
    stop, ended = threading.Event(), threading.Event()

    def keep() -> None:
        while not stop.is_set():
            with _process(command, environment) as child:
                while child.poll() is None and not stop.wait(_GLANCE):
                    pass
            if not stop.is_set():
                print(f"{command[2]} ended with {child.returncode}; it is started again.", file=sys.stderr, flush=True)
                ended.set()
                stop.wait(_RESTART)

    thread = threading.Thread(target=keep)
    thread.start()
    try:
        yield ended
    finally:
        stop.set()
        thread.join()


@contextmanager
def _process(command: list[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A child process in a group of its own: Ctrl-C reaches it through this process alone.

    Its standard input is the lifeline, which closes even when this process is killed.
    """
    child = subprocess.Popen(command, env=dict(environment), stdin=subprocess.PIPE, start_new_session=True)
    with child:
        try:
            yield child
        finally:
            child.terminate()
            try:
                child.wait(_STOP)
            except subprocess.TimeoutExpired:
                child.kill()


@contextmanager
def _going_on(workspace: Workspace, environment: Mapping[str, str]) -> Iterator[None]:
    """Fill bare tasks and pull answers for as long as the block runs, where there is a Label Studio to talk to."""
    from ls_retrieval.gathering import Gatherer  # what reads answers: no web worker waits for it

    stop, filler = threading.Event(), Filler(environment)
    for work in (filler.poll, Gatherer(workspace, environment).gather) if filler.able else ():
        threading.Thread(target=work, args=(stop,), daemon=True).start()
    try:
        yield
    finally:
        stop.set()


def _await(ended: threading.Event, address: str) -> None:
    """Wait until the web workers answer."""
    import requests

    deadline = time.monotonic() + 60
    with requests.Session() as session:
        session.trust_env = False  # no proxy stands between this machine and itself
        while time.monotonic() < deadline and not ended.is_set():
            try:
                session.get(f"http://{address}/health", timeout=1).raise_for_status()
            except requests.RequestException:
                time.sleep(_GLANCE)
            else:
                return
    raise Mendable("The backend did not come up.", mend="Its messages above say why.")
