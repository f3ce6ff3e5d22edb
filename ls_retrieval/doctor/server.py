"""Label Studio itself: whether it answers, which version it is, and whether it takes the token."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ls_retrieval import compose
from ls_retrieval.doctor.finding import Finding, ok, warn
from store import secrets
from store.settings import Project
from store.workspace import Workspace
from sync import tokens
from sync.label_studio import TESTED, explained, release

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio

_SOON = timedelta(days=14)


@dataclass(frozen=True)
class Seen:
    """A project of the workspace in a Label Studio that answers. url: that of Label Studio, without a slash."""

    client: "LabelStudio"
    url: str
    workspace: Workspace
    name: str
    project: Project


class Connection:
    """The Label Studio that the environment names, as far as it is reached; open as long as `stack`."""

    def __init__(self, workspace: Workspace, stack: ExitStack) -> None:
        self._workspace, self._stack, self._seen = workspace, stack, list[Seen]()

    @property
    def seen(self) -> list[Seen]:
        """The workspace's projects, once `check` has found Label Studio and the token in order."""
        return self._seen

    def check(self) -> Iterator[Finding]:
        """Address, version and token."""
        url, token = secrets.find("LABEL_STUDIO_URL"), secrets.find("LABEL_STUDIO_API_KEY")
        if url is None:
            mend = "export LABEL_STUDIO_URL=… and LABEL_STUDIO_API_KEY=…"
            yield warn("Label Studio was not looked at: LABEL_STUDIO_URL is not set", mend)
            return
        yield from _version(url)
        client = self._stack.enter_context(compose.label_studio())
        yield from _token(client, token or "")
        projects = self._workspace.settings.projects
        self._seen = [Seen(client, url.rstrip("/"), self._workspace, *one) for one in projects.items()]


def _version(url: str) -> Iterator[Finding]:
    found = release(url)
    if found == TESTED:
        yield ok(f"Label Studio {found} answers at {url}")
    else:
        what = f"Label Studio {found} answers at {url}; the tool is tested with {TESTED}"
        yield warn(what, f"Try the forms that you use, or install it: pip install label-studio=={TESTED}")


def _token(client: "LabelStudio", token: str) -> Iterator[Finding]:
    with explained("asking whose token it is"):
        whose = client.users.whoami().email
    end = tokens.expires(token)
    if end and end - datetime.now(UTC) < _SOON:
        mend = "Make another one under Account & Settings before that."
        yield warn(f"the {tokens.kind(token)} of {whose} expires on {end:%Y-%m-%d}", mend)
    else:
        yield ok(f"the token is a {tokens.kind(token)} of {whose}")
