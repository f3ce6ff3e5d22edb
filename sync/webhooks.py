"""The webhook by which Label Studio wakes the ML backend: ours, with a secret in a header.

Label Studio signs nothing: the header is what tells its events from a stranger's. It keeps headers in its database as
they are, and shows them to whoever may see the project's webhooks.
"""

from typing import TYPE_CHECKING, Any

from store.settings import Project
from sync.label_studio import ONCE, explained

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio
    from label_studio_sdk.types.webhook import Webhook

HEADER = "X-LS-Retrieval-Secret"
ACTIONS = ("TASKS_CREATED", "ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED")
"""What the backend uses: bare tasks to fill, and answers to learn from."""
_PATH = "/webhook"


def address(backend: str) -> str:
    """Where a backend takes events: where Label Studio's own webhook would go to."""
    return f"{backend.rstrip('/')}{_PATH}"


def listed(client: "LabelStudio", project: Project) -> list["Webhook"]:
    """The webhooks of a project, oldest first."""
    with explained(f"listing the webhooks of project {project.id}"):
        return sorted(client.webhooks.list(project=str(project.id)), key=lambda hook: hook.id or 0)


def ensure(
    client: "LabelStudio", project: Project, backend: str, secret: str | None, *, dry_run: bool = False
) -> list[str]:
    """Have one webhook to a backend: with the secret, for what it uses alone. Returns what was, or would be, done.

    Made before the backend is connected: Label Studio then makes none of its own, which would carry no secret.
    """
    url = address(backend)
    there = [hook for hook in listed(client, project) if hook.url == url]
    wanted = _wanted(secret)
    done = []
    if not there:
        done.append("webhook made" if secret is None else "webhook made, with the secret header")
        if not dry_run:
            with explained(f"making the webhook {url}"):
                client.webhooks.create(project=project.id, url=url, request_options=ONCE, **wanted)
    elif changed := differing(there[0], secret):
        done.append(f"webhook changed in {', '.join(changed)}")
        if not dry_run:
            with explained(f"changing the webhook {url}"):
                client.webhooks.update(there[0].id or 0, url=url, **wanted)
    if there[1:]:
        done.append(f"{len(there) - 1} more webhooks to it removed")
        if not dry_run:
            _delete(client, there[1:])
    return done


def differing(hook: "Webhook", secret: str | None) -> list[str]:
    """The fields in which a webhook is not as it should be."""
    wanted = _wanted(secret)
    there = {**hook.model_dump(include=set(wanted)), "actions": sorted(hook.actions or [])}
    wanted["actions"] = sorted(wanted["actions"])
    return sorted(name for name, value in wanted.items() if there.get(name) != value)


def strays(hooks: "list[Webhook]", backends: list[str]) -> "list[Webhook]":
    """Webhooks that look like a backend's where none of these is: Label Studio leaves them when one is deleted."""
    known = {address(backend) for backend in backends}
    return [hook for hook in hooks if hook.url.endswith(_PATH) and hook.url not in known]


def remove(client: "LabelStudio", project: Project, backend: str) -> None:
    """Delete the webhooks to a backend."""
    _delete(client, [hook for hook in listed(client, project) if hook.url == address(backend)])


def _delete(client: "LabelStudio", hooks: "list[Webhook]") -> None:
    for hook in hooks:
        with explained(f"removing the webhook {hook.url}"):
            client.webhooks.delete(hook.id or 0)


def _wanted(secret: str | None) -> dict[str, Any]:
    return {
        "actions": list(ACTIONS),
        "headers": {} if secret is None else {HEADER: secret},
        "is_active": True,
        "send_for_all_actions": False,
        "send_payload": True,
    }
