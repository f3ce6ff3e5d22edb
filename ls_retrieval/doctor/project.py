"""A project of settings.toml: whether Label Studio holds it, as the workspace says."""

from collections.abc import Iterator

from label_configs.errors import Mendable
from ls_retrieval.doctor.finding import Finding, ok, warn
from ls_retrieval.doctor.server import Seen
from sync import projects


def check(seen: Seen) -> Iterator[Finding]:
    """Whether it is there, and shows what the workspace says."""
    title = projects.there(seen.client, seen.project).title
    yield ok(f"project {seen.name} is {seen.project.id}, {title!r}")
    try:
        changed = projects.update(seen.client, seen.project, seen.workspace.rules, dry_run=True)
    except Mendable as error:
        yield warn(f"project {seen.name} shows another config than the rules give. {error.what}", error.mend)
        return
    if changed:
        mend = f"`ls-retrieval init --workspace {seen.workspace.root} --project {seen.name}` brings it back."
        yield warn(f"project {seen.name} differs from the workspace in {', '.join(changed)}", mend)
