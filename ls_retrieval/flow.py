"""The commands that move data: push, pull, export, sync."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from label_configs.errors import Mendable
from label_configs.forms.envelope import Task
from ls_retrieval import compose
from ls_retrieval.progress import bar, say
from store import pools
from store.buckets import open_bucket
from store.judgments import Table
from store.workspace import Workspace
from sync import bucket as buckets
from sync import export as exporting
from sync import gates, projects
from sync import pull as pulling
from sync import push as pushing
from sync.bucket import Published
from sync.dataset import Dataset, load
from sync.label_studio import explained
from sync.pull import Pulled
from sync.push import Pushed
from sync.report import summary


def push(workspace: Workspace, project: str, *, dry_run: bool = False) -> Pushed:
    """Make tasks of every query's pools, round by round, as far as their items are still in the corpus."""
    presenter = compose.presenter(workspace, project)
    fits = pools.fitting(presenter.project, presenter.queries.values(), presenter.items.values())
    known = pools.load(workspace.pools)
    latest = pools.latest(known.values(), fits)
    if not latest:
        raise Mendable(
            f"There are no pools for the project {project!r} yet.",
            mend=f"Run `ls-retrieval pool --workspace {workspace.root} --project {project}` first.",
        )
    arranged = [presenter.arrange(pool) for pool in latest]
    if not dry_run:
        pools.append(workspace.pools, [pool for pool in arranged if pool.pool_id not in known])
    with bar("Making cards", len(arranged)) as advance:
        tasks: list[Task] = []
        for pool in arranged:
            tasks += presenter.tasks([pool])
            advance(1)
    if not dry_run:
        workspace.keep_rules(presenter.rules)
    with compose.label_studio() as client, bar("Pushing tasks", len(tasks)) as advance:
        projects.refuse_earlier(client, presenter.project, presenter.rules, workspace.earlier_rules())
        pushed = pushing.push(client, presenter.project, tasks, dry_run=dry_run, advance=advance)
        if pushed.made and not dry_run:
            with explained("naming the model of the predictions"):
                version = compose.ranker(workspace, presenter.project.id).version
                client.projects.update(presenter.project.id, model_version=version)
    return pushed


def pull(workspace: Workspace, project: str) -> Pulled:
    """Read what is new of a project."""
    chosen = workspace.project(project)
    table = Table(workspace.judgments / str(chosen.id))
    key = compose.pseudonym_key(workspace)
    with compose.label_studio() as client, bar("Pulling answers") as advance:
        return pulling.pull(client, chosen, table, cache(workspace.rules_of), key, advance=advance)


def tell(pulled: Pulled) -> None:
    """Print what a pull read, and every answer that it could not read."""
    for problem in pulled.problems:
        say(f"unreadable: {problem}")
    print(
        f"{pulled.new} new answers, {pulled.edited} edited, {pulled.deleted} deleted, {pulled.unchanged} as they were; "
        f"{len(pulled.problems)} unreadable"
    )


def dataset(workspace: Workspace, project: str) -> Dataset:
    """A project's data, as report, export and sync see them."""
    return load(workspace, project)


def export(workspace: Workspace, project: str, formats: Sequence[str], out: Path) -> list[Path]:
    """Write data sets into a folder."""
    names = exporting.known(formats)
    with bar("Writing data sets", len(names)) as advance:
        return exporting.export(load(workspace, project), names, out, advance=advance)


def sync(workspace: Workspace, project: str, to: str, formats: Sequence[str], *, dry_run: bool = False) -> Published:
    """Pull, consensus, gates, formats, publish. A gate that fails publishes nothing."""
    names = exporting.known(formats)
    fingerprint = pulling.fingerprint(compose.pseudonym_key(workspace))
    bucket = open_bucket(to, make=not dry_run)
    _same_key(buckets.manifest(bucket), fingerprint)
    if not dry_run:
        tell(pull(workspace, project))
    data = load(workspace, project)
    figures = summary(data)
    checked = gates.check(figures, workspace.settings.gates)
    gates.enforce(checked)
    with TemporaryDirectory() as aside:
        out = Path(aside) if dry_run else workspace.exports
        with bar("Writing data sets", len(names)) as advance:
            paths = exporting.export(data, names, out, advance=advance)
        about = exporting.about(data, figures, checked, fingerprint)
        with bar("Publishing", len(paths)) as advance:
            return buckets.publish(bucket, out, paths, about, dry_run=dry_run, advance=advance)


def _same_key(manifest: dict[str, object] | None, fingerprint: str) -> None:
    if manifest is not None and manifest.get("pseudonym_key") != fingerprint:
        raise Mendable(
            "The pseudonym key is not the one that the bucket's data were made with.",
            why="Annotators would get new names, and their answers could not be joined with earlier ones.",
            mend="Restore the key (LSR_PSEUDONYM_KEY or pseudonym.key), or sync to another bucket.",
        )
