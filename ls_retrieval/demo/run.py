"""The demo: the whole job on real pictures, in steps that can be stopped at any point and run again."""

import json
import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from label_configs.errors import Mendable
from label_configs.forms import envelope
from label_configs.records import digest
from ls_retrieval import admin, compose, flow, ports, syncing, tables
from ls_retrieval.demo import corpus, model, packs
from ls_retrieval.demo.annotators import ANNOTATORS, SimulatedAnnotator
from ls_retrieval.ports import LOOPBACK
from ls_retrieval.progress import bar, say, track
from ls_retrieval.serve import running_backend
from ls_retrieval.studio import Studio, running_studio
from store import files, times
from store.workspace import Workspace
from sync.report import Summary, summary

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio

SEED = 0
OPEN_SHARE = 0.1
"""Share of the queries that the simulated annotators leave for somebody to label by hand."""
PROJECT = "main"
LIMITS = {"openmoji": 600}
"""Pictures taken of a pack, where all of them would take minutes to encode."""
FORMATS = ("trec", "beir", "triplets")

_SETTINGS = """\
# Settings of the demo. What answers mean is in rules.yaml; secrets are in files of mode 600.

[encoders.clip]
model = "local-dir:model"           # built here from two packages; any open_clip model goes in its place
batch = 16

[pool]
depth = 24
per_screen = 8
hard = 4
random = 1
audit_near = 1
audit_beyond = 1
gold_share = 1.0                    # every pool holds a control, so that the demo shows gold at work
proposers = ["dense", "neighbours", "lexical", "siblings"]

[negatives]
range_max = 40
relative_margin = 0.05

[gates]
alpha = 0.5
gold_accuracy = 0.8
judged_at_10 = 0.9

[splits]
dev = 0.1
test = 0.2
"""


@dataclass(frozen=True)
class Choice:
    """What the command was asked for."""

    workspace: Path
    pack: str
    queries: int
    limit: int | None
    label_studio: Path
    port: int
    backend_port: int


def demo(choice: Choice) -> None:
    """Corpus, model, pools, Label Studio with backend, simulated answers, sync, and a table. Ends by itself."""
    workspace = _workspace(choice)
    with _alone(workspace), ExitStack() as stack:
        with _step("start Label Studio"):
            _check_ports(choice)
            starting = _start_studio(stack, choice, workspace)
        with _step("build the corpus and the model"):
            _build_corpus(choice, workspace)
        with _step("index"):
            broken = compose.index(workspace)
        with _step("start Label Studio"):
            studio = starting.result()
        with _step("serve"):
            backend = _serve(stack, choice, studio, workspace)
        with _step("init"):
            _make_project(workspace, backend)
        with _step("pool"):
            compose.make_pools(workspace, PROJECT)
        with _step("push"):
            pushed = flow.push(workspace, PROJECT)
            say(f"{pushed.made} tasks pushed, {pushed.there} were there")
        with _step("answer by simulated annotators"):
            _answer(studio, workspace)
        with _step("sync"):
            done = syncing.sync(workspace, syncing.Wanted(PROJECT, str(workspace.root / "bucket"), FORMATS))
            say(f"version {done.published.version} published, {done.published.written} bytes written")
        _tell(workspace, broken)


def up(choice: Choice) -> None:
    """Start the same Label Studio and backend, and stay until Ctrl-C."""
    workspace = Workspace(choice.workspace.resolve())
    if not workspace.settings_path.exists() or PROJECT not in workspace.settings.projects:
        raise Mendable(f"There is no demo in {choice.workspace} yet.", mend="Run `make demo` first.")
    with _alone(workspace), ExitStack() as stack:
        _check_ports(choice)
        studio = _start_studio(stack, choice, workspace).result()
        backend = _serve(stack, choice, studio, workspace)
        _make_project(workspace, backend)
        _greet(studio, workspace, backend)
        _until_asked_to_stop()
    say("Label Studio and the backend are stopped.")


@contextmanager
def _step(name: str) -> Iterator[None]:
    """Say which step it was, where one fails."""
    try:
        yield
    except Exception:
        say(f"The step failed: {name}.")
        raise


def _workspace(choice: Choice) -> Workspace:
    root = choice.workspace.resolve()
    if not (root / "settings.toml").exists():
        files.write(root / "settings.toml", _SETTINGS)
    return compose.start_workspace(root)


