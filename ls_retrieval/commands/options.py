"""What commands share: options of one meaning, and how a workspace is opened."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from label_configs.errors import Mendable

if TYPE_CHECKING:
    from store.workspace import Workspace

WorkspaceOption = Annotated[Path, typer.Option("--workspace", "-w", help="The workspace's folder.")]
ProjectOption = Annotated[str, typer.Option("--project", "-p", help="Name of the project in settings.toml.")]
FromOption = Annotated[str, typer.Option("--from", help="Name of the project that it is for.")]
Title = Annotated[str, typer.Option(help="Title in Label Studio; the project's name without it.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
Formats = Annotated[str, typer.Option("--formats", help="Names with commas between; `export --list` shows them.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
HERE = Path()


def opened_workspace(root: Path) -> "Workspace":
    """The workspace in a folder that is there."""
    from store.workspace import Workspace

    if not root.is_dir():
        raise Mendable(f"There is no workspace {root}.", mend=f"`ls-retrieval init --workspace {root}` makes one.")
    return Workspace(root)


def name_left_out(sentences: Sequence[str]) -> None:
    """Say on the error stream what was left out, one line each."""
    for sentence in sentences:
        typer.echo(f"left out: {sentence}", err=True)
