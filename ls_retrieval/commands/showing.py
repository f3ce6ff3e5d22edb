"""The command that shows the whole job."""

from pathlib import Path
from typing import Annotated

import typer

from ls_retrieval.commands.options import WorkspaceOption


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
