"""The routes under `/ui`: the page, what it asks for, and the pictures and recordings that it shows."""

import io
import mimetypes
from pathlib import PurePosixPath

import msgspec
from flask import Blueprint, Response, abort, current_app, make_response, render_template, request, send_file

from label_configs.errors import Mendable, Unreadable
from label_configs.records import Item
from ml_backend.encoders.base import NotReady
from ml_backend.retriever import Retriever
from ml_backend.ui import asking, guard, knobs
from ml_backend.ui.asking import Ask, Save, Sought
from ml_backend.ui.desk import Desk
from ml_backend.ui.preview import preview
from store import settings_file
from store.media import Media

_SMALL = 64 * 1024
"""Bytes that a request may have beside a picture."""
_PLAYED = {"audio", "video"}


def blueprint(retriever: Retriever, *, locked: bool) -> Blueprint:
    """The page. locked: whether the app asks for credentials before anything here is reached."""
    pages, desk = (
        Blueprint("ui", __name__, url_prefix="/ui", template_folder="templates", static_folder="static"),
        Desk(retriever),
    )

    @pages.before_request
    def guarded() -> None:
        request.max_content_length = _SMALL
        if not locked:
            guard.check_host()
        if request.method not in {"GET", "HEAD"}:
            guard.check_write()

    pages.after_request(guard.harden)

    @pages.get("/", strict_slashes=False)
    def page() -> Response:
        token = guard.token()
        return guard.give(make_response(render_template("ui.html", groups=knobs.GROUPS, token=token)), token)

    @pages.get("/state")
    def state() -> dict[str, object]:
        return desk.state()

    @pages.post("/pool")
    def pool() -> dict[str, object]:
        settings = desk.workspace.settings
        request.max_content_length = min(_SMALL + settings.media.max_bytes * 4 // 3, _most())
        ask = asking.decode(request.get_data(), Ask)
        asked, tried = asking.query(ask, desk.find, settings.media), knobs.adjusted(settings, ask.settings)
        collection = desk.collection(asked.query.modality, ask.candidates)
        known = retriever.encoded(collection, asked.picture) if asked.picture else {}
        return preview(asked, collection, tried, known)

    @pages.post("/settings")
    def settings() -> dict[str, object]:
        save, path = asking.decode(request.get_data(), Save), desk.workspace.settings_path
        knobs.adjusted(desk.workspace.settings, save.settings)
        change = settings_file.change(path, save.settings)
        if save.base:
            if save.base != change.base:
                abort(409, "settings.toml was changed meanwhile. Look at the difference again.")
            settings_file.write(path, change)
        return {"diff": change.diff, "base": change.base, "written": bool(save.base)}

    @pages.get("/thumb")
    def thumb() -> Response:
        item = _sought(desk, {"image"})
        path = Media(desk.workspace.root, desk.workspace.settings.media).thumbnail(item)
        return send_file(path, mimetype="image/webp", conditional=True, max_age=0)

    @pages.get("/media")
    def media() -> Response:
        item = _sought(desk, _PLAYED)
        content = Media(desk.workspace.root, desk.workspace.settings.media).read(item)
        return send_file(io.BytesIO(content), mimetype=_kind(item), conditional=True, max_age=0)

    pages.register_error_handler(Mendable, _told)
    return pages


def _most() -> int:
    """What the app reads of any request."""
    return int(current_app.config["MAX_CONTENT_LENGTH"])


def _sought(desk: Desk, modalities: set[str]) -> Item:
    """The item that a request names, by id: no part of a request is ever a path."""
    try:
        sought = msgspec.convert(request.args.to_dict(), Sought)
    except msgspec.ValidationError as error:
        raise Unreadable(f"The request is not what the page sends: {error}.") from error
    item = desk.item(sought.asked, sought.candidates, sought.doc_id)
    if item is None or item.modality not in modalities:
        abort(404, "The corpus has no such item.")
    return item


def _kind(item: Item) -> str:
    """The type of a recording by its suffix, where that is the type of a recording."""
    guessed = mimetypes.guess_type(f"x{PurePosixPath(item.uri).suffix}")[0] or ""
    return guessed if guessed.partition("/")[0] in _PLAYED else "application/octet-stream"


def _told(error: Mendable) -> tuple[dict[str, object], int]:
    """What is wrong and how to mend it. retry: whether waiting is enough."""
    waiting = isinstance(error, NotReady)
    told = {"error": error.what, "why": error.why, "mend": error.mend, "problems": error.problems, "retry": waiting}
    return told, 503 if waiting else 400
