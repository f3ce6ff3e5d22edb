"""The `sync` command: pull, consensus, gates, formats, publish; once, or for as long as it runs."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from label_configs.errors import Mendable, Unreadable
from ls_retrieval import compose, flow
from ls_retrieval.progress import bar
from ls_retrieval.telling import Teller
from store import files, times, wake
from store.buckets import open_bucket
from store.corpus import live_folder
from store.settings import Gates
from store.workspace import Workspace
from sync import export as exporting
from sync import gates
from sync import pull as pulling
from sync.bucket import layout
from sync.bucket.prune import Pruned, prune
from sync.bucket.publish import Published, publish
from sync.dataset import State, load
from sync.gates import Gate
from sync.others import others
from sync.pull import Pulled
from sync.report import summary

if TYPE_CHECKING:
    from obstore.store import ObjectStore

PATIENCE = 600.0
"""Seconds after which a watch that fails tries again, at most."""


class Wanted(NamedTuple):
    """What a sync is asked for. gates: floors that stand in place of those in the settings; keep: versions that stay
    in the bucket, all of them without it. as_of: a time, or a version in the bucket.
    """

    project: str
    to: str
    formats: Sequence[str]
    gates: Mapping[str, float] = {}
    keep: int | None = None
    dry_run: bool = False
    as_of: str = ""


class Synced(NamedTuple):
    """What a sync did. pulled: None for a dry run or a past state, which ask nobody for answers. leaks: by split, the
    judged pairs that were kept from training.
    """

    published: Published
    pulled: Pulled | None
    gates: Sequence[Gate]
    leaks: Mapping[str, int]
    pruned: Pruned | None


def sync(workspace: Workspace, wanted: Wanted) -> Synced:
    """Sync once. A gate that fails publishes nothing; one sync of a workspace runs at a time."""
    ready = _prepare(workspace, wanted)
    with _alone(workspace, wanted):
        past = wanted.dry_run or wanted.as_of
        return _publish(workspace, wanted, ready, None if past else _pull(workspace, wanted.project))


def watch(workspace: Workspace, wanted: Wanted, every: float, stop: threading.Event) -> None:
    """Sync again and again until told to stop: every so many seconds, and when an answer is reported.

    Nothing is written anew while no input has changed. What fails is said once, until it is mended or fails for another
    reason, and tried again ever more rarely. Answers that cannot be read are named once, and hold nothing up.
    """
    listener, teller, pause = wake.Listener(workspace.root), Teller(), every
    published: object = None
    while not stop.is_set():
        pause = min(2 * pause, max(PATIENCE, every))
        with teller.telling("nothing was published"):
            published = _look(workspace, wanted, published, teller)
            pause = every
        listener.wait(pause, stop)


def _look(workspace: Workspace, wanted: Wanted, published: object, teller: Teller) -> object:
    """Pull, and publish what came of it, unless that is of inputs that were published; returns these."""
    ready = _prepare(workspace, wanted)
    with _alone(workspace, wanted):
        pulled = _pull(workspace, wanted.project)
        teller.name(pulled.problems)
        if (there := _inputs(workspace)) != published:
            done = _publish(workspace, wanted, ready, pulled).published
            print(f"version {done.version}: {done.written} bytes written", flush=True)
        return there


def _pull(workspace: Workspace, project: str) -> Pulled:
    """The answers of all that the project's data are made of: its own, and those of other projects."""
    found = [flow.pull(workspace, name) for name in (project, *others(workspace.settings, project).all)]
    return Pulled(
        new=sum(one.new for one in found),
        edited=sum(one.edited for one in found),
        deleted=sum(one.deleted for one in found),
        unchanged=sum(one.unchanged for one in found),
        problems=[problem for one in found for problem in one.problems],
        more=sum(one.more for one in found),
        held=sum(one.held for one in found),
    )


@contextmanager
def _alone(workspace: Workspace, wanted: Wanted) -> Iterator[None]:
    with nullcontext() if wanted.dry_run else files.locked(workspace.root / ".sync.lock", "syncing this workspace"):
        yield


class _Ready(NamedTuple):
    """What is checked before anybody is asked for answers."""

    formats: Sequence[str]
    floors: Gates
    key: str
    bucket: "ObjectStore"
    state: State | None


