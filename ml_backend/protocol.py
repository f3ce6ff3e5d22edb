"""The wire protocol of Label Studio 1.23, as pure functions from request bodies to response bodies.

Label Studio gives /health 1 s, /setup 3 s and /predict 100 s. Of n tasks it takes n results or none; an empty list as
a result stores nothing, whereas an empty prediction would keep the task from being asked about again.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, NamedTuple, NotRequired, TypedDict, TypeVar

import msgspec

from label_configs.errors import Unreadable
from label_configs.forms.envelope import is_filled

T = TypeVar("T")
_DIGITS = 19  # of a 64-bit id
Predict = Callable[[Mapping[str, Any]], dict[str, Any] | None]
Fill = Callable[[int, int], Mapping[str, Any] | None]
"""Ids of a project and of a bare task to that task with candidates, or None where that is not possible now."""


class Task(TypedDict):
    """The part of a task that is read. Of a bare one only the id is believed: what it says is read where it is kept."""

    id: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
    data: NotRequired[Any]
    meta: NotRequired[Any]


class PredictRequest(msgspec.Struct):
    """Body of /predict. project is `<id>.<created at>`."""

    tasks: list[Task]
    project: str | int | None = None


class SetupRequest(msgspec.Struct):
    """The part of a body of /setup that is read; the rest holds a token."""

    project: str | int | None = None


class WebhookRequest(msgspec.Struct):
    """The part of a webhook's body that is read; the rest holds secrets and is dropped at the door."""

    action: str
    project: dict[str, Any] = {}


class Event(NamedTuple):
    """What happened, and in which project."""

    action: str
    project: int | None


def decode_predict(body: bytes) -> PredictRequest:
    """Read a body of /predict. Raises Unreadable."""
    return _decode(body, PredictRequest)


def decode_setup(body: bytes) -> int | None:
    """The project that a body of /setup is about. Raises Unreadable."""
    return project_id(_decode(body, SetupRequest).project)


def decode_webhook(body: bytes) -> Event:
    """Read a body of /webhook. Raises Unreadable."""
    request = _decode(body, WebhookRequest)
    project = request.project.get("id")
    return Event(request.action, project if type(project) is int else None)


def project_id(project: str | int | None) -> int | None:
    """The id in Label Studio's `<id>.<created at>`."""
    digits = str(project).partition(".")[0]
    return int(digits) if digits.isdecimal() and len(digits) < _DIGITS else None


def setup(model_version: str) -> dict[str, str]:
    """Answer to /setup. Label Studio compares the version with that of the predictions it holds."""
    return {"model_version": model_version}


def health(ready: bool) -> dict[str, str]:
    """Answer to /health: UP from the first moment; whether new queries can be encoded stands beside it."""
    return {"status": "UP", "model_class": "Retriever", "encoders": "ready" if ready else "loading"}


def predictions(request: PredictRequest, predictor: Callable[[], Predict], fill: Fill | None) -> dict[str, list[Any]]:
    """Answer to /predict: as many results as tasks, in their order; a list of one prediction, or an empty list.

    A bare task that comes alone is one that somebody is opening: it is filled at once, where `fill` is given.
    """
    tasks: Sequence[Mapping[str, Any]] = request.tasks
    predict = predictor()
    project = project_id(request.project)
    if fill is not None and project is not None and len(tasks) == 1 and not is_filled(tasks[0]):
        filled = fill(project, tasks[0]["id"])
        tasks, predict = ([filled], predictor()) if filled is not None else (tasks, predict)
    return {"results": [[prediction] if (prediction := predict(task)) else [] for task in tasks]}


def versions(model_version: str) -> Mapping[str, list[str]]:
    """Answer to /versions."""
    return {"versions": [model_version]}


def _decode(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"The body is not what Label Studio sends: {error}.") from error
