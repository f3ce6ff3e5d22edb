"""Commands from a corpus to tasks: index, pools, push, and the backend."""

from typing import Annotated

import typer

from ls_retrieval.commands.options import HERE, DryRun, ProjectOption, WorkspaceOption, name_left_out, opened_workspace


def index(workspace: WorkspaceOption = HERE) -> None:
    """Encode what is new in the corpus, and build the index.

    Example: ls-retrieval index -w photos
    """
    from ls_retrieval import compose

    opened = opened_workspace(workspace)
    broken = compose.index(opened)
    name_left_out(broken)
    for sentence in compose.indexes(opened):
        typer.echo(sentence)
    typer.echo(f"indexed; {len(broken)} left out")


def pool(
    workspace: WorkspaceOption = HERE,
    project: ProjectOption = "main",
    depth: Annotated[int | None, typer.Option(min=2, help="Candidates of every query, all kinds together.")] = None,
    hard: Annotated[int | None, typer.Option(min=0, help="Of them mined hard negatives.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of draws and display order.")] = None,
    top_up: Annotated[
        bool,
        typer.Option("--top-up", help="Another round: what the corpus has gained, and what annotators match better."),
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Choose the candidates of every query that has none yet: queries and candidates as the project has them.

    Example: ls-retrieval pool -w photos --depth 24 --hard 6
    """
    from ls_retrieval import compose, tables

    options = {"depth": depth, "hard": hard, "seed": seed}
    given: dict[str, int | None] = {name: value for name, value in options.items() if value is not None}
    if depth is not None:
        given["max_depth"] = None
    done = compose.make_pools(opened_workspace(workspace), project, given, top_up=top_up, dry_run=dry_run)
    name_left_out(done.left_out)
    if done.makeup:
        tables.show_makeup(done.makeup)
    verb = "would be made" if dry_run else "made"
    typer.echo(f"{done.made} pools {verb}, {done.there} were there; {len(done.left_out)} queries left out")


def push(workspace: WorkspaceOption = HERE, project: ProjectOption = "main", dry_run: DryRun = False) -> None:
    """Make tasks of the pools, with predictions; what is there is not pushed twice.

    Example: ls-retrieval push -w photos --dry-run
    """
    from ls_retrieval import flow

    done = flow.push(opened_workspace(workspace), project, dry_run=dry_run)
    verb = "would be made" if dry_run else "made"
    typer.echo(f"{done.made} tasks {verb}, {done.there} were there, {done.removed} removed")


def serve(
    workspace: WorkspaceOption = HERE,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 9090,
    workers: Annotated[int, typer.Option(min=1, help="Web workers.")] = 2,
) -> None:
    """Run the ML backend until Ctrl-C.

    Where LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY are set it also fills bare tasks, pulls answers, and learns from
    them.

    Example: ls-retrieval serve -w photos --host 127.0.0.1 --port 9090 --workers 2
    """
    from ls_retrieval.serve import serve as run

    run(opened_workspace(workspace), host, port, workers)
