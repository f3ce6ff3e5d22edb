"""The Flask app: authentication, limits and errors around the pure functions of the protocol."""

import hmac
import logging
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from flask import Flask, Response, abort, request
from werkzeug.exceptions import HTTPException

from label_configs.errors import Mendable, Unreadable
from ml_backend import protocol, ui
from ml_backend.encoders.base import NotReady
from ml_backend.protocol import Fill
from ml_backend.retriever import Retriever

_MAX_BODY = 128 * 1024 * 1024
_WAKING, _TRAINING = "TASKS_CREATED", "START_TRAINING"
log = logging.getLogger(__name__)


class Credentials(NamedTuple):
    """Basic authentication as Label Studio sends it. Its automatic webhook cannot send it, and only wakes."""

    user: str
    password: str


def create_app(
    retriever: Retriever,
    *,
    fill: Fill | None = None,
    wake: Callable[[int], None] | None = None,
    learn: Callable[[int], None] | None = None,
    credentials: Credentials | None = None,
) -> Flask:
    """The app. fill: writes candidates into a bare task; wake: does so for all bare tasks of a project; learn: learns
    from a project's judgments.
    """
    app, given = Flask(__name__), {_WAKING: (wake, "filled"), _TRAINING: (learn, "learned from")}
    wakers = {action: _Waker(run, done) for action, (run, done) in given.items() if run}
    app.config["MAX_CONTENT_LENGTH"] = _MAX_BODY

    @app.before_request
    def authenticate() -> Response | None:
        open_to_all = request.endpoint in {"health", "root", "webhook"}
        return None if open_to_all or _known(credentials) else _denied()

    @app.before_request
    def take_json_alone() -> None:
        """A page in somebody's browser can send anything else here without being asked."""
        if request.method == "POST" and request.mimetype != "application/json":
            abort(415, "Only bodies of Content-Type application/json are read.")

    @app.get("/", endpoint="root")
    @app.get("/health")
    def health() -> dict[str, str]:
        return protocol.health(retriever.ready())

    @app.post("/setup")
    def setup() -> dict[str, str]:
        return protocol.setup(retriever.ranker_of(protocol.decode_setup(request.get_data())).version)

    @app.post("/predict")
    def predict() -> dict[str, list[Any]]:
        asked = protocol.decode_predict(request.get_data())
        predictor = partial(retriever.predictor, protocol.project_id(asked.project))
        return protocol.predictions(asked, predictor, _quiet(fill) if fill else None)

    @app.post("/webhook")
    def webhook() -> dict[str, str]:
        event = protocol.decode_webhook(request.get_data())
        if event.project is not None and event.action in wakers:
            wakers[event.action].wake(event.project)
        return {"status": "ok"}

    @app.get("/versions")
    def versions() -> dict[str, list[str]]:
        return dict(protocol.versions(retriever.ranker.version))

    app.register_blueprint(ui.blueprint(retriever, locked=credentials is not None))
    app.register_error_handler(Exception, _error)
    return app


def _known(credentials: Credentials | None) -> bool:
    if credentials is None:
        return True
    given = request.authorization
    if given is None or given.type != "basic":
        return False
    user = hmac.compare_digest(str(given.username).encode(), credentials.user.encode())
    return user & hmac.compare_digest(str(given.password).encode(), credentials.password.encode())


def _denied() -> Response:
    return Response("Credentials are needed.\n", 401, {"WWW-Authenticate": 'Basic realm="ls-retrieval"'})


def _quiet(fill: Fill) -> Fill:
    """Filling that fails for a reason somebody can mend leaves the task as it is, for the next try."""

    def attempt(project: int, task_id: int) -> Mapping[str, Any] | None:
        try:
            return fill(project, task_id)
        except NotReady:
            return None
        except Mendable as error:
            log.warning("task %s of project %s was not filled: %s", task_id, project, error)
            return None

    return attempt


class _Waker:
    """Wakes a project in a thread of its own, one at a time: events that come meanwhile are left to the poll.

    done: what becomes of the project, for messages.
    """

    def __init__(self, wake: Callable[[int], None], done: str) -> None:
        self._wake, self._done, self._awake, self._lock = wake, done, set[int](), threading.Lock()

    def wake(self, project: int) -> None:
        with self._lock:
            if project not in self._awake:
                self._awake.add(project)
                threading.Thread(target=self._run, args=(project,), daemon=True).start()

    def _run(self, project: int) -> None:
        try:
            self._wake(project)
        except Mendable as error:
            log.warning("project %s was not %s: %s", project, self._done, error)
        finally:
            with self._lock:
                self._awake.discard(project)


def _error(error: Exception) -> tuple[dict[str, str], int]:
    """Errors as a sentence; a traceback goes to the log alone."""
    if isinstance(error, HTTPException):
        return {"error": error.description or error.name}, error.code or 500
    if isinstance(error, Unreadable):
        return {"error": error.what}, 400
    if isinstance(error, Mendable):
        return {"error": str(error)}, 503
    log.exception("a request failed")
    return {"error": "The backend failed; its log says where."}, 500
