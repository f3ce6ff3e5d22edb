"""Projects in Label Studio: made once, with their config, instructions, votes, media storage and backend.

What changes something takes `dry_run`, and then only asks; it returns what was, or would be, done.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from label_configs.errors import Mendable
from label_configs.forms import form
from label_configs.rules import Rules
from store.settings import Project, Purpose
from sync import webhooks
from sync.label_studio import ONCE, explained

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio
    from label_studio_sdk.types.lse_project_response import LseProjectResponse
    from label_studio_sdk.types.ml_backend import MlBackend

_PURPOSES: Mapping[Purpose, str] = {
    "main": "",
    "qualification": "<p>What is right here is known. To pass, {pass_mark:.0%} of your answers have to be right; how "
    "you did is told when you are through. Take the time that you need.</p>",
    "adjudication": "<p>Others do not agree on these. What you answer is final: say why, where it is asked.</p>",
    "recheck": "<p>Others have judged these, some of them wrongly perhaps. Judge each as if you were the first.</p>",
}
"""What annotators are told of a project's purpose, before the guideline."""
_TITLE = range(3, 51)
"""How many characters Label Studio takes as a title."""


@dataclass(frozen=True)
class Backend:
    """Where Label Studio finds the ML backend, how it authenticates, and the secret that its webhook carries."""

    url: str
    user: str = ""
    password: str = field(default="", repr=False)
    secret: str | None = field(default=None, repr=False)

    @property
    def login(self) -> dict[str, Any]:
        """The fields by which Label Studio authenticates; none where the backend asks for nothing."""
        if not self.user:
            return {}
        return {"auth_method": "BASIC_AUTH", "basic_auth_user": self.user, "basic_auth_pass": self.password}


def check_title(title: str) -> None:
    """Raise Mendable for a title that Label Studio does not take."""
    if len(title) not in _TITLE:
        raise Mendable(
            f"The title {title[:80]!r} has {len(title)} characters; Label Studio takes 3 to 50.",
            mend="Give another one: --title TEXT.",
        )


def create(client: "LabelStudio", title: str, project: Project, rules: Rules) -> int:
    """Make a project; returns its id."""
    check_title(title)
    with explained(f"creating the project {title!r}"):
        made = client.projects.create(title=title, request_options=ONCE, **_wanted(project, rules))
    return int(made.id)  # type: ignore[arg-type]


def there(client: "LabelStudio", project: Project) -> "LseProjectResponse":
    """The project as Label Studio holds it. Raises Mendable where it is gone."""
    from label_studio_sdk.core.api_error import ApiError

    with explained(f"looking at project {project.id}"):
        try:
            return client.projects.get(project.id)
        except ApiError as error:
            if error.status_code != 404:
                raise
    raise Mendable(
        f"Label Studio holds no project {project.id}.",
        why="It was deleted there, or LABEL_STUDIO_URL names another Label Studio than the one it was made in.",
        mend="Check LABEL_STUDIO_URL. Where the project is gone for good: delete its section [projects.NAME] from "
        f"settings.toml, and `ls-retrieval init --project NAME` makes a new one; judgments/{project.id} keeps the "
        "answers that were pulled.",
    )


def update(client: "LabelStudio", project: Project, rules: Rules, *, dry_run: bool = False) -> list[str]:
    """Bring a project to what the workspace says; returns the fields that differed.

    Only those are sent: Label Studio checks a config against the answers whenever it is sent, and knows no control
    that a Repeater makes.
    """
    found = there(client, project)
    changed = {name: value for name, value in _wanted(project, rules).items() if getattr(found, name, None) != value}
    if "label_config" in changed and found.total_annotations_number:
        raise Mendable(
            f"The config of project {project.id} cannot change: it holds {found.total_annotations_number} answers.",
            why="They were given to what the present config shows.",
            mend="Make another project for the new rules: --project NAME. The answers of this one stay; "
            "[mappings.HASH] in settings.toml says what they are now. Or restore rules.yaml.",
        )
    if changed and not dry_run:
        with explained(f"updating project {project.id}"):
            client.projects.update(project.id, **changed)
    return sorted(changed)


def refuse_earlier(client: "LabelStudio", project: Project, rules: Rules, earlier: Iterable[Rules]) -> None:
    """Raise Mendable where a project still shows the config of earlier rules; one that somebody wrote may pass."""
    outdated = {config(project, one) for one in earlier} - {config(project, rules)}
    if outdated and there(client, project).label_config in outdated:
        raise Mendable(
            f"Project {project.id} still shows the config of earlier rules.",
            why="Its annotators would answer in other words than those that their answers are read by.",
            mend="`ls-retrieval init` brings it to the present rules, or says how to go on where it has answers.",
        )


