"""Commands on what people answered: read it, learn from it, forget it."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ls_retrieval.commands.options import HERE, AsJson, DryRun, ProjectOption, WorkspaceOption, opened_workspace


def pull(
    workspace: WorkspaceOption = HERE,
    project: ProjectOption = "main",
    from_export: Annotated[
        Path | None, typer.Option(help="A JSON export of the project, instead of Label Studio's API.")
    ] = None,
    from_storage: Annotated[
        str, typer.Option(help="The bucket or folder that Label Studio exports to, instead of its API.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Read new, edited and deleted answers into the judgments.

    Ends with 4 where some could not be read.

    Example: ls-retrieval pull -w photos --from-export project-7.json
    """
    from ls_retrieval import flow, tables

    opened = opened_workspace(workspace)
    if from_export and from_storage:
        raise typer.BadParameter("give --from-export or --from-storage, not both")
    if from_export:
        pulled = flow.pull_export(opened, project, from_export)
    elif from_storage:
        pulled = flow.pull_storage(opened, project, from_storage)
    else:
        pulled = flow.pull(opened, project)
    if as_json:
        typer.echo(json.dumps(tables.plain(pulled)))
    else:
        flow.tell(pulled)
    flow.refuse_unread(pulled)


def learn(
    workspace: WorkspaceOption = HERE,
    project: ProjectOption = "main",
    versions: Annotated[bool, typer.Option("--list", help="List what was learned, and do nothing.")] = False,
    roll_back: Annotated[
        str, typer.Option(metavar="VERSION", help="Use an earlier version from now on; `base`: nothing learned.")
    ] = "",
    dry_run: DryRun = False,
) -> None:
    """Learn from the judgments: what scores mean in grades, and a better order where held-out queries prove it.

    Example: ls-retrieval learn -w photos --list
    """
    from ls_retrieval import compose, tables

    opened = opened_workspace(workspace)
    number = opened.project(project).id
    if versions or roll_back:
        for sentence in compose.learned(opened, number, roll_back):
            typer.echo(sentence)
        return
    outcome = compose.learn(opened, number, dry_run=dry_run)
    for sentence in tables.learned(outcome.learned):
        typer.echo(sentence)
    if outcome.learned:
        verb = "would be used" if dry_run else "in use" if outcome.used else "was rolled back from and is not used"
        typer.echo(f"version {outcome.learned.about.version} {verb}")


def forget(
    workspace: WorkspaceOption = HERE,
    annotator: Annotated[str, typer.Option(help="An annotator: email, user name, id, or pseudonym.")] = "",
    item: Annotated[str, typer.Option(help="An item, by its doc_id.")] = "",
    query: Annotated[str, typer.Option(help="Only what was said of the item for this query_id.")] = "",
    dry_run: DryRun = False,
) -> None:
    """Erase an annotator or an item from all of history, for good.

    Example: ls-retrieval forget -w photos --annotator ada@example.org
    """
    from ls_retrieval import forget as run

    if bool(annotator) == bool(item) or (query and not item):
        raise typer.BadParameter("give --annotator, or --item with or without --query")
    opened = opened_workspace(workspace)
    lines = (
        run.annotator(opened, annotator, dry_run=dry_run)
        if annotator
        else run.item(opened, item, query, dry_run=dry_run)
    )
    for line in lines:
        typer.echo(f"would touch {line}" if dry_run and not line.startswith("Not") else line)
