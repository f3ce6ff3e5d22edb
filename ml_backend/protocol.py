"""The wire protocol of Label Studio 1.23, as pure functions from request bodies to response bodies.

Label Studio gives /health 1 s, /setup 3 s and /predict 100 s. Of n tasks it takes n results or none; an empty list as
a result stores nothing, whereas an empty prediction would keep the task from being asked about again.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, NamedTuple, NotRequired, TypedDict, TypeVar

import msgspec

from label_configs.errors import Unreadable
from label_configs.forms import plain
from label_configs.forms.envelope import is_filled

T = TypeVar("T")
_asked = msgspec.json.Decoder(plain.Asked)
_DIGITS = 19  # of a 64-bit id
_MOST = 100_000
"""Tasks of one request: more than Label Studio ever sends."""
Given = plain.Asked | Mapping[str, Any] | None
"""A task: read at once where it is as this tool makes them; any other as it came; None for what is none."""
Predict = Callable[[Sequence[Given]], Sequence[dict[str, Any] | None]]
"""Tasks to a prediction each; None for one that gets none."""
Fill = Callable[[int, int], Mapping[str, Any] | None]
"""Ids of a project and of a bare task to that task with candidates, or None where that is not possible now."""
Closer = Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any] | None]
"""A task and what somebody has said of it so far, to a prediction that takes it up."""


class Task(TypedDict):
    """The part of a task that is read. Of a bare one only the id is believed: what it says is read where it is kept."""

    id: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
    data: NotRequired[Any]
    meta: NotRequired[Any]


class PredictRequest(NamedTuple):
    """A request of /predict. context: what somebody has said of its tasks so far, which come as mappings then."""

    tasks: Sequence[Given]
    project: int | None
    context: Mapping[str, Any] | None = None


class Event(NamedTuple):
    """What happened, and in which project."""

    action: str
    project: int | None


class _Predict(msgspec.Struct):
    """Body of /predict. project is `<id>.<created at>`; params hold a login too, which is dropped at the door."""

    tasks: Annotated[list[msgspec.Raw], msgspec.Meta(max_length=_MOST)]
    project: str | int | None = None
    params: Any = None


class _Setup(msgspec.Struct):
    """The part of a body of /setup that is read; the rest holds a token."""

    project: str | int | None = None


class _Webhook(msgspec.Struct):
    """The part of a webhook's body that is read; the rest holds secrets and is dropped at the door."""

    action: str
    project: dict[str, Any] = {}


def decode_predict(body: bytes) -> PredictRequest:
    """Read a body of /predict. Raises Unreadable; a task that cannot be read takes none of the others with it."""
    request = _decode(body, _Predict)
    said = request.params.get("context") if isinstance(request.params, dict) else None
    context = said if isinstance(said, dict) else None
    read = _given if context is None else _task
    return PredictRequest([read(one) for one in request.tasks], project_id(request.project), context)


def decode_setup(body: bytes) -> int | None:
    """The project that a body of /setup is about. Raises Unreadable."""
    return project_id(_decode(body, _Setup).project)


def decode_webhook(body: bytes) -> Event:
    """Read a body of /webhook. Raises Unreadable."""
    request = _decode(body, _Webhook)
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


def predictions(
    request: PredictRequest,
    predictor: Callable[[], Predict],
    *,
    fill: Fill | None = None,
    wake: Callable[[int], None] | None = None,
) -> dict[str, list[Any]]:
    """Answer to /predict: as many results as tasks, in their order; a list of one prediction, or an empty list.

    A bare task that comes alone is one that somebody is opening: it is filled at once, where `fill` is given. Where
    there are more, `wake` is told of their project, and they are filled after the answer.
    """
    tasks, project, predict = request.tasks, request.project, predictor()
    bare = [task for task in tasks if isinstance(task, Mapping) and not is_filled(task)]
    if bare and project is not None:
        if len(tasks) == 1 and fill is not None:
            filled = fill(project, bare[0]["id"])
            tasks, predict = ([filled], predictor()) if filled is not None else (tasks, predict)
        elif wake is not None:
            wake(project)
    return {"results": [[] if prediction is None else [prediction] for prediction in predict(tasks)]}


def interactive(request: PredictRequest, closer: Closer) -> dict[str, list[Any]]:
    """Answer to a /predict with a context, whose results Label Studio shows and does not store: one prediction each."""
    context = request.context or {}
    found = [closer(task, context) if isinstance(task, Mapping) else None for task in request.tasks]
    return {"results": [{"result": []} if prediction is None else prediction for prediction in found]}


def versions(model_versions: list[str]) -> dict[str, list[str]]:
    """Answer to /versions: Label Studio asks for those that there are, and drops the project on the way."""
    return {"versions": model_versions}


def _given(raw: msgspec.Raw) -> Given:
    """A task; of one of ours no more than is used."""
    try:
        return _asked.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _task(raw)


def _task(raw: msgspec.Raw) -> Task | None:
    try:
        return msgspec.json.decode(raw, type=Task)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _decode(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"The body is not what Label Studio sends: {error}.") from error
