"""Commands that write data sets and publish them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from label_configs.errors import Mendable, Unreadable
from ls_retrieval.commands.options import (
    HERE,
    AsJson,
    DryRun,
    Formats,
    ProjectOption,
    WorkspaceOption,
    opened_workspace,
)

if TYPE_CHECKING:
    import threading


def export(
    workspace: WorkspaceOption = HERE,
    project: ProjectOption = "main",
    formats: Formats = "trec,beir,triplets",
    out: Annotated[Path | None, typer.Option(help="Folder to write; exports/ of the workspace without it.")] = None,
    media: Annotated[
        Literal["auto", "embedded", "copied", "reference"] | None,
        typer.Option(help="How media are held, in place of [export] media."),
    ] = None,
    pictures: Annotated[
        Literal["originals", "thumbnails"] | None, typer.Option(help="In place of [export] pictures.")
    ] = None,
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
    opened = opened_workspace(workspace)
    given = {"media": media, "pictures": pictures}
    held = {name: value for name, value in given.items() if value}
    for path in flow.export(opened, project, formats.split(","), out or opened.exports, held=held, as_of=as_of):
        typer.echo(str(path))


def freeze(workspace: WorkspaceOption = HERE, project: ProjectOption = "main", dry_run: DryRun = False) -> None:
    """Keep the test split as it is: the queries that are judged and in it now stay, and no other joins them.

    Delete test-queries.txt in the workspace to let it grow again.
    """
    from ls_retrieval import flow

    named = flow.freeze(opened_workspace(workspace), project, dry_run=dry_run)
    typer.echo(f"{len(named)} queries {'would be' if dry_run else 'are'} the test split for good")


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
    opened = opened_workspace(workspace)
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


def _gates(given: Sequence[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for text in given:
        name, _, floor = text.partition("=")
        try:
            found[name.strip()] = float(floor)
        except ValueError as error:
            raise typer.BadParameter(f"{text!r} is not NAME=NUMBER, as in alpha=0.6") from error
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
