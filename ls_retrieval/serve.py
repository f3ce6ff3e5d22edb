"""The ML backend in service: an encoder process, web workers, and the poll that fills bare tasks."""

import os
import signal
import socket
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
from label_configs.records import Query
from ls_retrieval import compose
from store import corpus, secrets
from store.workspace import Workspace
from sync.fill import bare_query, fill, fill_project
from sync.label_studio import connected

if TYPE_CHECKING:
    from flask import Flask

    from ml_backend.protocol import Task

POLL = 15.0
"""Seconds between two looks for bare tasks."""
_STOP = 10.0
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class Filler:
    """Fills bare tasks of the workspace's projects, where the environment names a Label Studio.

    environment: holds LSR_WORKSPACE, LSR_ENCODER_SOCKET, and for filling LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        from ml_backend.encoder_service import RemoteEncoders
        from ml_backend.retriever import Retriever

        self._workspace = Workspace(Path(environment["LSR_WORKSPACE"]))
        self.retriever = Retriever(self._workspace.root, RemoteEncoders(Path(environment["LSR_ENCODER_SOCKET"])))
        self._url = secrets.find("LABEL_STUDIO_URL", environment)
        self._key = secrets.find("LABEL_STUDIO_API_KEY", environment)

    @property
    def able(self) -> bool:
        """Whether there is a Label Studio to write to."""
        return bool(self._url and self._key)

    def task(self, project: int, task: "Task") -> "Task | None":
        """Fill the one task that somebody is opening."""
        name = self._name(project)
        if name is None:
            return None
        presenter = compose.presenter(self._workspace, name)
        with connected(self._url or "", self._key or "") as client:
            query = bare_query({"data": task.get("data")}, presenter)
            if query is not None:
                self._keep(query)
            return fill(client, presenter, int(task["id"]), self.retriever.propose)

    def project(self, project: int) -> None:
        """Fill all bare tasks of a project that nobody works on."""
        name = self._name(project)
        if name is not None:
            presenter = compose.presenter(self._workspace, name)
            with connected(self._url or "", self._key or "") as client:
                fill_project(client, presenter, self.retriever.propose, keep=self._keep)

    def poll(self, stop: threading.Event) -> None:
        """Fill all projects, now and again, until told to stop."""
        while not stop.wait(POLL):
            for project in Workspace(self._workspace.root).settings.projects.values():
                try:
                    self.project(project.id)
                except Mendable as error:
                    print(f"project {project.id} was not filled: {error}", file=sys.stderr, flush=True)

    def _keep(self, query: Query) -> None:
        if query.query_id not in {q.query_id for q in corpus.queries(self._workspace.queries)}:
            corpus.add_live(self._workspace.queries, query)

    def _name(self, project: int) -> str | None:
        projects = Workspace(self._workspace.root).settings.projects
        return next((name for name, one in projects.items() if one.id == project), None)


def application() -> "Flask":
    """The app of one web worker, for gunicorn; its workspace and socket come from the environment."""
    from ml_backend.app import Credentials, create_app

    filler = Filler(os.environ)
    user, password = secrets.find("BASIC_AUTH_USER"), secrets.find("BASIC_AUTH_PASS")
    return create_app(
        filler.retriever,
        fill=filler.task if filler.able else None,
        wake=filler.project if filler.able else None,
        credentials=Credentials(user, password) if user and password else None,
    )


@contextmanager
def running_backend(
    workspace: Workspace, *, host: str, port: int, workers: int, environment: Mapping[str, str] | None = None
) -> Iterator[str]:
    """The backend's processes, stopped at exit; gives its URL once it answers.

    environment: what the processes get beside this one's. Raises Mendable for a port in use, an address that is open
    to others without credentials, or a backend that does not come up.
    """
    given = {**os.environ, **(environment or {})}
    if host not in _LOOPBACK and not (given.get("BASIC_AUTH_USER") and given.get("BASIC_AUTH_PASS")):
        raise Mendable(
            f"The backend does not listen on {host} without credentials.",
            why="Everybody who reaches it could read the corpus and write tasks.",
            mend="Set BASIC_AUTH_USER and BASIC_AUTH_PASS, or use --host 127.0.0.1.",
        )
    port = _free(host, port)
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lsr-"))) / "encoders"
        given |= {"LSR_WORKSPACE": str(workspace.root.resolve()), "LSR_ENCODER_SOCKET": str(place)}
        root = str(workspace.root.resolve())
        stack.enter_context(_process([sys.executable, "-m", "ml_backend.encoder_service", root, str(place)], given))
        gunicorn = [sys.executable, "-m", "gunicorn", "ls_retrieval.serve:application()", "--bind", f"{host}:{port}"]
        options = ["--workers", str(workers), "--threads", "4", "--timeout", "120", "--log-level", "warning"]
        web = stack.enter_context(_process([*gunicorn, *options], given))
        _await(web, host, port)
        stack.enter_context(_polling(Filler(given)))
        yield f"http://{host}:{port}"


def serve(workspace: Workspace, host: str, port: int, workers: int) -> None:
    """Serve until the process is asked to stop."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with running_backend(workspace, host=host, port=port, workers=workers) as url:
        print(f"The backend answers at {url}; Ctrl-C stops it.", flush=True)
        stop.wait()


def _free(host: str, port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Mendable(
                f"Port {port} cannot be used for the backend: {error.strerror}.",
                mend="Stop what listens there, or choose another one with --port.",
            ) from error
        return int(probe.getsockname()[1])


@contextmanager
def _process(command: list[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A child process in a group of its own: Ctrl-C reaches it through this process alone."""
    child = subprocess.Popen(command, env=dict(environment), stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(_STOP)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@contextmanager
def _polling(filler: Filler) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=filler.poll, args=(stop,), daemon=True)
    if filler.able:
        thread.start()
    try:
        yield
    finally:
        stop.set()


def _await(web: subprocess.Popen[bytes], host: str, port: int) -> None:
    """Wait until the web workers answer."""
    import requests

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and web.poll() is None:
        try:
            requests.get(f"http://{host}:{port}/health", timeout=1).raise_for_status()
        except requests.RequestException:
            time.sleep(0.1)
        else:
            return
    raise Mendable("The backend did not come up.", mend="Its messages above say why.")
