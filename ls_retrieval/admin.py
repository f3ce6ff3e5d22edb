"""What an admin does once: the workspace's files, and its project in Label Studio."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from label_configs.errors import Mendable
from ls_retrieval import compose
from store import secrets, settings
from store.media import Media
from store.settings import Media as MediaSettings
from store.settings import Project
from store.workspace import Workspace
from sync import media_storage, projects


class Wanted(NamedTuple):
    """The project that is asked for. settings: fields of Project but its id."""

    name: str
    title: str
    backend: str
    settings: dict[str, Any]


def init(root: Path, wanted: Wanted, *, dry_run: bool = False) -> Iterator[str]:
    """Make or update; gives a line for each thing done, or that would be done."""
    if dry_run:
        yield from _plan(root, wanted)
        return
    workspace = compose.start_workspace(root)
    yield f"workspace {root}: rules.yaml, settings.toml"
    rules = workspace.rules
    workspace.keep_rules(rules)
    with compose.label_studio() as client:
        there = workspace.settings.projects.get(wanted.name)
        if there is None:
            made = projects.create(client, wanted.title, Project(id=0, **wanted.settings), rules)
            there = Project(id=made, **wanted.settings)
            settings.add_project(workspace.settings_path, wanted.name, there)
            yield f"project {wanted.name}: made as {made}"
        else:
            _same(there, wanted)
            changed = projects.update(client, there, rules)
            yield f"project {wanted.name}: {there.id}, {'changed ' + ', '.join(changed) if changed else 'as it was'}"
            if there.votes != wanted.settings["votes"]:
                yield f"votes stay {there.votes}: change [projects.{wanted.name}] in settings.toml, and run init"
        if workspace.settings.media.serve == "local-files" and there.candidates != "text":
            (root / "media").mkdir(exist_ok=True)
            projects.ensure_media(client, there, root / "media")
            yield f"media: Label Studio serves {root / 'media'}"
        if media_storage.wanted(workspace.settings.media, there.query, there.candidates):
            yield from media_storage.ensure(client, there, Media(root, workspace.settings.media))
        if wanted.backend:
            projects.ensure_backend(client, there, _backend(wanted.backend))
            yield f"ML backend: {wanted.backend}"


def _plan(root: Path, wanted: Wanted) -> Iterator[str]:
    workspace = Workspace(root)
    known = workspace.settings.projects if workspace.settings_path.exists() else {}
    yield f"would make missing files in {root}"
    asked = "{form}, {query} to {candidates}, {mode}".format(**wanted.settings)
    yield f"would {'update' if wanted.name in known else 'make'} the project {wanted.name}: {asked}"
    media = workspace.settings.media if workspace.settings_path.exists() else MediaSettings()
    if media_storage.wanted(media, wanted.settings["query"], wanted.settings["candidates"]):
        yield f"would let Label Studio read {media.to}"
    if wanted.backend:
        yield f"would connect the ML backend {wanted.backend}"


def _same(there: Project, wanted: Wanted) -> None:
    """A project keeps what it was made with: answers under other settings would be mixed."""
    changed = [name for name, value in wanted.settings.items() if name != "votes" and getattr(there, name) != value]
    if changed:
        raise Mendable(
            f"The project {wanted.name!r} was made with other settings.",
            problems=[f"{n} is {getattr(there, n)!r}, asked for is {wanted.settings[n]!r}" for n in changed],
            mend="Make another project: --project NAME.",
        )


def _backend(url: str) -> projects.Backend:
    return projects.Backend(url, secrets.find("BASIC_AUTH_USER") or "", secrets.find("BASIC_AUTH_PASS") or "")
