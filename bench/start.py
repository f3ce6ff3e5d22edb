"""P10: how soon `ls-retrieval --help` is printed, beside a bare typer program's; and how soon the backend answers.

    python bench/start.py [--full] [--json FILE]

Both programs run in turn, each in a process of its own. The backend's encoder is an open_clip model of random weights,
which is still loading when /health answers: importing torch alone takes longer.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple

import models
import requests
import side_by_side
from side_by_side import Claim, Row, alternating, median

from label_configs import rules
from ls_retrieval.serve import running_backend
from store.workspace import Workspace

TIMES = {"tiny": 1, "small": 9, "full": 25}
BARE = """
import typer
app = typer.Typer(name="bare", help="Two commands.", add_completion=False, rich_markup_mode="markdown")
@app.command()
def one(count: int = 1) -> None:
    "The first."
@app.command()
def two(count: int = 2) -> None:
    "The second."
app(["--help"])
"""
_NOBODY = dict.fromkeys(
    ("BASIC_AUTH_USER", "BASIC_AUTH_PASS", "LSR_WEBHOOK_SECRET", "LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"), ""
)


class Answered(NamedTuple):
    """Seconds until /health answered, and what it said of the encoders; and until it said that they are ready."""

    health: float
    encoders: str
    ready: float


def programs() -> dict[str, list[str]]:
    """Code that prints each program's help."""
    (command,) = entry_points(group="console_scripts", name="ls-retrieval")
    call = f"from {command.module} import {command.attr}; {command.attr}()"
    ours = f"import sys; sys.argv = ['ls-retrieval', '--help']; {call}"
    return {"ls-retrieval --help": [sys.executable, "-c", ours], "a bare typer program": [sys.executable, "-c", BARE]}


def printed(command: Sequence[str]) -> str:
    """What a program prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def answered(workspace: Workspace) -> Answered:
    """Start a backend and ask it until its encoders are ready."""
    begun = time.monotonic()
    with running_backend(workspace, host="127.0.0.1", port=0, workers=1, environment=_NOBODY) as url:
        health, first = time.monotonic() - begun, _encoders(url)
        while _encoders(url) != "ready":
            time.sleep(0.1)
        return Answered(health, first, time.monotonic() - begun)


def _encoders(url: str) -> str:
    return str(requests.get(f"{url}/health", timeout=5).json()["encoders"])


@contextmanager
def _workspace() -> Iterator[Workspace]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        models.clip(root / "model", models.TINY)
        (root / "settings.toml").write_text('[encoders.clip]\nmodel = "local-dir:model"\n')
        (root / "rules.yaml").write_text(rules.preset())
        yield Workspace(root)


def main() -> None:
    """Measure both."""
    given = side_by_side.arguments(__doc__)
    times = TIMES[given.size]
    taken = alternating({name: lambda c=c: printed(c) for name, c in programs().items()}, times)  # type: ignore[misc]
    ours, bare = taken.values()
    ratio = 1 / side_by_side.ratio(ours, bare)
    with _workspace() as workspace:
        starts = [answered(workspace) for _ in range(max(1, times // 3))]
    health = statistics.median(one.health for one in starts)
    loading = all(one.encoders == "loading" for one in starts)
    rows: list[Row] = [
        {"what": name, "wall s": median(all_).wall, "CPU s": median(all_).cpu} for name, all_ in taken.items()
    ]
    rows += [{"what": "backend, until /health answers", "wall s": health}]
    rows += [{"what": "backend, until its encoder is ready", "wall s": statistics.median(one.ready for one in starts)}]
    met = ratio <= 1.25 and health < 2 and loading
    aim = "help in ≤ 1.25 × a bare program's time; /health in < 2 s while the model loads"
    note = f"/health answered after {health:.2f} s, while the model was {'still loading' if loading else 'loaded'}."
    claim = Claim(median(ours).cpu, median(bare).cpu, "s CPU", ratio, aim, met, note=note, rows=rows)
    side_by_side.tell({"P10": claim}, given.json)


if __name__ == "__main__":
    main()
