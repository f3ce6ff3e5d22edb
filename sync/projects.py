"""Projects in Label Studio: made once, with their config, instructions, votes, media storage and backend."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from label_configs.errors import Mendable
from label_configs.forms import form
from label_configs.rules import Rules
from store.settings import Project
from sync.label_studio import ONCE, explained

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio


@dataclass(frozen=True)
class Backend:
    """Where Label Studio finds the ML backend, and how it authenticates."""

    url: str
    user: str = ""
    password: str = ""


def create(client: "LabelStudio", title: str, project: Project, rules: Rules) -> int:
    """Make a project; returns its id."""
    with explained(f"creating the project {title!r}"):
        made = client.projects.create(title=title, request_options=ONCE, **_wanted(project, rules))
    return int(made.id)  # type: ignore[arg-type]


def update(client: "LabelStudio", project: Project, rules: Rules) -> list[str]:
    """Bring a project to what the workspace says; returns the fields that differed.

    Only those are sent: Label Studio checks a config against the answers whenever it is sent, and knows no control
    that a Repeater makes.
    """
    with explained(f"looking at project {project.id}"):
        there = client.projects.get(project.id)
    changed = {name: value for name, value in _wanted(project, rules).items() if getattr(there, name, None) != value}
    if "label_config" in changed and there.total_annotations_number:
        raise Mendable(
            f"The config of project {project.id} cannot change: it holds {there.total_annotations_number} answers.",
            why="They were given to what the present config shows.",
            mend="Make another project for the new rules: --project NAME. The answers of this one stay; "
            "[mappings.HASH] in settings.toml says what they are now. Or restore rules.yaml.",
        )
    if changed:
        with explained(f"updating project {project.id}"):
            client.projects.update(project.id, **changed)
    return sorted(changed)


def refuse_earlier(client: "LabelStudio", project: Project, rules: Rules, earlier: Iterable[Rules]) -> None:
    """Raise Mendable where a project still shows the config of earlier rules; one that somebody wrote may pass."""
    outdated = {_config(project, one) for one in earlier} - {_config(project, rules)}
    if not outdated:
        return
    with explained(f"looking at project {project.id}"):
        there = client.projects.get(project.id)
    if there.label_config in outdated:
        raise Mendable(
            f"Project {project.id} still shows the config of earlier rules.",
            why="Its annotators would answer in other words than those that their answers are read by.",
            mend="`ls-retrieval init` brings it to the present rules, or says how to go on where it has answers.",
        )


def ensure_media(client: "LabelStudio", project: Project, folder: Path) -> None:
    """Let Label Studio serve the media folder of the workspace to the project's annotators."""
    path = str(folder.resolve())
    with explained("adding the media folder as local storage"):
        if any(storage.path == path for storage in client.import_storage.local.list(project=project.id)):
            return
        try:
            client.import_storage.local.create(project=project.id, path=path, title="media", use_blob_urls=True)
        except Exception as error:
            if "LOCAL_FILES" in str(error) or "document root" in str(error).lower():
                raise Mendable(
                    f"Label Studio may not serve {path}.",
                    mend="Start it with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and "
                    f"LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT={folder.parent.resolve()}.",
                ) from error
            raise


def ensure_backend(client: "LabelStudio", project: Project, backend: Backend) -> None:
    """Connect the ML backend, once; one at another address is taken out."""
    with explained(f"connecting the ML backend {backend.url}"):
        there = list(client.ml.list(project=project.id))
        for other in there:
            if other.url != backend.url and other.id is not None:
                client.ml.delete(other.id)
                _forget(client, project, f"{other.url}/webhook")
        if any(one.url == backend.url for one in there):
            return
        login: dict[str, Any] = (
            {"auth_method": "BASIC_AUTH", "basic_auth_user": backend.user, "basic_auth_pass": backend.password}
            if backend.user
            else {}
        )
        client.ml.create(project=project.id, url=backend.url, title="ls-retrieval", request_options=ONCE, **login)


def _forget(client: "LabelStudio", project: Project, url: str) -> None:
    """Delete the webhook that Label Studio made with a backend and leaves behind."""
    for hook in client.webhooks.list(project=project.id):
        if hook.url == url and hook.id is not None:
            client.webhooks.delete(hook.id)


def _config(project: Project, rules: Rules) -> str:
    return form(project.form).xml(rules, project.query, project.candidates)


def _wanted(project: Project, rules: Rules) -> dict[str, Any]:
    return {
        "label_config": _config(project, rules),
        "expert_instruction": rules.guideline(),
        "show_instruction": False,
        "maximum_annotations": project.votes,
        "show_collab_predictions": project.mode == "assist",
    }
