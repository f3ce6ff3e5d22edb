"""The workspace's own files, and where its media come from."""

from collections.abc import Iterator
from itertools import islice

from label_configs.errors import Unreadable
from label_configs.records import Item, Query
from ls_retrieval import compose
from ls_retrieval.doctor.finding import Finding, fail, ok, warn
from store import places
from store import pools as kept
from store.media import Media
from store.workspace import Workspace

_PLACES = 20
"""So many places that media come from are tried."""


def rules(workspace: Workspace) -> Iterator[Finding]:
    """What answers mean."""
    yield ok(f"rules {workspace.rules.name}, hash {workspace.rules.hash}")


def settings(workspace: Workspace) -> Iterator[Finding]:
    """Everything else that people set."""
    yield ok(f"settings with {len(workspace.settings.projects)} projects")


def corpus(workspace: Workspace) -> Iterator[Finding]:
    """Items and queries, and whether the media that they name are there."""
    items, queries, broken = workspace.read()
    yield ok(f"{len(items)} items, {len(queries)} queries")
    if broken:
        yield fail(f"{len(broken)} rows are left out", "Correct them; the rest is used without them.", broken)
    missing = Media(workspace.root, workspace.settings.media).missing([*items, *queries])
    if missing:
        yield fail(f"{len(missing)} media are missing", "Restore them, or leave the rows out.", missing)


def media(workspace: Workspace) -> Iterator[Finding]:
    """Of every place that media are fetched from, whether it gives one of them; and where thumbnails go."""
    there = Media(workspace.root, workspace.settings.media)
    for place, record in _one_a_place(workspace).items():
        try:
            there.read(record)
        except Unreadable as error:
            yield fail(f"media of {place}: {error.what}", error.mend)
        else:
            yield ok(f"media of {place}")
    if "://" in there.settings.to:
        there.check_shelf()
        yield ok(f"thumbnails go to {there.settings.to}")


def pools(workspace: Workspace) -> Iterator[Finding]:
    """Whether the queries that pools were made for are still there."""
    known = {query.query_id for query in workspace.read_queries().records}
    asked = dict.fromkeys(pool.query_id for pool in kept.each(workspace.pools))
    lost = [query_id for query_id in asked if query_id not in known]
    yield ok(f"pools of {len(asked) - len(lost)} queries")
    if lost:
        mend = f"Restore their rows in {workspace.queries.name}; without them their judgments stay out of the data."
        yield warn(f"pools of {len(lost)} queries that are not there any more", mend, lost)


def secrets(workspace: Workspace) -> Iterator[Finding]:
    """The secrets that the workspace has for itself."""
    compose.pseudonym_key(workspace)
    yield ok("key of the pseudonyms")
    if compose.webhook_secret(workspace) is None:
        mend = f"`ls-retrieval init --workspace {workspace.root}` makes one; or set LSR_WEBHOOK_SECRET."
        yield warn("there is no secret for the webhook", mend)
    else:
        yield ok("secret of the webhook")


def _one_a_place(workspace: Workspace) -> dict[str, Item | Query]:
    there = workspace.read()
    records: list[Item | Query] = [*there.items, *there.queries]
    found: dict[str, Item | Query] = {}
    for record in records:
        if places.is_remote(record.uri):
            found.setdefault(places.origin(record.uri), record)
    return dict(islice(found.items(), _PLACES))