def _prepare(workspace: Workspace, wanted: Wanted) -> _Ready:
    names, floors = exporting.known(wanted.formats), _floors(workspace, wanted)
    key = pulling.fingerprint(compose.pseudonym_key(workspace))
    bucket = open_bucket(wanted.to, make=not wanted.dry_run)
    _same_key(_newest(bucket), key)
    return _Ready(names, floors, key, bucket, _state(bucket, wanted.as_of))


def _newest(bucket: "ObjectStore") -> Mapping[str, object]:
    """The manifest of the newest version; empty where it is damaged, since publishing writes it anew."""
    last = layout.newest(bucket)
    try:
        return layout.manifest(bucket, last)
    except Unreadable:
        return {}


def _publish(workspace: Workspace, wanted: Wanted, ready: _Ready, pulled: Pulled | None) -> Synced:
    data = load(workspace, wanted.project, ready.state)
    figures = summary(data)
    checked = gates.check(figures, ready.floors)
    gates.enforce(checked)
    with TemporaryDirectory() as aside:
        out = Path(aside) if wanted.dry_run or wanted.as_of else workspace.exports
        with exporting.alone(out):  # until all is read: a part is named by what its file held
            with bar("Writing data sets", len(ready.formats)) as advance:
                paths = exporting.export(data, ready.formats, out, advance=advance)
            about = exporting.about(data, figures, checked, ready.key)
            named = {path.relative_to(out).as_posix(): path for path in paths}
            with bar("Publishing", len(paths)) as advance:
                published = publish(
                    ready.bucket, named, about, data.state._asdict(), dry_run=wanted.dry_run, advance=advance
                )
    pruned = prune(ready.bucket, wanted.keep, dry_run=wanted.dry_run) if wanted.keep else None
    return Synced(published, pulled, checked, figures["leaks"], pruned)


def _inputs(workspace: Workspace) -> object:
    """What a version is made of, by the names, sizes and times of its files: equal where nothing has changed."""
    parts = [workspace.pools, workspace.judgments, workspace.kept_rules]
    folders = (workspace.corpus, live_folder(workspace.queries))
    single = (
        workspace.rules_path,
        workspace.settings_path,
        workspace.corpus,
        workspace.queries,
        workspace.known,
        workspace.gold,
        workspace.frozen,
    )
    written = (path for folder in parts for path in sorted(folder.rglob("*.*")) if path.suffix in {".parquet", ".yaml"})
    paths = [*single, *written, *(path for folder in folders for path in sorted(folder.rglob("*")))]
    return [(str(path), (seen := path.stat()).st_mtime_ns, seen.st_size) for path in paths if path.is_file()]


def _floors(workspace: Workspace, wanted: Wanted) -> Gates:
    unknown = sorted(wanted.gates.keys() - Gates.model_fields.keys())
    if unknown:
        raise Unreadable(
            f"There is no gate {', '.join(unknown)}.", mend=f"Take some of: {', '.join(Gates.model_fields)}."
        )
    try:
        return Gates.model_validate({**workspace.settings.gates.model_dump(), **wanted.gates})
    except ValidationError as error:
        problems = [f"{e['loc'][0]}={e['input']}: {e['msg']}" for e in error.errors()]
        raise Unreadable("A gate has a floor that nothing can be held against.", problems=problems) from error


def _state(bucket: "ObjectStore", as_of: str) -> State | None:
    """The state that is asked for: of a time, or that of a version in the bucket."""
    if not as_of:
        return None
    if not layout.is_version(as_of):
        return State(*2 * (times.given(as_of),))
    found = [one.state for one in layout.history(bucket) if one.version == as_of]
    if not found:
        raise Mendable(f"The bucket has no version {as_of}.", mend="Give a version of its history/, or a time.")
    return State(**found[-1])


def _same_key(manifest: Mapping[str, object], fingerprint: str) -> None:
    if manifest and manifest.get("pseudonym_key") != fingerprint:
        raise Mendable(
            "The pseudonym key is not the one that the bucket's data were made with.",
            why="Annotators would get new names, and their answers could not be joined with earlier ones.",
            mend="Restore the key (LSR_PSEUDONYM_KEY or pseudonym.key), or sync to another bucket.",
        )
