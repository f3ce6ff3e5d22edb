"""Commands that set a workspace and its project up, and tell where they stand."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from label_configs.errors import Unreadable
from label_configs.words import Modality, Mode, Shown
from ls_retrieval.commands.options import (
    HERE,
    AsJson,
    DryRun,
    ProjectOption,
    Title,
    WorkspaceOption,
    name_left_out,
    opened_workspace,
)

FORMS = "How candidates are judged: graded, buckets, ranking, pairwise, selection, moment or review."


def doctor(
    workspace: WorkspaceOption = HERE,
    models: Annotated[
        bool, typer.Option("--models", help="Load the encoders too, and compare them with the index: takes seconds.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check Label Studio, token, backend, media and workspace, and say how to mend each. Ends with 1 where one fails.

    Example: ls-retrieval doctor -w photos
    """
    from ls_retrieval.doctor import Finding, examine

    found: list[Finding] = []
    for finding in examine(workspace, models=models):
        said = finding.what in {one.what for one in found}
        found.append(finding)
        if not as_json and not said:
            typer.echo(f"{finding.level:<4}  {finding.what}")
            if finding.mend:
                typer.echo(f"      {finding.mend}")
    if as_json:
        typer.echo(json.dumps([finding._asdict() for finding in found], indent=1))
    raise typer.Exit(1 if any(finding.level == "FAIL" for finding in found) else 0)


def status(workspace: WorkspaceOption = HERE, project: ProjectOption = "main", as_json: AsJson = False) -> None:
    """Show where a project stands: queries, pools, tasks, answers, who gave them, and what to do next.

    Example: ls-retrieval status -w photos
    """
    from ls_retrieval import status as standing
    from ls_retrieval import tables

    found = standing.status(opened_workspace(workspace), project)
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    else:
        tables.show_status(found)


def config(
    form: Annotated[str, typer.Argument(help=FORMS)],
    query: Annotated[Modality, typer.Option(help="What queries are made of.")] = "text",
    candidates: Annotated[Shown, typer.Option(help="What candidates are made of.")] = "image",
    rules: Annotated[Path | None, typer.Option(help="A rules.yaml; the default preset without it.")] = None,
) -> None:
    """Print a labeling config, ready to paste into Label Studio.

    Example: ls-retrieval config graded --query text --candidates image
    """
    from label_configs import rules as rules_file
    from label_configs.forms import form as find

    typer.echo(find(form).xml(rules_file.parse(_text(rules), str(rules)), query, candidates))


def init(
    workspace: WorkspaceOption = HERE,
    project: ProjectOption = "main",
    title: Title = "",
    form: Annotated[str | None, typer.Option(help=f"{FORMS} A new project is graded.")] = None,
    query: Annotated[Modality | None, typer.Option(help="What queries are made of: text at first.")] = None,
    candidates: Annotated[Shown | None, typer.Option(help="What candidates are made of: image at first.")] = None,
    mode: Annotated[
        Mode | None,
        typer.Option(
            help="blind: no hint of the model; assist: prefilled. Without it ranking assists, all others are blind."
        ),
    ] = None,
    domain: Annotated[str | None, typer.Option(help="Only queries of this domain; those of all without it.")] = None,
    overlap: Annotated[int | None, typer.Option(min=1, help="Annotations wanted for each task: 1 at first.")] = None,
    backend: Annotated[str, typer.Option(help="URL of the ML backend as Label Studio reaches it.")] = "",
    dry_run: DryRun = False,
) -> None:
    """Make the workspace's files, and its project in a running Label Studio. Repeatable.

    A project keeps the form, modalities and mode that it was made with.

    Example: ls-retrieval init -w photos --overlap 3 --backend http://127.0.0.1:9090
    """
    from ls_retrieval.admin import Wanted
    from ls_retrieval.admin import init as run

    asked = {"form": form, "query": query, "candidates": candidates, "mode": mode, "domain": domain, "votes": overlap}
    settings = {name: value for name, value in asked.items() if value is not None}
    for line in run(workspace, Wanted(project, title or project, backend, settings), dry_run=dry_run):
        typer.echo(line)


def take(
    path: Annotated[Path, typer.Argument(help="A BEIR folder, a file of TREC qrels, or files of triplets.")],
    source: Annotated[Literal["beir", "trec", "triplets"], typer.Option("--from", help="What lies there.")],
    workspace: WorkspaceOption = HERE,
    grades: Annotated[
        str, typer.Option(help="What its grades are by the rules, where the scales differ: 1=3,0=0.")
    ] = "",
    dry_run: DryRun = False,
) -> None:
    """Take judgments that you have already for known positives, corpus and queries where there are none. Repeatable.

    Example: ls-retrieval take -w photos --from beir data/fiqa --grades 1=3
    """
    from ls_retrieval import flow, tables

    done = flow.take(workspace, source, path, _scale(grades), dry_run=dry_run)
    name_left_out(done.left_out)
    for line in tables.taken(done, dry_run=dry_run):
        typer.echo(line)


def _scale(given: str) -> dict[int, int]:
    """Earlier grade to present grade, from a list as in 1=3,0=0."""
    found: dict[int, int] = {}
    for pair in given.split(",") if given else ():
        try:
            earlier, present = map(int, pair.split("="))
        except ValueError as error:
            raise typer.BadParameter(f"{pair!r} is not GRADE=GRADE, as in 1=3") from error
        found[earlier] = present
    return found


def _text(rules: Path | None) -> str:
    from label_configs import rules as rules_file

    if rules is None:
        return rules_file.preset()
    try:
        return rules.read_text("utf-8")
    except OSError as error:
        raise Unreadable(f"{rules} cannot be read: {error.strerror}.") from error