@contextmanager
def _alone(workspace: Workspace) -> Iterator[None]:
    """The only demo on this workspace, with its own Label Studio and key, whatever the shell says.

    Nothing is fetched from a model hub.
    """
    ours = ("LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY", "LSR_PSEUDONYM_KEY", "BASIC_AUTH_USER", "BASIC_AUTH_PASS")
    before = {name: os.environ.pop(name) for name in ours if name in os.environ}
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        with files.locked(workspace.root / "demo.lock", f"running the demo in {workspace.root}"):
            yield
    finally:
        for name in ours:
            os.environ.pop(name, None)
        os.environ |= before


def _start_studio(stack: ExitStack, choice: Choice, workspace: Workspace) -> Future[Studio]:
    """Label Studio, starting while the corpus is built."""
    running = running_studio(
        workspace.root / "label-studio",
        program=choice.label_studio.absolute(),
        port=choice.port or ports.usual(8080, "Label Studio"),
        document_root=workspace.root,
        status=say,
    )
    starter = stack.enter_context(ThreadPoolExecutor(1))
    return starter.submit(stack.enter_context, running)


def _check_ports(choice: Choice) -> None:
    """Raise Mendable for a port that was asked for and is taken, before minutes of work."""
    ports.free(choice.port, "Label Studio")
    ports.free(choice.backend_port, "the backend")


def _serve(stack: ExitStack, choice: Choice, studio: Studio, workspace: Workspace) -> str:
    os.environ |= {"LABEL_STUDIO_URL": studio.url, "LABEL_STUDIO_API_KEY": studio.admin.token}
    _keep_environment(studio, workspace)
    port = choice.backend_port or ports.usual(9090, "the backend")
    return stack.enter_context(running_backend(workspace, host=LOOPBACK, port=port, workers=2))


def _keep_environment(studio: Studio, workspace: Workspace) -> None:
    """A file to source in another terminal: where Label Studio is, and where its token is kept."""
    lines = [
        f"export LABEL_STUDIO_URL={studio.url}",
        f"export LABEL_STUDIO_API_KEY_FILE={shlex.quote(str(studio.folder / 'token'))}",
        f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH",
    ]
    files.write(workspace.root / "env", "\n".join([*lines, ""]), mode=0o600)


def _build_corpus(choice: Choice, workspace: Workspace) -> None:
    pack = _pack(choice, workspace)
    limit = choice.limit or LIMITS.get(pack)
    pictures = packs.PACKS[pack](workspace.root / "cache", workspace.root, track, limit=limit)
    fit, queries = corpus.split(pictures, choice.queries, SEED)
    if not workspace.corpus.exists():
        tags = model.machine_tags(pictures, track=track)
        corpus.write(pictures, workspace.root, n_queries=choice.queries, seed=SEED, tags=tags, pack=pack)
    model.build(fit, workspace.root / "model", track=track, threads=os.cpu_count() or 1)
    say(f"{len(pictures)} pictures of {pack}; {len(queries)} queries on things that the model was not fitted to")


def _pack(choice: Choice, workspace: Workspace) -> str:
    """The pack that the workspace was begun with; a new one takes what was asked for."""
    kept = workspace.root / "pack"
    if not kept.exists():
        pack = choice.pack or packs.default_pack()
        if pack not in packs.PACKS:
            raise Mendable(f"There is no pack {pack!r}.", mend=f"Take one of: {', '.join(packs.PACKS)}.")
        files.write(kept, pack + "\n")
    pack = kept.read_text("utf-8").strip()
    if choice.pack not in ("", pack):
        raise Mendable(
            f"{workspace.root} holds the pack {pack!r} already.", mend="Remove the folder, or take another --workspace."
        )
    return pack


def _make_project(workspace: Workspace, backend: str) -> None:
    settings = {"form": "graded", "query": "text", "candidates": "image", "mode": "blind", "votes": len(ANNOTATORS)}
    wanted = admin.Wanted(PROJECT, "Demo: pictures for sentences", backend, settings)
    for line in admin.init(workspace.root, wanted):
        say(line)


def _answer(studio: Studio, workspace: Workspace) -> None:
    """Let every simulated annotator, under an account of its own, answer what it has not answered yet."""
    from sync.label_studio import connected

    truth = _truth(workspace)
    project = Workspace(workspace.root).project(PROJECT).id
    with connected(studio.url, studio.admin.token) as client:
        tasks = [task for task in _tasks(client, project) if not _left_open(task)]
    accounts = [(one, studio.annotator(one.name)) for one in ANNOTATORS]
    with bar("Simulated annotators answer", len(tasks) * len(accounts)) as advance:
        for annotator, account in accounts:
            with connected(studio.url, account.token) as client:
                user = client.users.whoami().id
                for task in tasks:
                    if user not in task["annotators"]:
                        _submit(client, task, annotator, truth)
                    advance(1)


