"""docs/performance.md from the figures that `bench/all.py` kept: python bench/performance.py writes it anew."""

import importlib.metadata
import json
import os
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from side_by_side import number

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "performance.md"
ABOUT: Mapping[str, str] = {
    "P1": "From an export of Label Studio to the table of judgments",
    "P2": "Hard negatives of a whole corpus",
    "P3": "The nearest items of one query",
    "P4": "Predictions for the tasks of a project",
    "P5": "Encoding pictures, from files to vectors",
    "P6": "Consensus of a million judgments",
    "P7": "Agreement and nDCG",
    "P8": "To a running Label Studio and back",
    "P9": "Growth",
    "P10": "Start",
}
_LIBRARIES = ("faiss-cpu", "torch", "sentence-transformers", "open_clip_torch", "pillow", "numpy", "pyarrow", "msgspec")
_HEAD = """\
# How fast it is

`make bench` measures it again (`make bench FULL=1` with large data) and writes this page. Each line is a
claim: this program beside a peer, on the same data, in one run, taken in turn. Ratios of one run say more than seconds:
the machine is shared. Where an aim is missed the page says so, and what the machine allows at best.
"""


def page(claims: Mapping[str, Mapping[str, Any]], about: Mapping[str, str]) -> str:
    """The page as Markdown."""
    return "\n".join([_HEAD, *_overview(claims), "", *_machine(about), *_sections(claims)]).rstrip() + "\n"


def _overview(claims: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield from ("| | what | ours | peer | ratio | aim | |", "|---|---|---|---|---|---|---|")
    for name, claim in claims.items():
        what = f"| {name} | {ABOUT.get(name, name)}"
        if "failed" in claim:
            yield f"{what} | | | | | the measurement failed |"
            continue
        unit = claim["unit"]
        ours, peer = (f"{number(claim[key])} {unit}" if claim[key] is not None else "" for key in ("ours", "peer"))
        met = "met" if claim["met"] else "**missed**"
        yield f"{what} | {ours} | {peer} | {number(claim['ratio'])} | {claim['aim']} | {met} |"


def _machine(about: Mapping[str, str]) -> Iterator[str]:
    yield from ("Measured on:", "")
    yield from (f"- {name}: {value}" for name, value in about.items())


def _sections(claims: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for name, claim in claims.items():
        run = f"`python bench/{claim['script']}.py`, {claim['size']} data, {claim['at']}"
        yield from ("", f"## {name}: {ABOUT.get(name, name)}", "", f"{run}; it took {claim['seconds']} s.", "")
        if "failed" in claim:
            yield from ("The measurement failed:", "", *(f"    {line}" for line in claim["failed"].splitlines()))
            continue
        yield _verdict(claim)
        yield from _table(claim["rows"])
        if claim.get("plot"):
            yield from ("", f"![{ABOUT.get(name, name)}]({claim['plot']})")


def _verdict(claim: Mapping[str, Any]) -> str:
    said = f"Aim: {claim['aim']}; measured {number(claim['ratio'])}: {'met' if claim['met'] else '**missed**'}."
    if claim.get("limit"):
        rate = "/s" in claim["unit"]
        over, under = ("ours", "limit") if rate else ("limit", "ours")
        near = claim[over] / claim[under] if claim[under] else 0
        said += f" The machine's limit is {number(claim['limit'])} {claim['unit']}; this is {near:.0%} of its speed."
    return f"{said} {claim.get('note') or ''}".rstrip()


def _table(rows: list[dict[str, Any]]) -> Iterator[str]:
    names = list(dict.fromkeys(name for row in rows for name in row))
    if names:
        yield from ("", f"| {' | '.join(names)} |", "|---" * len(names) + "|")
    for row in rows:
        yield f"| {' | '.join(number(row.get(name)) for name in names)} |"


def machine() -> dict[str, str]:
    """What it was measured on."""
    cpu = next((line.partition(":")[2].strip() for line in _lines("cpuinfo") if line.startswith("model name")), "")
    memory = next(int(line.split()[1]) for line in _lines("meminfo") if line.startswith("MemTotal"))
    flags = next((line.split() for line in _lines("cpuinfo") if line.startswith("flags")), [])
    wide = next((name for name in ("avx512f", "avx2") if name in flags), "no AVX2")
    return {
        "processor": f"{cpu or platform.machine()}, {len(os.sched_getaffinity(0))} cores, {wide}",
        "memory": f"{memory / 1e6:.0f} GB",
        "load": f"{os.getloadavg()[2]:.0f} processes at a time in the last quarter of an hour, these included",
        "Python": f"{platform.python_version()} on {platform.system()} {platform.release().split('-')[0]}",
        "libraries": ", ".join(f"{name} {version}" for name in _LIBRARIES if (version := _version(name))),
    }


def _lines(name: str) -> list[str]:
    return (Path("/proc") / name).read_text().splitlines()


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def order(name: str) -> int:
    """Claims by their number."""
    return int(name.removeprefix("P"))


if __name__ == "__main__":
    PAGE.write_text(page(json.loads((HERE / "results" / "latest.json").read_text()), machine()))
