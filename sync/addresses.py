"""Whether Label Studio's address protection lets it call a backend and its webhook.

Asked with requests that name no valid authentication and no valid action: Label Studio looks at the address first, and
refuses them in any case, so that nothing is made.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from store.settings import Project
from sync import webhooks
from sync.label_studio import explained

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio

_NONE = "none such"
_REFUSED, _UNKNOWN = "reserved network", "Can't resolve hostname"


class Barred(NamedTuple):
    """An address that Label Studio does not call. setting: what bars it; empty where the host is unknown to it."""

    url: str
    setting: str


def barred(client: "LabelStudio", project: Project, backend: str) -> list[Barred]:
    """Of a backend's address and its webhook's those that Label Studio would not call."""
    hook = webhooks.address(backend)

    def as_backend() -> None:
        client.ml.create(project=project.id, url=backend, auth_method=_NONE)

    def as_webhook() -> None:
        client.webhooks.create(project=project.id, url=hook, actions=[_NONE])

    found = []
    for url, setting, ask in (
        (backend, "ML_BLOCK_LOCAL_IP", as_backend),
        (hook, "SSRF_PROTECTION_ENABLED", as_webhook),
    ):
        said = _answer(url, ask)
        if _REFUSED in said or _UNKNOWN in said:
            found.append(Barred(url, setting if _REFUSED in said else ""))
    return found


def _answer(url: str, ask: Callable[[], None]) -> str:
    from label_studio_sdk.core.api_error import ApiError

    with explained(f"asking about the address {url}"):
        try:
            ask()
        except ApiError as error:
            if error.status_code in {400, 403, 500}:
                return str(error.body)
            raise
    return ""
