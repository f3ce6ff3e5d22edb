"""The commands that move data: take, push, pull, export."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

from label_configs.errors import Mendable, PartlyDone
from label_configs.forms.envelope import Task
from ls_retrieval import compose
from ls_retrieval.progress import bar, say
from store import files, places, pools, taking, times
from store.judgments import Table
from store.mappings import RulesOf
from store.settings import Project
from store.workspace import Workspace
from sync import export as exporting
from sync import export_file, export_storage, projects, views
from sync import pull as pulling
from sync import push as pushing
from sync.dataset import Dataset, State, load
from sync.label_studio import explained
from sync.pull import Pulled
from sync.push import Pushed
from sync.splits import counted


def take(root: Path, source: str, path: Path, grades: Mapping[int, int], *, dry_run: bool = False) -> taking.Taken:
    """Take judgments that a team has already, into a workspace that is made where there is none."""
    workspace = Workspace(root) if dry_run else compose.start_workspace(root)
    return taking.take(workspace, source, path, grades, dry_run=dry_run)


def push(workspace: Workspace, project: str, *, dry_run: bool = False) -> Pushed:
    """Make tasks of every query's pools, round by round, as far as their items are still in the corpus."""
    presenter = compose.presenter(workspace, project)
    fits = pools.fitting(presenter.project, presenter.queries.values(), presenter.items.values())
    folder = workspace.pools_of(presenter.project)
    known = pools.load(folder)
    latest = pools.latest(known.values(), fits)
    if not latest:
        raise Mendable(
            f"There are no pools for the project {project!r} yet.",
            mend=f"Run `ls-retrieval pool --workspace {workspace.root} --project {project}` first.",
        )
    arranged = [presenter.arrange(pool) for pool in latest]
    if not dry_run:
        pools.append(folder, [pool for pool in arranged if pool.pool_id not in known])
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
        if not dry_run:
            asked = {presenter.queries[pool.query_id].domain for pool in latest}
            views.ensure(client, presenter.project.id, views.of_domains(asked))
        if pushed.made and not dry_run and presenter.project.purpose == "main":
            with explained("naming the model of the predictions"):
                version = compose.ranker(workspace, presenter.project.id).version
                client.projects.update(presenter.project.id, model_version=version)
    return pushed


def pull(workspace: Workspace, project: str, environ: Mapping[str, str] = os.environ) -> Pulled:
    """Read what is new of a project."""
    chosen, table, rules_of, key = reading(workspace, project)
    doing = "Pulling answers"
    with compose.label_studio(environ) as client, bar(doing, pulling.first(client, chosen, table)) as advance:
        return pulling.pull(client, chosen, table, rules_of, key, advance=advance)


def pull_export(workspace: Workspace, project: str, path: Path) -> Pulled:
    """Read what a JSON export of the project has that is new."""
    chosen, table, rules_of, key = reading(workspace, project)
    with bar(f"Reading tasks of {path.name}") as advance:
        return export_file.pull(path, chosen, table, rules_of, key, advance=advance)


def pull_storage(workspace: Workspace, project: str, url: str) -> Pulled:
    """Read what is new in the storage that Label Studio exports the project to."""
    chosen, table, rules_of, key = reading(workspace, project)
    with bar(f"Reading {places.named(url)}") as advance:
        return export_storage.pull(url, chosen, table, rules_of, key, advance=advance)


def reading(workspace: Workspace, project: str) -> tuple[Project, Table, RulesOf, str]:
    """What a pull of a project needs beside where it reads from."""
    chosen = workspace.project(project)
    table = Table(workspace.judgments / str(chosen.id))
    return chosen, table, cache(workspace.rules_of), compose.pseudonym_key(workspace)


def tell(pulled: Pulled) -> None:
    """Print what a pull read, and every answer that it could not read."""
    for problem in pulled.problems:
        say(f"unreadable: {problem}")
    if pulled.more:
        say(f"unreadable: {pulled.more} more")
    print(
        f"{pulled.new} new answers, {pulled.edited} edited, {pulled.deleted} deleted, {pulled.unchanged} as they were; "
        f"{_unread(pulled)} unreadable; {pulled.held} held in all"
    )


def refuse_unread(pulled: Pulled | None) -> None:
    """Raise PartlyDone where some answers could not be read: the rest is done, and somebody has to look."""
    if pulled and _unread(pulled):
        raise PartlyDone(
            f"{_unread(pulled)} answers could not be read; all others were.",
            mend="Each is named with its task; they are read again with the next pull.",
        )


def _unread(pulled: Pulled) -> int:
    return len(pulled.problems) + pulled.more


def dataset(workspace: Workspace, project: str) -> Dataset:
    """A project's data, as report, export and sync see them."""
    return load(workspace, project)


class Exported(NamedTuple):
    """The files of the data sets, and by split the rows that were left out so that nothing leaks."""

    paths: list[Path]
    leaks: dict[str, int]


def export(
    workspace: Workspace,
    project: str,
    formats: Sequence[str],
    out: Path,
    *,
    held: Mapping[str, str] | None = None,
    as_of: str = "",
) -> Exported:
    """Write data sets into a folder. held: settings of [export] that differ this time; as_of: a time."""
    names = exporting.known(formats)
    data = load(workspace, project, State(*2 * (times.given(as_of),)) if as_of else None)
    chosen = data.settings.export.model_copy(update=dict(held or {}))
    data = replace(data, settings=data.settings.model_copy(update={"export": chosen}))
    with exporting.alone(out), bar("Writing data sets", len(names)) as advance:
        return Exported(exporting.export(data, names, out, advance=advance), counted(data.leaks))


def freeze(workspace: Workspace, project: str, *, dry_run: bool = False) -> list[str]:
    """Keep the judged queries of the test split as that split; gives their ids."""
    data = load(workspace, project)
    if workspace.frozen.exists():
        raise Mendable(f"{workspace.frozen} is there: the test split is frozen.", mend="Delete it to freeze anew.")
    named = [query_id for query_id in sorted({q.query_id for q in data.qrels}) if data.split(query_id) == "test"]
    if not named:
        raise Mendable("No query of the test split is judged yet.", mend="Label more, or raise [splits] test.")
    if not dry_run:
        files.write(workspace.frozen, "".join(f"{query_id}\n" for query_id in named))
    return named