def _tasks(client: "LabelStudio", project: int) -> list[dict[str, Any]]:
    from sync.tasks import changed_since

    found: dict[int, dict[str, Any]] = {}
    for rows in changed_since(client, project, times.BEGINNING):
        for row in rows:
            if envelope.is_filled(row):
                found[row["id"]] = row | {"annotators": {a["completed_by"] for a in row["annotations"] or []}}
    return [found[task_id] for task_id in sorted(found)]


def _left_open(task: Mapping[str, Any]) -> bool:
    return int(digest("open", task["data"]["query_id"]), 16) / 16**16 < OPEN_SHARE


def _submit(
    client: "LabelStudio", task: Mapping[str, Any], annotator: SimulatedAnnotator, truth: Mapping[tuple[str, str], int]
) -> None:
    from label_configs.forms import graded
    from label_configs.rules import CANT_JUDGE
    from sync.label_studio import ONCE, explained

    query_id, docs = task["data"]["query_id"], task["meta"][envelope.KEY]["docs"]
    shown = [docs[candidate["id"]] for candidate in task["data"]["candidates"]]
    grades = [annotator.grade(truth.get((query_id, doc_id), 0), query_id, doc_id) for doc_id in shown]
    regions = [graded.answer(n, CANT_JUDGE if grade is None else str(grade)) for n, grade in enumerate(grades)]
    with explained(f"answering task {task['id']}"):
        client.annotations.create(id=task["id"], result=regions, lead_time=2.0 * len(regions), request_options=ONCE)


def _truth(workspace: Workspace) -> dict[tuple[str, str], int]:
    lines = (line.split() for line in (workspace.root / "truth.tsv").read_text("utf-8").splitlines())
    return {(query_id, doc_id): int(grade) for query_id, _, doc_id, grade in lines}


def _tell(workspace: Workspace, broken: Sequence[str]) -> None:
    """Print the table, and keep its figures as summary.json."""
    figures = summary(flow.dataset(Workspace(workspace.root), PROJECT))
    shown = _shown_files(workspace)
    names = ("queries", "candidates", "judgments", "alpha", "ndcg10", "judged10", "mined", "mined_positive")
    kept = {name: figures[name] for name in names} | {"files": list(map(str, shown))}  # type: ignore[literal-required]
    files.write(workspace.root / "summary.json", json.dumps(kept, indent=1) + "\n")
    _print(figures, workspace, shown, len(broken))


def _shown_files(workspace: Workspace) -> list[Path]:
    """Where the data sets lie: readable in exports/, published in bucket/."""
    exported = sorted(p for name in FORMATS for p in (workspace.exports / name).rglob("*") if p.is_file())
    return [*exported, workspace.root / "bucket" / "latest.json"]


def _print(figures: Summary, workspace: Workspace, shown: Sequence[Path], broken: int) -> None:
    console = Console(highlight=False)
    table = tables.overview(figures)
    table.title = "Demo: judgments by simulated annotators"
    told = [f"{one.name}: bias {one.bias:+}, noise {one.noise} grades" for one in ANNOTATORS]
    table.add_row("SIMULATED annotators", "\n".join(told))
    table.add_row("left out", f"{broken} pictures that could not be read")
    here = _short(workspace.root)
    folders = dict.fromkeys(str(here / Path(*path.relative_to(workspace.root).parts[:2])) for path in shown)
    table.add_row("files", "\n".join(folders))
    console.print(table)
    console.print("Next: make up, and label the open tasks by keyboard; then, in another terminal:")
    console.print(f"  {_sync_of(workspace)}", soft_wrap=True)


def _sync_of(workspace: Workspace) -> str:
    here = _short(workspace.root)
    return f". {here}/env && ls-retrieval sync --workspace {here} --to {here}/bucket"


def _until_asked_to_stop() -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()


def _short(path: Path) -> Path:
    """The path from here, where it lies below."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _greet(studio: Studio, workspace: Workspace, backend: str) -> None:
    project = workspace.project(PROJECT).id
    say(f"Label Studio: {studio.url}/projects/{project}/data")
    say(f"     user     {studio.admin.email}")
    say(f"     password {studio.admin.password}")
    say("     press    Label All Tasks; the keys are on the cards")
    say(f"ML backend:   {backend}, its page {backend}/ui")
    say(f"Publish with: {_sync_of(workspace)}")
    say("Ctrl-C stops both.")