def ensure_media(client: "LabelStudio", project: Project, folder: Path, *, dry_run: bool = False) -> list[str]:
    """Let Label Studio serve the media folder of the workspace to the project's annotators."""
    path = str(folder.resolve())
    with explained("adding the media folder as local storage"):
        if any(storage.path == path for storage in client.import_storage.local.list(project=project.id)):
            return []
        if dry_run:
            return ["added as local storage"]
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
    return ["added as local storage"]


def backends(client: "LabelStudio", project: Project) -> list["MlBackend"]:
    """The ML backends of a project; Label Studio asks each for its health and its model while it lists them."""
    with explained(f"listing the ML backends of project {project.id}"):
        return list(client.ml.list(project=project.id))


def ensure_backend(client: "LabelStudio", project: Project, backend: Backend, *, dry_run: bool = False) -> list[str]:
    """Connect the ML backend, once, with its webhook; then one at another address is taken out with its own."""
    present = backends(client, project)
    mine = next((one for one in present if _at(one, backend)), None)
    done = webhooks.ensure(client, project, backend.url, backend.secret, dry_run=dry_run)
    if mine is None:
        if not dry_run:
            _connect(client, project, backend)
        done = ["connected", *done]
    elif _locked_out(mine, backend):
        if not dry_run:
            with explained(f"giving the ML backend {backend.url} its login"), _connecting(backend):
                client.ml.update(mine.id or 0, url=mine.url, project=project.id, **backend.login)
        done.append("login given anew")
    others = [one for one in present if not _at(one, backend)]
    if not dry_run:
        _take_out(client, project, others)
    return done + [f"{other.url} taken out" for other in others]


def _take_out(client: "LabelStudio", project: Project, others: Iterable["MlBackend"]) -> None:
    for other in others:
        with explained(f"taking out the ML backend {other.url}"):
            client.ml.delete(other.id or 0)
        webhooks.remove(client, project, other.url)


def _at(one: "MlBackend", backend: Backend) -> bool:
    return one.url.rstrip("/") == backend.url.rstrip("/")


def _locked_out(there: "MlBackend", backend: Backend) -> bool:
    """Whether Label Studio has another login than the backend asks for; it keeps the password to itself."""
    return bool(backend.user) and (there.basic_auth_user != backend.user or there.state == "ER")


def _connect(client: "LabelStudio", project: Project, backend: Backend) -> None:
    """Add the backend; where Label Studio does not take it, its webhook goes too."""
    try:
        with explained(f"connecting the ML backend {backend.url}"), _connecting(backend):
            client.ml.create(
                project=project.id, url=backend.url, title="ls-retrieval", request_options=ONCE, **backend.login
            )
    except Mendable:
        webhooks.remove(client, project, backend.url)
        raise


@contextmanager
def _connecting(backend: Backend) -> Iterator[None]:
    """Say in a sentence why Label Studio, which tries a backend before it takes it, does not take this one."""
    from label_studio_sdk.core.api_error import ApiError

    try:
        yield
    except ApiError as error:
        if error.status_code != 400:
            raise
        said = _said(error.body)
        if "authentication parameters" in said or "401" in said:
            raise Mendable(
                f"The ML backend {backend.url} does not take the login that Label Studio sends.",
                mend="Set BASIC_AUTH_USER and BASIC_AUTH_PASS as they are where it runs, and run init again.",
            ) from error
        raise Mendable(
            f"Label Studio does not reach the ML backend {backend.url}.",
            why=said,
            mend="Start it: ls-retrieval serve. And give the address by which Label Studio reaches it: --backend URL.",
        ) from error


def _said(body: Any) -> str:
    """What Label Studio says of a backend, without the links."""
    errors = body.get("validation_errors") if isinstance(body, dict) else None
    said = " ".join(errors.get("non_field_errors", [])) if isinstance(errors, dict) else ""
    return re.sub(r"<[^>]*>", "", said or str(body))[:500]


def config(project: Project, rules: Rules) -> str:
    """The labeling config that a project has under these rules."""
    return form(project.form).xml(rules, project.query, project.candidates)


def instruction(project: Project, rules: Rules) -> str:
    """What annotators read before they begin, as HTML."""
    return _PURPOSES[project.purpose].format(pass_mark=project.pass_mark) + rules.guideline()


def _wanted(project: Project, rules: Rules) -> dict[str, Any]:
    return {
        "label_config": config(project, rules),
        "expert_instruction": instruction(project, rules),
        "show_instruction": True,
        "maximum_annotations": project.votes,
        "show_collab_predictions": project.mode == "assist",
    }
