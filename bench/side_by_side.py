"""What the scripts share: peers measured in turn in one run, CPU beside wall time, memory, a table, figures as JSON.

    python bench/NAME.py [--full] [--json FILE]        --tiny: whether it works and agrees; its times mean nothing

A script answers for one or more claims. Each is kept as ours and peer (in one unit), limit where something physical
sets one, ratio, aim, met, and the rows of its table.
"""

import argparse
import json
import os
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Literal, NamedTuple, ParamSpec, TypeVar

from rich.console import Console
from rich.table import Table

P = ParamSpec("P")
T = TypeVar("T")
Size = Literal["tiny", "small", "full"]
Row = Mapping[str, str | float | None]


class Took(NamedTuple):
    """Seconds on the clock, and of all threads of this process and of its children that have ended."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Claim:
    """One claim as it was measured. ratio: what the aim, in words, is about. limit: what the machine allows at best."""

    ours: float
    peer: float | None
    unit: str
    ratio: float
    aim: str
    met: bool
    limit: float | None = None
    note: str = ""
    rows: list[Row] = field(default_factory=list)


def took(work: Callable[[], object]) -> Took:
    """How long it takes, once."""
    wall, cpu = time.perf_counter(), _cpu()
    work()
    return Took(time.perf_counter() - wall, _cpu() - cpu)


def alternating(contestants: Mapping[str, Callable[[], object]], times: int) -> dict[str, list[Took]]:
    """All contestants in turn, so that a busy moment of the machine meets each of them; a first turn does not count."""
    taken: dict[str, list[Took]] = {name: [] for name in contestants}
    for turn in range(times + 1):
        for name, work in contestants.items():
            one = took(work)
            if turn:
                taken[name].append(one)
    return taken


def median(all_: Sequence[Took]) -> Took:
    """The medians of both times, each by itself."""
    return Took(statistics.median(t.wall for t in all_), statistics.median(t.cpu for t in all_))


def ratio(ours: Sequence[Took], peer: Sequence[Took], of: Literal["wall", "cpu"] = "cpu") -> float:
    """The median of peer ÷ ours, turn by turn: what slows one turn slows both."""
    which = Took._fields.index(of)
    return statistics.median(b[which] / max(a[which], 1e-9) for a, b in zip(ours, peer, strict=True))


def alone(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """A call in a fresh process: what others imported and allocated does not count."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(work, *args, **kwargs).result()


def grown(work: Callable[[], object]) -> float:
    """MB that this process had resident at most during the work, beyond what it had before."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    before = _resident("VmRSS")
    work()
    return _resident("VmHWM") - before


def _resident(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


def _cpu() -> float:
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(seconds for one in who for seconds in resource.getrusage(one)[:2])


def arguments(doc: str | None, given: Sequence[str] | None = None) -> argparse.Namespace:
    """The options that all scripts have: `size`, and `json`, a path or None."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", dest="size", action="store_const", const="full", help="large, for minutes")
    parser.add_argument("--tiny", dest="size", action="store_const", const="tiny", help="whether it works at all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.set_defaults(size="small")
    return parser.parse_args(given)


def tell(claims: Mapping[str, Claim], file: Path | None) -> None:
    """Print each claim with its table, and keep the figures."""
    console = Console(width=140, highlight=False)
    for name, claim in claims.items():
        console.print(table(f"{name}, {os.cpu_count()} cores", claim.rows))
        console.print(f"{name}: {said(claim)}", markup=False)
    if file:
        file.write_text(json.dumps({name: asdict(claim) for name, claim in claims.items()}, indent=1) + "\n")


def said(claim: Claim) -> str:
    """A line: the two figures, their ratio, and whether that was the aim."""
    peer = "" if claim.peer is None else f", peer {number(claim.peer)} {claim.unit}"
    met = "met" if claim.met else "not met"
    note = f" {claim.note}" if claim.note else ""
    return f"{number(claim.ours)} {claim.unit}{peer}; ratio {number(claim.ratio)}; aim {claim.aim}: {met}.{note}"


def table(title: str, rows: Sequence[Row]) -> Table:
    """Rows as a table: a column for each name that any of them has."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    shown = Table(*names, title=title)
    for row in rows:
        shown.add_row(*(number(row.get(name)) for name in names))
    return shown


def number(value: str | float | None) -> str:
    """Three digits that count; what is no number as it is."""
    if value is None or isinstance(value, str):
        return value or ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
