"""What the demo says at its end, and what `--up` says at its start."""

import json
from collections.abc import Sequence
from pathlib import Path

from ls_retrieval import flow, tables
from ls_retrieval.demo.annotators import ANNOTATORS
from ls_retrieval.progress import say, terminal
from ls_retrieval.studio import Studio
from store import files
from store.workspace import Workspace
from sync.report import Summary, summary


def tell(workspace: Workspace, name: str, formats: Sequence[str], broken: Sequence[str]) -> None:
    """Print the table, and keep its figures as summary.json."""
    figures = summary(flow.dataset(Workspace(workspace.root), name))
    shown = _shown_files(workspace, formats)
    names = ("queries", "candidates", "judgments", "alpha", "ndcg10", "judged10", "mined", "mined_positive")
    kept = {name: figures[name] for name in names} | {"files": list(map(str, shown))}  # type: ignore[literal-required]
    files.write(workspace.root / "summary.json", json.dumps(kept, indent=1) + "\n")
    _print(figures, workspace, shown, len(broken))


def _shown_files(workspace: Workspace, formats: Sequence[str]) -> list[Path]:
    """Where the data sets lie: readable in exports/, published in bucket/."""
    exported = sorted(p for name in formats for p in (workspace.exports / name).rglob("*") if p.is_file())
    return [*exported, workspace.root / "bucket" / "latest.json"]


def _print(figures: Summary, workspace: Workspace, shown: Sequence[Path], broken: int) -> None:
    console = terminal()
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


def greet(studio: Studio, workspace: Workspace, name: str, backend: str) -> None:
    """Say where Label Studio and the backend are, and how to go on."""
    project = workspace.project(name).id
    say(f"Label Studio: {studio.url}/projects/{project}/data")
    say(f"     user     {studio.admin.email}")
    say(f"     password {studio.admin.password}")
    say("     press    Label All Tasks; the keys are on the cards")
    say(f"ML backend:   {backend}, its page {backend}/ui")
    say(f"Publish with: {_sync_of(workspace)}")
    say("Ctrl-C stops both.")


def _short(path: Path) -> Path:
    """The path from here, where it lies below."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
