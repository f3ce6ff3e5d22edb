"""The `sync` command: pull, consensus, gates, formats, publish; once, or for as long as it runs."""

import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from label_configs.errors import Mendable, PartlyDone, Unreadable
from ls_retrieval import compose, flow
from ls_retrieval.progress import bar, say
from store import files, wake
from store.buckets import open_bucket
from store.settings import Gates
from store.workspace import Workspace
from sync import export as exporting
from sync import gates
from sync import pull as pulling
from sync.bucket import layout
from sync.bucket.prune import Pruned, prune
from sync.bucket.publish import Published, publish
from sync.dataset import load
from sync.gates import Gate
from sync.pull import Pulled
from sync.report import summary

PATIENCE = 600.0
"""Seconds after which a watch that fails tries again, at most."""


class Wanted(NamedTuple):
    """What a sync is asked for. gates: floors that stand in place of those in the settings; keep: versions that stay
    in the bucket, all of them without it.
    """

    project: str
    to: str
    formats: Sequence[str]
    gates: Mapping[str, float] = {}
    keep: int | None = None
    dry_run: bool = False


class Synced(NamedTuple):
    """What a sync did. pulled: None for a dry run, which asks nobody for answers."""

    published: Published
    pulled: Pulled | None
    gates: Sequence[Gate]
    pruned: Pruned | None


def sync(workspace: Workspace, wanted: Wanted) -> Synced:
    """Sync once. A gate that fails publishes nothing; one sync of a workspace runs at a time."""
    names = exporting.known(wanted.formats)
    floors = _floors(workspace, wanted)
    fingerprint = pulling.fingerprint(compose.pseudonym_key(workspace))
    bucket = open_bucket(wanted.to, make=not wanted.dry_run)
    with ExitStack() as stack:
        if not wanted.dry_run:
            stack.enter_context(files.locked(workspace.root / ".sync.lock", "syncing this workspace"))
        _same_key(layout.manifest(bucket, layout.newest(bucket)), fingerprint)
        pulled = None if wanted.dry_run else flow.pull(workspace, wanted.project)
        data = load(workspace, wanted.project)
        figures = summary(data)
        checked = gates.check(figures, floors)
        gates.enforce(checked)
        out = Path(stack.enter_context(TemporaryDirectory())) if wanted.dry_run else workspace.exports
        with bar("Writing data sets", len(names)) as advance:
            paths = exporting.export(data, names, out, advance=advance)
        about = exporting.about(data, figures, checked, fingerprint)
        named = {path.relative_to(out).as_posix(): path for path in paths}
        with bar("Publishing", len(paths)) as advance:
            published = publish(bucket, named, about, dry_run=wanted.dry_run, advance=advance)
        pruned = prune(bucket, wanted.keep, dry_run=wanted.dry_run) if wanted.keep else None
    return Synced(published, pulled, checked, pruned)


def watch(workspace: Workspace, wanted: Wanted, every: float, stop: threading.Event) -> None:
    """Sync again and again until told to stop: every so many seconds, and when an answer is reported.

    What fails is said once, until it is mended or fails for another reason, and tried again ever more rarely.
    """
    listener, said, pause = wake.Listener(workspace.root), "", every
    while not stop.is_set():
        try:
            done = sync(workspace, wanted)
            said, pause = "", every
            if done.published.written:
                print(f"version {done.published.version}: {done.published.written} bytes written", flush=True)
        except Mendable as error:
            pause = min(2 * pause, max(PATIENCE, every))
            if str(error) != said:
                said = str(error)
                say(said)
        listener.wait(pause, stop)


def refuse_unread(pulled: Pulled | None) -> None:
    """Raise PartlyDone where some answers could not be read: the rest is done, and somebody has to look."""
    if pulled and pulled.problems:
        raise PartlyDone(
            f"{len(pulled.problems)} answers could not be read; all others were.",
            mend="They are named above, each with its task; they are read again with the next pull.",
        )


def _floors(workspace: Workspace, wanted: Wanted) -> Gates:
    unknown = sorted(wanted.gates.keys() - Gates.model_fields.keys())
    if unknown:
        raise Unreadable(
            f"There is no gate {', '.join(unknown)}.", mend=f"Take some of: {', '.join(Gates.model_fields)}."
        )
    return Gates.model_validate({**workspace.settings.gates.model_dump(), **wanted.gates})


def _same_key(manifest: Mapping[str, object], fingerprint: str) -> None:
    if manifest and manifest.get("pseudonym_key") != fingerprint:
        raise Mendable(
            "The pseudonym key is not the one that the bucket's data were made with.",
            why="Annotators would get new names, and their answers could not be joined with earlier ones.",
            mend="Restore the key (LSR_PSEUDONYM_KEY or pseudonym.key), or sync to another bucket.",
        )
