"""Checks of what usually goes wrong, each with its mend: one small module a topic."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from ls_retrieval.doctor import backend, browser, files, index, project, server, tasks, versions, webhook
from ls_retrieval.doctor.finding import Finding, run
from ls_retrieval.doctor.server import Seen
from store.workspace import Workspace

__all__ = ["Finding", "examine"]

OFFLINE: Mapping[str, Callable[[Workspace], Iterator[Finding]]] = {
    "rules": files.rules,
    "settings": files.settings,
    "corpus": files.corpus,
    "media": files.media,
    "index": index.check,
    "pools": files.pools,
    "secrets": files.secrets,
}
"""What is looked at without Label Studio."""
ONLINE: Mapping[str, Callable[[Seen], Iterator[Finding]]] = {
    "backend": backend.check,
    "webhook": webhook.check,
    "versions": versions.check,
    "browser": browser.check,
    "tasks": tasks.check,
}
"""What is looked at in each project that Label Studio holds."""


def examine(root: Path, *, models: bool = False) -> Iterator[Finding]:
    """All checks; one that fails keeps no other from being made. models: load the encoders too."""
    workspace = Workspace(root)
    for topic, check in OFFLINE.items():
        yield from run(topic, partial(check, workspace))
    if models:
        yield from run("models", partial(index.models, workspace))
    with ExitStack() as stack:
        connection = server.Connection(workspace, stack)
        yield from run("server", connection.check)
        for seen in connection.seen:
            yield from _project(seen)


def _project(seen: Seen) -> Iterator[Finding]:
    found = list(run("project", partial(project.check, seen)))
    yield from found
    if not any(finding.level == "FAIL" for finding in found):
        for topic, check in ONLINE.items():
            yield from run(topic, partial(check, seen))
