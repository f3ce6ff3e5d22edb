"""Commands that measure people, models, and the tool itself."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from label_configs.errors import GateFailed
from ls_retrieval.commands.options import (
    HERE,
    AsJson,
    DryRun,
    FromOption,
    ProjectOption,
    Title,
    WorkspaceOption,
    opened_workspace,
)


def gold(
    workspace: WorkspaceOption = HERE,
    project: ProjectOption = "main",
    promote: Annotated[bool, typer.Option("--promote", help="Let what people agree on become gold: gold.tsv.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Show who answers hidden gold rightly; or make more gold.

    Gold is what gold.tsv names, known positives, and planted negatives. Who does not look at all is flagged.

    Example: ls-retrieval gold -w photos --promote
    """
    from ls_retrieval import quality, quality_tables, tables

    found = quality.measure(opened_workspace(workspace), project, promote=promote, dry_run=dry_run)
    if as_json:
        typer.echo(json.dumps(tables.plain(found), indent=1))
    else:
        quality_tables.show_measured(found, dry_run=dry_run)


def qualify(
    workspace: WorkspaceOption = HERE,
    source: FromOption = "main",
    project: Annotated[str, typer.Option("--project", "-p", help="Name of the qualification.")] = "qualification",
    title: Title = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make a project of gold tasks, and tell who passed.

    Repeatable: it adds what is missing, and reads the answers that are new.

    Example: ls-retrieval qualify -w photos --json
    """
    from ls_retrieval import quality, quality_tables

    found = quality.qualify(opened_workspace(workspace), source, project, title, dry_run=dry_run)
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    else:
        quality_tables.show_qualification(found, dry_run=dry_run)


def adjudicate(
    workspace: WorkspaceOption = HERE,
    source: FromOption = "main",
    project: Annotated[str, typer.Option("--project", "-p", help="Name of the adjudication.")] = "adjudication",
    title: Title = "",
    apart: Annotated[
        int | None, typer.Option(min=1, help="Grades between two votes; [quality] apart without it.")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="Confidence below which a pair goes too; [quality] below.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Bring what people disagree about before a judge.

    Once pulled, the answers are final. Repeatable: only new disagreements are added.

    Example: ls-retrieval adjudicate -w photos && ls-retrieval pull -w photos -p adjudication
    """
    from ls_retrieval import quality

    options: dict[str, float | None] = {"apart": apart, "below": threshold}
    given = {name: value for name, value in options.items() if value is not None}
    done = quality.adjudicate(opened_workspace(workspace), source, project, title, given, dry_run=dry_run)
    verb = "would go" if dry_run else "go"
    typer.echo(
        f"{done.disputes} pairs in dispute; {done.fresh} {verb} before a judge now, {done.pushed.made} tasks made"
    )


def repeat(
    workspace: WorkspaceOption = HERE,
    project: ProjectOption = "main",
    share: Annotated[
        float | None, typer.Option(min=0, max=1, help="Of the queries; [quality] repeat_share without it.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Ask a share of the answered tasks again.

    In another order: do annotators agree with themselves?

    Example: ls-retrieval repeat -w photos --share 0.1
    """
    from ls_retrieval import quality

    count, done = quality.repeat(opened_workspace(workspace), project, share, dry_run=dry_run)
    typer.echo(f"{count} queries {'would be' if dry_run else 'are'} asked again, {done.made} tasks made")


def report(
    workspace: WorkspaceOption = HERE,
    project: ProjectOption = "main",
    out: Annotated[Path | None, typer.Option(help="Write a page there: one HTML file, for a browser or paper.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures there.")] = None,
    corrected: Annotated[
        Path | None,
        typer.Option(help="Write expected grades there, as judged and without the bias of place: tab-separated."),
    ] = None,
) -> None:
    """Show what the data are worth, on screen, as a page and as JSON.

    Agreement, gold, nDCG with judged@10, bias, what was missed and with which bound, the yield of each source. The
    page links its disagreements into the Label Studio at LABEL_STUDIO_URL.

    Example: ls-retrieval report -w photos --out report.html --json report.json
    """
    from ls_retrieval import flow, reporting, tables

    data = flow.dataset(opened_workspace(workspace), project)
    tables.show(reporting.report(data, out, json_file))
    if corrected:
        reporting.corrected(data, corrected)
    for path in filter(None, (out, json_file, corrected)):
        typer.echo(str(path))


def evaluate(
    workspace: WorkspaceOption = HERE,
    project: ProjectOption = "main",
    run: Annotated[
        list[Path] | None, typer.Option(help="A TREC run file; repeatable. The pools' pre-ranking without it.")
    ] = None,
    against: Annotated[str, typer.Option(help="A run file to compare with, or `pre-ranking`.")] = "",
    measures: Annotated[str, typer.Option(help="Names with commas between, in place of the usual ones.")] = "",
    split: Annotated[
        Literal["train", "dev", "test"] | None, typer.Option(help="Only the queries of that split.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure runs on the collected judgments, with intervals, and compare them query by query.

    Example: ls-retrieval evaluate -w photos --run new.trec --against pre-ranking --measures nDCG@10,mAP@R
    """
    from ls_retrieval import evaluating
    from sync.evaluation import USUAL

    names = [name.strip() for name in measures.split(",")] if measures else list(USUAL)
    opened = opened_workspace(workspace)
    done = evaluating.run(opened, project, run or [], against, names, split)
    if as_json:
        typer.echo(json.dumps(evaluating.as_json(done)))
    else:
        evaluating.show(done)


def simulate(
    seeds: Annotated[int, typer.Option(min=1, help="How many worlds.")] = 5,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write floors, values and seeds there.")] = None,
    criteria: Annotated[str, typer.Option(help="Names with commas between; all without it.")] = "",
    documents: Annotated[int, typer.Option(min=200, help="Documents of a world.")] = 5000,
    queries: Annotated[int, typer.Option(min=4, help="Queries of a world.")] = 60,
    votes: Annotated[int, typer.Option(min=1, max=12, help="Votes for each pair.")] = 3,
    spammers: Annotated[float, typer.Option(min=0, max=0.9, help="Share of annotators who answer anything.")] = 0.25,
    noise: Annotated[float, typer.Option(min=0, help="Spread of an annotator's answers, in grades.")] = 0.55,
    tailed: Annotated[
        bool, typer.Option("--tailed", help="Few queries have many relevant items, many have few.")
    ] = False,
) -> None:
    """Measure the tool where the truth is known.

    Ends with 3 where a criterion is not met.

    Example: ls-retrieval simulate --seeds 5 --json simulation.json
    """
    from ls_retrieval import simulation, tables
    from ls_retrieval.progress import bar
    from store import files

    size = simulation.Size(
        documents=documents, queries=queries, votes=votes, spammers=spammers, noise=noise, tailed=tailed
    )
    names = simulation.known(criteria.split(",") if criteria else list(simulation.CRITERIA))
    with bar("Simulating", seeds) as advance:
        found = simulation.simulate(seeds, size, names, advance=advance)
    if json_file:
        plain = json.loads(json.dumps(found), parse_constant=lambda _: None)  # JSON has no NaN
        files.write(json_file, json.dumps(plain, indent=1) + "\n")
    tables.simulated(found)
    unmet = [name for name, one in found.items() if not one["met"]]
    if unmet:
        raise GateFailed(f"In this world {', '.join(unmet)} are not met.")
