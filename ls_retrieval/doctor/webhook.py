"""The webhooks of a project: ours with its secret, Label Studio's own without, and those that lead nowhere."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ls_retrieval import compose
from ls_retrieval.doctor.finding import Finding, fail, ok, warn
from ls_retrieval.doctor.server import Seen
from sync import projects, webhooks

if TYPE_CHECKING:
    from label_studio_sdk.types.webhook import Webhook


def check(seen: Seen) -> Iterator[Finding]:
    """Whether events reach each backend with the secret, once, and go nowhere else unasked."""
    hooks = webhooks.listed(seen.client, seen.project)
    backends = [one.url for one in projects.backends(seen.client, seen.project)]
    for backend in backends[:1]:
        yield from _to(seen, backend, [hook for hook in hooks if hook.url == webhooks.address(backend)])
    for hook in webhooks.strays(hooks, backends):
        mend = "Delete it in the project's Settings, Webhooks, unless something else listens there."
        yield warn(f"the webhook {hook.url} leads to no connected ML backend", mend)


def _to(seen: Seen, backend: str, hooks: "list[Webhook]") -> Iterator[Finding]:
    again = f"ls-retrieval init --workspace {seen.workspace.root} --project {seen.name} --backend {backend}"
    if not hooks:
        yield warn(f"no webhook leads to {backend}: new tasks and answers are noticed by looking now and then", again)
        return
    for hook in hooks[1:]:
        yield warn(f"a second webhook leads to {hook.url}: every event comes twice", again)
    changed = webhooks.differing(hooks[0], compose.webhook_secret(seen.workspace))
    if not changed:
        yield ok(f"the webhook {hooks[0].url} carries the secret")
    elif "headers" in changed and not hooks[0].headers:
        yield fail(f"the webhook {hooks[0].url} is Label Studio's own: it carries no secret, and is not heard", again)
    elif "headers" in changed:
        yield fail(f"the webhook {hooks[0].url} carries another secret than the backend's, and is not heard", again)
    elif "is_active" in changed:
        yield warn(f"the webhook {hooks[0].url} is switched off", again)
    else:
        yield warn(f"the webhook {hooks[0].url} differs in {', '.join(changed)}", again)
