"""The backend for teams that host theirs with label-studio-ml 2.x: `from ml_backend.model import RetrievalModel`.

It answers as the app in `app.py` does. The workspace is the folder that LSR_WORKSPACE names. label-studio-ml makes an
object of the class for every request, so all that is heavy stays in this module; and it sends the traceback of every
error to the caller, so none is let out: errors are logged, and what cannot be predicted gets no prediction.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from functools import cache, partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from label_configs.errors import Mendable
from ml_backend import protocol

if TYPE_CHECKING:
    from ml_backend.retriever import Retriever
    from ml_backend.waking import Waker

PACKAGE = "label-studio-ml"
OLDEST = 2
_HOW = "Install label-studio-ml 2 from its repository: docs/label-studio-ml.md."
log = logging.getLogger(__name__)


def __getattr__(name: str) -> Any:
    """RetrievalModel, made when it is first asked for: its base class is found only where label-studio-ml is."""
    if name != "RetrievalModel":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _model()


@cache
def _model() -> type[Any]:
    base: Any = _base()

    class RetrievalModel(base):  # type: ignore[misc] # found at run time
        """A workspace's predictions, in the methods that label-studio-ml calls."""

        def setup(self) -> None:
            """Tell the version of the predictions; label-studio-ml answers /setup with it."""
            try:
                project = protocol.project_id(self.project_id)
                self.set("model_version", retriever().version_of(project))
            except Exception as error:
                _log("the version of the model is unknown", error)

        def predict(
            self, tasks: Sequence[Mapping[str, Any]], context: Mapping[str, Any] | None = None, **kwargs: Any
        ) -> list[Any]:
            """One result a task, in their order: a list of one prediction, or an empty list, which stores nothing."""
            try:
                return _predict(tasks, self.project_id, context)
            except Exception as error:
                _log("no task was predicted", error)
                return [[] for _ in tasks]

        def fit(self, event: str, data: Mapping[str, Any], **kwargs: Any) -> dict[str, str]:
            """Learn from what was pulled, where Label Studio's "Start training" asks for it; after the answer.

            Nothing is read from an event, which anybody may send: answers come by `ls-retrieval pull`.
            """
            project = protocol.project_id(self.project_id)
            if event == "START_TRAINING" and project is not None:
                trainer().wake(project)
            return {"status": "ok", "event": event}

    RetrievalModel.__module__, RetrievalModel.__qualname__ = __name__, "RetrievalModel"
    return RetrievalModel


@cache
def retriever() -> "Retriever":
    """What this process knows of the workspace; opened once."""
    from ml_backend.encoder_service import RemoteEncoders
    from ml_backend.retriever import Retriever

    root = os.environ.get("LSR_WORKSPACE", "")
    if not Path(root, "rules.yaml").is_file():
        raise Mendable(
            f"LSR_WORKSPACE is {root!r}, which is no workspace.",
            mend="Set it to the folder that `ls-retrieval init` made.",
        )
    return Retriever(Path(root), RemoteEncoders(Path(os.devnull)))


@cache
def trainer() -> "Waker":
    """What learns in this process."""
    from ml_backend.waking import Waker

    return Waker("training", _learn)


def _learn(project: int) -> None:
    from ml_backend.learning import learn

    workspace = retriever().workspace
    if any(one.id == project for one in workspace.settings.projects.values()):
        learn(workspace, project)


def _predict(tasks: Sequence[Mapping[str, Any]], project: str, context: Mapping[str, Any] | None) -> list[Any]:
    """Through the door that requests from Label Studio take in the app."""
    body = {"tasks": tasks, "project": project, "params": {"context": context}}
    asked = protocol.decode_predict(msgspec.json.encode(body))
    if asked.context is not None:
        return protocol.interactive(asked, retriever().closer(asked.project))["results"]
    return protocol.predictions(asked, partial(retriever().predictor, asked.project))["results"]


def _base() -> Any:
    """LabelStudioMLBase. Raises Mendable where it is missing, too old or broken."""
    try:
        version = metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        raise Mendable(f"{PACKAGE} is not installed.", mend=_HOW) from None
    if int(version.partition(".")[0]) < OLDEST:
        raise Mendable(
            f"{PACKAGE} {version} is too old.",
            why="Releases before 2 do not import as installed, and pin a Flask that nobody mends any more.",
            mend=_HOW,
        )
    try:
        from label_studio_ml.model import LabelStudioMLBase
    except ImportError as error:
        raise Mendable(f"{PACKAGE} {version} cannot be imported: {error}.", mend=_HOW) from error
    return LabelStudioMLBase


def _log(what: str, error: Exception) -> None:
    """What can be mended in a sentence, a defect with its traceback; both to the log alone."""
    if isinstance(error, Mendable):
        log.warning("%s: %s", what, error)
    else:
        log.exception("%s", what)
