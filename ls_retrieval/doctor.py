"""Checks of what usually goes wrong, each with its mend."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from label_configs.errors import Mendable, Unreadable
from label_configs.records import Item, Query
from ls_retrieval import compose
from store import places
from store.media import Media
from store.workspace import Workspace

_PLACES = 20
"""So many places that media come from are tried."""


class Finding(NamedTuple):
    """One check: whether all is well, what was found, and how to mend it."""

    ok: bool
    what: str
    mend: str = ""


def examine(root: Path) -> list[Finding]:
    """All checks; one that fails does not keep the others from being made."""
    workspace = Workspace(root)
    checks: list[Callable[[Workspace], Iterator[Finding]]] = [
        _rules,
        _settings,
        _corpus,
        _media,
        _index,
        _key,
        _label_studio,
    ]
    return [finding for check in checks for finding in _run(check, workspace)]


def _run(check: Callable[[Workspace], Iterator[Finding]], workspace: Workspace) -> list[Finding]:
    found = []
    try:
        for finding in check(workspace):
            found.append(finding)
    except Mendable as error:
        found.append(Finding(False, "\n      ".join([error.what, *error.problems]), error.mend))
    return found


def _rules(workspace: Workspace) -> Iterator[Finding]:
    yield Finding(True, f"rules {workspace.rules.name}, hash {workspace.rules.hash}")


def _settings(workspace: Workspace) -> Iterator[Finding]:
    yield Finding(True, f"settings with {len(workspace.settings.projects)} projects")


def _corpus(workspace: Workspace) -> Iterator[Finding]:
    items, queries, broken = workspace.read()
    yield Finding(True, f"{len(items)} items, {len(queries)} queries")
    if broken:
        yield _listed("rows are left out", broken, "Correct them; the rest is used without them.")
    missing = Media(workspace.root, workspace.settings.media).missing([*items, *queries])
    if missing:
        yield _listed("media are missing", missing, "Restore them, or leave the rows out.")


def _media(workspace: Workspace) -> Iterator[Finding]:
    """Of every place that media are fetched from, whether it gives one of them; and where thumbnails go."""
    media = Media(workspace.root, workspace.settings.media)
    for place, record in _one_a_place(workspace).items():
        try:
            media.read(record)
        except Unreadable as error:
            yield Finding(False, f"media of {place}: {error.what}", error.mend)
        else:
            yield Finding(True, f"media of {place}")
    if "://" in media.settings.to:
        media.check_shelf()
        yield Finding(True, f"thumbnails go to {media.settings.to}")


def _one_a_place(workspace: Workspace) -> dict[str, Item | Query]:
    there = workspace.read()
    records: list[Item | Query] = [*there.items, *there.queries]
    found: dict[str, Item | Query] = {}
    for record in records:
        if places.is_remote(record.uri):
            found.setdefault(places.origin(record.uri), record)
    return dict(islice(found.items(), _PLACES))


def _listed(what: str, problems: Sequence[str], mend: str) -> Finding:
    shown = "\n      ".join(problems[:10])
    return Finding(False, f"{len(problems)} {what}\n      {shown}", mend)


def _index(workspace: Workspace) -> Iterator[Finding]:
    from ml_backend import index

    for name in workspace.settings.encoders:
        if name in index.current(workspace.index):
            opened = index.load(workspace.index, name)
            what = f"index {opened.version}, {len(opened.rows)} items; {index.about(workspace.index, name)}"
            yield Finding(True, f"encoder {name}: {what}")
        else:
            mend = f"ls-retrieval index --workspace {workspace.root}"
            yield Finding(False, f"encoder {name}: no index", mend)


def _key(workspace: Workspace) -> Iterator[Finding]:
    compose.pseudonym_key(workspace)
    yield Finding(True, "key of the pseudonyms")


def _label_studio(workspace: Workspace) -> Iterator[Finding]:
    from sync.label_studio import explained

    with compose.label_studio() as client:
        yield Finding(True, "Label Studio answers and knows the token")
        for name, project in workspace.settings.projects.items():
            with explained(f"looking for project {name} ({project.id})"):
                client.projects.get(project.id)
                backends = client.ml.list(project=project.id)
            yield Finding(True, f"project {name} is {project.id}")
            for backend in backends:
                connected = str(backend.state or "")
                mend = str(backend.error_message or "Start it: ls-retrieval serve") if connected != "CO" else ""
                yield Finding(connected == "CO", f"ML backend {backend.url} of {name}: {connected}", mend)
