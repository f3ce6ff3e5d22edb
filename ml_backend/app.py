"""The Flask app: authentication, limits and errors around the pure functions of the protocol."""

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec
from flask import Flask, Response, abort, request
from werkzeug.exceptions import HTTPException, Unauthorized

from label_configs.errors import Mendable, Unreadable
from ml_backend import protocol, ui
from ml_backend.encoders.base import NotReady
from ml_backend.guard import Credentials, Guard
from ml_backend.protocol import Fill
from ml_backend.retriever import Retriever
from ml_backend.waking import Act, Waker

_MAX_BODY = 128 * 1024 * 1024
_ANSWERS = ("ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED")
_REALM = 'Basic realm="ls-retrieval"'
log = logging.getLogger(__name__)


def create_app(
    retriever: Retriever,
    *,
    fill: Fill | None = None,
    wake: Act | None = None,
    heard: Act | None = None,
    train: Act | None = None,
    credentials: Credentials | None = None,
    secret: str | None = None,
) -> Flask:
    """The app. fill: writes candidates into a bare task; wake: does so for all bare tasks of a project.

    heard: what is done about an answer; train: what "Start training" asks for. credentials, secret: see Guard.
    """
    app, guard, quiet = Flask(__name__), Guard(credentials, secret), _quiet(fill) if fill else None
    waker = Waker("waking", wake) if wake else None
    actions = {"TASKS_CREATED": waker, "START_TRAINING": Waker("training", train) if train else None}
    actions |= dict.fromkeys(_ANSWERS, Waker("hearing", heard) if heard else None)
    app.config["MAX_CONTENT_LENGTH"] = _MAX_BODY

    @app.before_request
    def authenticate() -> None:
        if request.endpoint != "health":
            guard.check(request, webhook=request.endpoint == "webhook")

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
        return protocol.setup(retriever.version_of(protocol.decode_setup(request.get_data())))

    @app.post("/predict")
    def predict() -> Response:
        asked = protocol.decode_predict(request.get_data())
        if asked.context is not None:
            return _json(protocol.interactive(asked, retriever.closer(asked.project)))
        predictor = partial(retriever.predictor, asked.project)
        return _json(protocol.predictions(asked, predictor, fill=quiet, wake=waker.wake if waker else None))

    @app.post("/webhook")
    def webhook() -> dict[str, str]:
        event = protocol.decode_webhook(request.get_data())
        action = actions.get(event.action)
        if action is not None and event.project is not None:
            action.wake(event.project)
        return {"status": "ok"}

    @app.get("/versions")
    def versions() -> dict[str, list[str]]:
        return protocol.versions(retriever.versions())

    app.register_blueprint(ui.blueprint(retriever, locked=credentials is not None))
    app.register_error_handler(Exception, _error)
    return app


def _json(answer: dict[str, list[Any]]) -> Response:
    """An answer that may be large."""
    return Response(msgspec.json.encode(answer), mimetype="application/json")


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


def _error(error: Exception) -> tuple[dict[str, str], int, dict[str, str]]:
    """Errors as a sentence; a traceback goes to the log alone."""
    if isinstance(error, HTTPException):
        asks = {"WWW-Authenticate": _REALM} if isinstance(error, Unauthorized) else {}
        return {"error": error.description or error.name}, error.code or 500, asks
    if isinstance(error, Unreadable):
        return {"error": error.what}, 400, {}
    if isinstance(error, Mendable):
        return {"error": str(error)}, 503, {}
    log.exception("a request failed")
    return {"error": "The backend failed; its log says where."}, 500, {}
