"""The `ls-retrieval` command: what people and cron call. Heavy imports happen inside the commands."""

import json
import sys
import traceback
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from label_configs.errors import GateFailed, Mendable, Unreadable, mendable

if TYPE_CHECKING:
    import threading

    from store.workspace import Workspace

app = typer.Typer(
    name="ls-retrieval",
    help="Retrieval judgments and verified hard negatives from Label Studio.\n\n"
    "The usual order: init, index, pool, push, (people label), sync. `status` says what is next.",
    epilog="Exit codes: 0 done, 1 you can mend it, 2 usage, 3 a gate failed, 4 partly done, 70 our defect.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


class ModalityName(StrEnum):
    """What a query or a candidate is made of."""

    text = "text"
    image = "image"
    audio = "audio"
    video = "video"


class ShownName(StrEnum):
    """What the candidates of a project are made of."""

    text = "text"
    image = "image"
    audio = "audio"
    video = "video"
    mixed = "mixed"


class ModeName(StrEnum):
    """Whether annotators see what the model thinks."""

    blind = "blind"
    assist = "assist"


class MediaName(StrEnum):
    """How data sets hold media."""

    auto = "auto"
    embedded = "embedded"
    copied = "copied"
    reference = "reference"


class SourceName(StrEnum):
    """What judgments that a team has already lie in."""

    beir = "beir"
    trec = "trec"
    triplets = "triplets"


class PicturesName(StrEnum):
    """Which pictures data sets hold."""

    originals = "originals"
    thumbnails = "thumbnails"


class SplitName(StrEnum):
    """Parts of the queries."""

    train = "train"
    dev = "dev"
    test = "test"


WorkspaceOption = Annotated[Path, typer.Option("--workspace", "-w", help="The workspace's folder.")]
ProjectOption = Annotated[str, typer.Option("--project", "-p", help="Name of the project in settings.toml.")]
FromOption = Annotated[str, typer.Option("--from", help="Name of the project that it is for.")]
Title = Annotated[str, typer.Option(help="Title in Label Studio; the project's name without it.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
Formats = Annotated[str, typer.Option("--formats", help="Names with commas between; `export --list` shows them.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
HERE = Path()
FORMS = "How candidates are judged: graded, buckets, ranking, pairwise, selection, moment or review."


@app.command()
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


@app.command()
def status(workspace: WorkspaceOption = HERE, project: ProjectOption = "main", as_json: AsJson = False) -> None:
    """Show where a project stands: queries, pools, tasks, answers, who gave them, and what to do next.

    Example: ls-retrieval status -w photos
    """
    from ls_retrieval import status as standing
    from ls_retrieval import tables

    found = standing.status(_workspace(workspace), project)
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    else:
        tables.show_status(found)


@app.command()
def config(
    form: Annotated[str, typer.Argument(help=FORMS)],
    query: Annotated[ModalityName, typer.Option(help="What queries are made of.")] = ModalityName.text,
    candidates: Annotated[ShownName, typer.Option(help="What candidates are made of.")] = ShownName.image,
    rules: Annotated[Path | None, typer.Option(help="A rules.yaml; the default preset without it.")] = None,
) -> None:
    """Print a labeling config, ready to paste into Label Studio.

    Example: ls-retrieval config graded --query text --candidates image
    """
    from label_configs import rules as rules_file
    from label_configs.forms import form as find

    typer.echo(find(form).xml(rules_file.parse(_text(rules), str(rules)), query.value, candidates.value))


@app.command()
def init(
    workspace: WorkspaceOption = HERE,
    project: ProjectOption = "main",
    title: Title = "",
    form: Annotated[str | None, typer.Option(help=f"{FORMS} A new project is graded.")] = None,
    query: Annotated[ModalityName | None, typer.Option(help="What queries are made of: text at first.")] = None,
    candidates: Annotated[ShownName | None, typer.Option(help="What candidates are made of: image at first.")] = None,
    mode: Annotated[
        ModeName | None,
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


@app.command()
def take(
    path: Annotated[Path, typer.Argument(help="A BEIR folder, a file of TREC qrels, or files of triplets.")],
    source: Annotated[SourceName, typer.Option("--from", help="What lies there.")],
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

    done = flow.take(workspace, source.value, path, _scale(grades), dry_run=dry_run)
    _name_left_out(done.left_out)
    for line in tables.taken(done, dry_run=dry_run):
        typer.echo(line)


@app.command()
def index(workspace: WorkspaceOption = HERE) -> None:
    """Encode what is new in the corpus, and build the index."""
    from ls_retrieval import compose

    opened = _workspace(workspace)
    broken = compose.index(opened)
    _name_left_out(broken)
    for sentence in compose.indexes(opened):
        typer.echo(sentence)
    typer.echo(f"indexed; {len(broken)} left out")


@app.command()
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
    done = compose.make_pools(_workspace(workspace), project, given, top_up=top_up, dry_run=dry_run)
    _name_left_out(done.left_out)
    if done.makeup:
        tables.show_makeup(done.makeup)
    verb = "would be made" if dry_run else "made"
    typer.echo(f"{done.made} pools {verb}, {done.there} were there; {len(done.left_out)} queries left out")


@app.command()
def push(workspace: WorkspaceOption = HERE, project: ProjectOption = "main", dry_run: DryRun = False) -> None:
    """Make tasks of the pools, with predictions; what is there is not pushed twice."""
    from ls_retrieval import flow

    done = flow.push(_workspace(workspace), project, dry_run=dry_run)
    verb = "would be made" if dry_run else "made"
    typer.echo(f"{done.made} tasks {verb}, {done.there} were there, {done.removed} removed")


@app.command()
def serve(
    workspace: WorkspaceOption = HERE,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 9090,
    workers: Annotated[int, typer.Option(min=1, help="Web workers.")] = 2,
) -> None:
    """Run the ML backend until Ctrl-C.

    Where LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY are set it also fills bare tasks, pulls answers, and learns from
    them.
    """
    from ls_retrieval.serve import serve as run

    run(_workspace(workspace), host, port, workers)


@app.command()
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

    opened = _workspace(workspace)
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


@app.command()
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

    found = quality.measure(_workspace(workspace), project, promote=promote, dry_run=dry_run)
    if as_json:
        typer.echo(json.dumps(tables.plain(found), indent=1))
    else:
        quality_tables.show_measured(found, dry_run=dry_run)


@app.command()
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

    found = quality.qualify(_workspace(workspace), source, project, title, dry_run=dry_run)
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    else:
        quality_tables.show_qualification(found, dry_run=dry_run)


@app.command()
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
    done = quality.adjudicate(_workspace(workspace), source, project, title, given, dry_run=dry_run)
    verb = "would go" if dry_run else "go"
    typer.echo(
        f"{done.disputes} pairs in dispute; {done.fresh} {verb} before a judge now, {done.pushed.made} tasks made"
    )


@app.command()
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

    count, done = quality.repeat(_workspace(workspace), project, share, dry_run=dry_run)
    typer.echo(f"{count} queries {'would be' if dry_run else 'are'} asked again, {done.made} tasks made")


@app.command()
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

    opened = _workspace(workspace)
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


@app.command()
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
    opened = _workspace(workspace)
    lines = (
        run.annotator(opened, annotator, dry_run=dry_run)
        if annotator
        else run.item(opened, item, query, dry_run=dry_run)
    )
    for line in lines:
        typer.echo(f"would touch {line}" if dry_run and not line.startswith("Not") else line)


@app.command()
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

    data = flow.dataset(_workspace(workspace), project)
    tables.show(reporting.report(data, out, json_file))
    if corrected:
        reporting.corrected(data, corrected)
    for path in filter(None, (out, json_file, corrected)):
        typer.echo(str(path))


@app.command()
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


@app.command()
def evaluate(
    workspace: WorkspaceOption = HERE,
    project: ProjectOption = "main",
    run: Annotated[
        list[Path] | None, typer.Option(help="A TREC run file; repeatable. The pools' pre-ranking without it.")
    ] = None,
    against: Annotated[str, typer.Option(help="A run file to compare with, or `pre-ranking`.")] = "",
    measures: Annotated[str, typer.Option(help="Names with commas between, in place of the usual ones.")] = "",
    split: Annotated[SplitName | None, typer.Option(help="Only the queries of that split.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure runs on the collected judgments, with intervals, and compare them query by query.

    Example: ls-retrieval evaluate -w photos --run new.trec --against pre-ranking --measures nDCG@10,mAP@R
    """
    from ls_retrieval import evaluating
    from sync.evaluation import USUAL

    names = [name.strip() for name in measures.split(",")] if measures else list(USUAL)
    opened = _workspace(workspace)
    done = evaluating.run(opened, project, run or [], against, names, split.value if split else None)
    if as_json:
        typer.echo(json.dumps(evaluating.as_json(done)))
    else:
        evaluating.show(done)


@app.command()
def export(
    workspace: WorkspaceOption = HERE,
    project: ProjectOption = "main",
    formats: Formats = "trec,beir,triplets",
    out: Annotated[Path | None, typer.Option(help="Folder to write; exports/ of the workspace without it.")] = None,
    media: Annotated[MediaName | None, typer.Option(help="How media are held, in place of [export] media.")] = None,
    pictures: Annotated[PicturesName | None, typer.Option(help="In place of [export] pictures.")] = None,
    as_of: Annotated[str, typer.Option(help="The state of that time: 2026-11-25T14:00Z.")] = "",
    list_formats: Annotated[bool, typer.Option("--list", help="List the formats, and do nothing.")] = False,
) -> None:
    """Write data sets. Checks no gates; `sync` does.

    Example: ls-retrieval export -w photos --formats beir,triplets --out data --media copied
    """
    from ls_retrieval import flow
    from sync.formats import FORMATS

    if list_formats:
        for name, one in FORMATS.items():
            typer.echo(f"{name:<16}{one.consumer:<44}{one.line}")
        return
    opened = _workspace(workspace)
    given = {"media": media and media.value, "pictures": pictures and pictures.value}
    held = {name: value for name, value in given.items() if value}
    for path in flow.export(opened, project, formats.split(","), out or opened.exports, held=held, as_of=as_of):
        typer.echo(str(path))


@app.command()
def freeze(workspace: WorkspaceOption = HERE, project: ProjectOption = "main", dry_run: DryRun = False) -> None:
    """Keep the test split as it is: the queries that are judged and in it now stay, and no other joins them.

    Delete test-queries.txt in the workspace to let it grow again.
    """
    from ls_retrieval import flow

    named = flow.freeze(_workspace(workspace), project, dry_run=dry_run)
    typer.echo(f"{len(named)} queries {'would be' if dry_run else 'are'} the test split for good")


@app.command()
def sync(
    to: Annotated[str, typer.Option(help="Bucket: s3://, gs://, az:// or a folder.")],
    workspace: WorkspaceOption = HERE,
    project: ProjectOption = "main",
    formats: Formats = "trec,beir,triplets",
    gate: Annotated[
        list[str] | None, typer.Option(help="A floor in place of the one in settings.toml: alpha=0.6. Repeatable.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Go on until Ctrl-C, as answers come.")] = False,
    every: Annotated[float, typer.Option(min=1, help="Seconds between two looks of --watch.")] = 60,
    prune: Annotated[int | None, typer.Option(min=1, help="Keep so many versions in the bucket.")] = None,
    as_of: Annotated[
        str, typer.Option(help="Publish an earlier state: 2026-11-25T14:00Z, or a version in the bucket.")
    ] = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Pull, check the gates, write data sets, and publish them: data first, latest.json last.

    Examples: ls-retrieval sync -w photos --to s3://training/photos --formats beir,triplets

    ls-retrieval sync -w photos --to s3://training/photos --gate alpha=0.6 --prune 10 --watch
    """
    from ls_retrieval import flow, syncing, tables

    wanted = syncing.Wanted(project, to, formats.split(","), _gates(gate or []), prune, dry_run, as_of)
    opened = _workspace(workspace)
    if watch and (dry_run or as_of):
        raise typer.BadParameter("--watch goes with neither --dry-run nor --as-of")
    if watch:
        syncing.watch(opened, wanted, every, _until_stopped())
        return
    done = syncing.sync(opened, wanted)
    if as_json:
        typer.echo(json.dumps(tables.plain(done)))
    else:
        if done.pulled is not None:
            flow.tell(done.pulled)
        for line in tables.synced(done, to, dry_run=dry_run, as_of=as_of):
            typer.echo(line)
    flow.refuse_unread(done.pulled)


@app.command()
def verify(url: Annotated[str, typer.Argument(help="The bucket.")], as_json: AsJson = False) -> None:
    """Read all that versions in the bucket name; compare the hashes.

    Example: ls-retrieval verify s3://training/photos
    """
    from ls_retrieval import tables
    from store import places
    from store.buckets import open_bucket
    from sync.bucket.check import verify as read_again

    found = read_again(open_bucket(url))
    if as_json:
        typer.echo(json.dumps(tables.plain(found)))
    if found.problems:
        mend = "Delete what is not as it was written, and run sync again; with --as-of VERSION for an earlier version."
        raise Unreadable(f"{places.named(url)} is damaged.", problems=found.problems, mend=mend)
    if not found.versions:
        raise Mendable(f"{places.named(url)} holds no version yet.", mend="Run sync first.")
    if not as_json:
        typer.echo(f"{found.parts} parts of {found.versions} versions are as they were written ({found.bytes} bytes)")
        if found.orphans:
            typer.echo(f"{len(found.orphans)} parts belong to no version: `sync --prune N` takes them away")


@app.command()
def demo(
    pack: Annotated[str, typer.Option(help="stamps (photographs, needs apt) or openmoji (drawings).")] = "",
    workspace: WorkspaceOption = Path("workspace/demo"),
    up: Annotated[bool, typer.Option("--up", help="Serve the workspace for labelling by hand, until Ctrl-C.")] = False,
    queries: Annotated[int, typer.Option(min=4, help="How many queries.")] = 64,
    limit: Annotated[int | None, typer.Option(min=40, help="Take at most so many pictures.")] = None,
    label_studio: Annotated[Path, typer.Option(help="The label-studio command.", envvar="LSR_LABEL_STUDIO")] = Path(
        ".venv-label-studio/bin/label-studio"
    ),
    port: Annotated[int, typer.Option(help="Label Studio's port; 0: 8080, or any free one.")] = 0,
    backend_port: Annotated[int, typer.Option(help="The backend's port; 0: 9090, or any free one.")] = 0,
) -> None:
    """Show the whole job on real pictures, with simulated annotators; `make demo` calls this."""
    from ls_retrieval.demo import run

    choice = run.Choice(workspace, pack, queries, limit, label_studio, port, backend_port)
    run.up(choice) if up else run.demo(choice)


def main() -> None:
    """Run the command line; the only place where errors become messages and exit codes."""
    try:
        app()
    except GateFailed as error:
        _stop(f"Gate failed: {error}", error.exit_code)
    except KeyboardInterrupt:
        _stop("Stopped.", 130)
    except BrokenPipeError:
        sys.exit(0)
    except Exception as error:
        if told := mendable(error):
            _stop(f"Error: {told}", told.exit_code)
        traceback.print_exc()
        _stop("This is a defect of ls-retrieval; please report it with the lines above.", 70)


def _stop(message: str, code: int) -> None:
    print(message, file=sys.stderr)
    sys.exit(code)


def _name_left_out(sentences: Sequence[str]) -> None:
    for sentence in sentences:
        typer.echo(f"left out: {sentence}", err=True)


def _workspace(root: Path) -> "Workspace":
    from store.workspace import Workspace

    if not root.is_dir():
        raise Mendable(f"There is no workspace {root}.", mend=f"`ls-retrieval init --workspace {root}` makes one.")
    return Workspace(root)


def _gates(given: Sequence[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for text in given:
        name, _, floor = text.partition("=")
        try:
            found[name.strip()] = float(floor)
        except ValueError as error:
            raise typer.BadParameter(f"{text!r} is not NAME=NUMBER, as in alpha=0.6") from error
    return found


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


def _until_stopped() -> "threading.Event":
    """An event that is set when the process is asked to end; asked a second time, it ends at once."""
    import signal
    import threading

    stop = threading.Event()

    def asked(number: int, _: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, asked)
    return stop


def _text(rules: Path | None) -> str:
    from label_configs import rules as rules_file

    if rules is None:
        return rules_file.preset()
    try:
        return rules.read_text("utf-8")
    except OSError as error:
        raise Unreadable(f"{rules} cannot be read: {error.strerror}.") from error
