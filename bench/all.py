"""All claims, one script after the other: `make bench`, or `make bench FULL=1`.

    python bench/all.py [--full] [--only NAME …]

Writes `results/latest.json`, a claim a key, and `docs/performance.md` from it. With --only the claims of the other
scripts stay as they were. A script that fails is told of and has its claims marked; then this ends with 1.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import performance

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "latest.json"
SCRIPTS: Mapping[str, tuple[str, ...]] = {
    "start": ("P10",),
    "export_file": ("P1",),
    "negatives": ("P2",),
    "index": ("P3",),
    "predict": ("P4",),
    "pictures": ("P5",),
    "quality": ("P6", "P7"),
    "label_studio": ("P8",),
    "growth": ("P9",),
}
"""Scripts, and the claims that each answers for."""
_SAID = 600


def run(name: str, size: list[str]) -> dict[str, Any]:
    """The claims of one script, each with what it took; where it failed, why."""
    begun, size_ = time.monotonic(), (size or ["--small"])[0].removeprefix("--")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figures.json"
        command = [sys.executable, str(HERE / f"{name}.py"), *size, "--json", str(file)]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
        found = json.loads(file.read_text()) if file.exists() else {}
    failed = {"met": False, "failed": done.stderr.strip()[-_SAID:] or f"ended with exit code {done.returncode}"}
    about = {"script": name, "size": size_, "seconds": round(time.monotonic() - begun), "at": time.strftime("%F")}
    good = set(found) if not done.returncode else set[str]()
    return {claim: {**(found[claim] if claim in good else failed), **about} for claim in good.union(SCRIPTS[name])}


def keep(claims: Mapping[str, Any], results: Path, page: Path) -> None:
    """Write the figures and the page."""
    results.parent.mkdir(exist_ok=True, parents=True)
    results.write_text(json.dumps(claims, indent=1) + "\n")
    page.write_text(performance.page(claims, performance.machine()))


def main() -> None:
    """Run, keep, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", dest="size", action="store_const", const=["--full"], default=[])
    parser.add_argument("--tiny", dest="size", action="store_const", const=["--tiny"], help=argparse.SUPPRESS)
    parser.add_argument("--only", nargs="+", choices=SCRIPTS, default=list(SCRIPTS))
    parser.add_argument("--results", type=Path, default=RESULTS, help=argparse.SUPPRESS)
    parser.add_argument("--page", type=Path, default=performance.PAGE, help=argparse.SUPPRESS)
    given = parser.parse_args()
    claims = json.loads(given.results.read_text()) if given.results.exists() else {}
    for name in given.only:
        print(f"== {name}", flush=True)
        claims |= run(name, given.size)
        keep(dict(sorted(claims.items(), key=lambda one: performance.order(one[0]))), given.results, given.page)
    broken = [name for name, claim in claims.items() if "failed" in claim]
    for name in broken:
        print(f"{name} failed: {claims[name]['failed']}", file=sys.stderr)
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
