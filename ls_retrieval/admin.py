"""What an admin does once: the workspace's files, and its project in Label Studio."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from label_configs.errors import Mendable
from label_configs.forms import form
from label_configs.rules import Rules
from ls_retrieval import compose
from store import secrets, settings
from store.media import Media
from store.settings import Media as MediaSettings
from store.settings import Project
from store.workspace import Workspace
from sync import media_storage, projects

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio


class Wanted(NamedTuple):
    """The project that is asked for. settings: fields of Project but its id, as far as somebody asks for them."""

    name: str
    title: str
    backend: str
    settings: Mapping[str, Any]

    def new(self, project_id: int = 0) -> Project:
        """The settings of a project made so; its mode is its form's own where nobody asks for one."""
        mode = form(str(self.settings.get("form", "graded"))).MODE
        return Project(**{"mode": mode, **self.settings, "id": project_id})


def init(root: Path, wanted: Wanted, *, dry_run: bool = False) -> Iterator[str]:
    """Make or update; gives a line for each thing done. dry_run: ask what would be done, and do nothing."""
    there = Workspace(root)
    known = there.settings.projects if there.settings_path.exists() else {}
    if wanted.name not in known:
        projects.check_title(wanted.title)
    if dry_run:
        yield from _plan(there, known.get(wanted.name), wanted)
        return
    with compose.label_studio() as client:
        made = _missing(there)
        workspace = compose.start_workspace(root)
        yield _line(f"workspace {root}:", made, dry_run=False)
        rules = workspace.rules
        workspace.keep_rules(rules)
        project = known.get(wanted.name)
        if project is None:
            project = wanted.new(projects.create(client, wanted.title, wanted.new(), rules))
            settings.add_project(workspace.settings_path, wanted.name, project)
            yield f"project {wanted.name}: made as {project.id}"
        else:
            yield from _bring(client, project, wanted, rules)
        yield from _surroundings(client, workspace, project, wanted)


def _plan(workspace: Workspace, project: Project | None, wanted: Wanted) -> Iterator[str]:
    """What init would do, as the server says where there is something to compare."""
    if missing := _missing(workspace):
        yield _line(f"workspace {workspace.root}:", missing, dry_run=True)
    if project is not None:
        with compose.label_studio() as client:
            yield from _bring(client, project, wanted, workspace.rules, dry_run=True)
            yield from _surroundings(client, workspace, project, wanted, dry_run=True)
        return
    if secrets.find("LABEL_STUDIO_URL") is None:
        yield "Label Studio was not asked: LABEL_STUDIO_URL is not set"
    else:
        with compose.label_studio():
            yield "Label Studio answers, and knows the token"
    backend = f", with the ML backend {wanted.backend}" if wanted.backend else ""
    yield (
        f"would make the project {wanted.name}: "
        + "{form}, {query} to {candidates}, {mode}".format(**wanted.new().model_dump())
        + backend
    )
    media = workspace.settings.media if workspace.settings_path.exists() else MediaSettings()
    if media_storage.wanted(media, wanted.new().query, wanted.new().candidates):
        yield f"would let Label Studio read {media.to}"


def _missing(workspace: Workspace) -> list[str]:
    """What init makes of the workspace's own files."""
    missing = [path.name for path in (workspace.rules_path, workspace.settings_path) if not path.exists()]
    return [f"made {', '.join(missing)}"] if missing else []


def _bring(
    client: "LabelStudio", project: Project, wanted: Wanted, rules: Rules, *, dry_run: bool = False
) -> Iterator[str]:
    """Bring a project that is there to what its settings and the rules say."""
    _same(project, wanted)
    changed = projects.update(client, project, rules, dry_run=dry_run)
    yield _line(f"project {wanted.name}: {project.id},", [f"changed {name}" for name in changed], dry_run)
    if project.votes != wanted.settings.get("votes", project.votes):
        yield f"votes stay {project.votes}: change [projects.{wanted.name}] in settings.toml, and run init"


def _surroundings(
    client: "LabelStudio", workspace: Workspace, project: Project, wanted: Wanted, *, dry_run: bool = False
) -> Iterator[str]:
    """What a project needs beside itself: media that Label Studio serves, and the ML backend with its webhook."""
    folder = workspace.root / "media"
    shows_media = {project.query, project.candidates} != {"text"}
    if shows_media and workspace.settings.media.serve == "local-files":
        if not dry_run:
            folder.mkdir(exist_ok=True)
        done = projects.ensure_media(client, project, folder, dry_run=dry_run)
        yield _line(f"media in {folder}:", done, dry_run)
    media = workspace.settings.media
    if media_storage.wanted(media, project.query, project.candidates):
        if dry_run:
            yield f"would let Label Studio read {media.to}"
        else:
            yield from media_storage.ensure(client, project, Media(workspace.root, media))
    if wanted.backend:
        backend = _backend(workspace, wanted.backend)
        done = projects.ensure_backend(client, project, backend, dry_run=dry_run)
        yield _line(f"ML backend {wanted.backend}:", done, dry_run)


def _line(of: str, done: Sequence[str], dry_run: bool) -> str:
    """One line on one thing: what was, or would be, done about it."""
    return f"{of} {'would be ' if dry_run and done else ''}{', '.join(done) or 'as it was'}"


def _same(there: Project, wanted: Wanted) -> None:
    """A project keeps what it was made with: answers under other settings would be mixed."""
    changed = [name for name, value in wanted.settings.items() if name != "votes" and getattr(there, name) != value]
    if changed:
        raise Mendable(
            f"The project {wanted.name!r} was made with other settings.",
            problems=[f"{n} is {getattr(there, n)!r}, asked for is {wanted.settings[n]!r}" for n in changed],
            mend="Make another project: --project NAME.",
        )


def _backend(workspace: Workspace, url: str) -> projects.Backend:
    """The backend and what it asks for. In a dry run of a new workspace the secret is not made yet."""
    user, password = secrets.find("BASIC_AUTH_USER") or "", secrets.find("BASIC_AUTH_PASS") or ""
    if bool(user) != bool(password):
        raise Mendable("Only one of BASIC_AUTH_USER and BASIC_AUTH_PASS is set.", mend="Set both, or neither.")
    return projects.Backend(url, user, password, compose.webhook_secret(workspace))
