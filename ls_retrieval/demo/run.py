"""The demo: the whole job on real pictures, in steps that can be stopped at any point and run again."""

import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from label_configs.errors import Mendable
from ls_retrieval import admin, compose, flow, ports, syncing
from ls_retrieval.demo import answering, corpus, model, packs, telling
from ls_retrieval.demo.annotators import ANNOTATORS
from ls_retrieval.ports import LOOPBACK
from ls_retrieval.progress import say, track
from ls_retrieval.serve import running_backend
from ls_retrieval.studio import Studio, running_studio
from store import files
from store.workspace import Workspace

SEED = 0
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
            answering.answer(studio, workspace, PROJECT)
        with _step("sync"):
            done = syncing.sync(workspace, syncing.Wanted(PROJECT, str(workspace.root / "bucket"), FORMATS))
            say(f"version {done.published.version} published, {done.published.written} bytes written")
        telling.tell(workspace, PROJECT, FORMATS, broken)


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
        telling.greet(studio, workspace, PROJECT, backend)
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
    names = ("LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY", "LSR_PSEUDONYM_KEY", "LSR_WEBHOOK_SECRET")
    ours = [name + end for name in (*names, "BASIC_AUTH_USER", "BASIC_AUTH_PASS") for end in ("", "_FILE")]
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


def _until_asked_to_stop() -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()
