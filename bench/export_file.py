"""From an export to the table, beside the stock converter's CSV and beside bare parsing: tasks a second, memory.

    python bench/export_file.py                    50,000 tasks of 20 candidates: a million judgments, some minutes
    python bench/export_file.py --tasks 5000

The export is made as `push` and Label Studio make one, of the bucketed form, an answer a task. Each contestant runs in
a process of its own, in turn, several times; the best of each counts, its imports left out. CPU time beside wall time:
on a machine that others use, the ratio of CPU times is the steadier one. CPU time and memory are those of all processes
that a contestant starts, their imports too: this project reads along with one process more for each processor but one.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as Figures

from label_configs import cards
from label_configs import rules as rules_file
from label_configs.forms import buckets
from label_configs.records import Candidate, Item, Pool, Query
from sync import crew

RESULTS = Path(__file__).parent / "results" / "export_file.json"
_WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
RULES = rules_file.parse(rules_file.preset())
OURS, BARE = "pull --from-export", "bare parsing, by lines"
PEERS: dict[str, tuple[str, dict[str, Any]]] = {
    "stock converter, CSV": ("convert_to_csv", {"sep": ",", "header": True}),
    "stock converter, JSON_MIN": ("convert_to_json_min", {}),
}


def task(number: int, candidates: int, chance: random.Random) -> dict[str, Any]:
    """One task with its answer, as Label Studio exports it."""
    docs = [f"photo-{chance.randrange(10**7):07d}-{n}" for n in range(candidates)]
    pool = _pool(f"q{number}", docs)
    faces = {d: cards.card(Item(doc_id=d, modality="image", uri=f"{d}.jpg"), _thumbnail(d)) for d in docs}
    query = Query(query_id=f"q{number}", text=f"what somebody looks for, number {number}")
    (made,) = buckets.tasks(pool, query, query.text, faces, RULES, per_screen=candidates)
    time_ = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(1_780_000_000 + number)) + f".{number % 10**6:06d}Z"
    return {
        "id": number,
        "annotations": [_annotation(number, list(made["meta"]["ls_retrieval"]["docs"]), time_, chance)],
        "file_upload": None,
        "drafts": [],
        "predictions": [],
        **made,
        "created_at": time_,
        "updated_at": time_,
        "inner_id": number,
        "total_annotations": 1,
        "cancelled_annotations": 0,
        "total_predictions": 0,
        "comment_count": 0,
        "unresolved_comment_count": 0,
        "last_comment_updated_at": None,
        "project": 7,
        "updated_by": 1,
        "comment_authors": [],
    }


def _pool(query_id: str, docs: list[str]) -> Pool:
    shown = tuple(Candidate(doc_id=d, source="dense") for d in docs)
    return Pool(query_id=query_id, candidates=shown, encoder="clip", index="i", seed=0)


def _thumbnail(doc_id: str) -> str:
    return f"/data/local-files/?d=photos/media/thumbs/{doc_id[-2:]}/{doc_id}-384.webp"


def _annotation(number: int, ids: list[str], time_: str, chance: random.Random) -> dict[str, Any]:
    """All cards placed, in some order."""
    chance.shuffle(ids)
    placed: dict[str, list[str]] = {"_": []}
    for one in ids:
        placed.setdefault(str(chance.choice((0, 0, 1, 2, 3))), []).append(one)
    region = {"id": "buckets", "from_name": "buckets", "to_name": "cards", "type": "ranker", "origin": "manual"}
    return {
        "id": number,
        "completed_by": chance.randrange(1, 6),
        "result": [{**region, "value": {"ranker": placed}}],
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": time_,
        "updated_at": time_,
        "draft_created_at": None,
        "lead_time": 12.5,
        "prediction": {},
        "result_count": 1,
        "unique_id": f"8a1f6f5e-1111-4444-8888-{number:012d}",
        "import_id": None,
        "last_action": None,
        "bulk_created": False,
        "task": number,
        "project": 7,
        "updated_by": 1,
        "parent_prediction": None,
        "parent_annotation": None,
        "last_created_by": None,
    }


def write(path: Path, tasks: int, candidates: int) -> None:
    """The export as an array, and the same as lines beside it."""
    chance = random.Random(0)  # noqa: S311
    with path.open("w") as array, path.with_suffix(".jsonl").open("w") as lines:
        for number in range(1, tasks + 1):
            row = json.dumps(task(number, candidates, chance), separators=(",", ":"))
            array.write(f"{',' if number > 1 else '['}{row}")
            lines.write(f"{row}\n")
        array.write("]")


def ours(path: Path) -> Callable[[], object]:
    """Into a fresh table. With the first array pyarrow imports pandas, which the peer imports too."""
    import pyarrow as pa

    from store.judgments import Table
    from store.settings import Project
    from sync import export_file

    table = Table(Path(tempfile.mkdtemp(dir=path.parent)) / "7")
    project = Project(id=7, form="buckets")
    pa.array([0])
    return lambda: export_file.pull(path, project, table, {RULES.hash: RULES}.get, "key")


def peer(name: str, path: Path) -> Callable[[], object]:
    """As `label-studio-sdk` converts."""
    from label_studio_sdk.converter.converter import Converter

    converter = Converter(buckets.xml(RULES, "text", "image"), str(path.parent), download_resources=False)
    out = tempfile.mkdtemp(dir=path.parent)
    return partial(getattr(converter, PEERS[name][0]), str(path), out, is_dir=False, **PEERS[name][1])


def bare(path: Path) -> Callable[[], object]:
    """Every task as Python objects, and nothing done with them."""
    import msgspec

    def parse() -> None:
        with path.with_suffix(".jsonl").open("rb") as lines:
            for line in lines:
                msgspec.json.decode(line)

    return parse


CONTESTANTS: dict[str, Callable[[Path], Callable[[], object]]] = {
    OURS: ours,
    **{name: partial(peer, name) for name in PEERS},
    BARE: bare,
}


def run(name: str, path: Path) -> dict[str, float]:
    """One contestant once, in this process."""
    work = CONTESTANTS[name](path)
    wall, cpu = time.perf_counter(), _cpu()
    work()
    wall, cpu = time.perf_counter() - wall, _cpu() - cpu
    return {"wall": wall, "cpu": cpu, "mb": _mb(path)}


def _cpu() -> float:
    """Seconds of this process and of those that it started and that have ended."""
    return sum(time for who in _WHO for time in resource.getrusage(who)[:2])


def _mb(path: Path) -> float:
    """The most that was resident: of this process, and as much as the largest of those that it started for each."""
    own, one = (resource.getrusage(who).ru_maxrss / 1024 for who in _WHO)
    return own + one * max(1, crew.many(path))


def alone(name: str, path: Path) -> dict[str, float]:
    """One contestant once, in a process of its own."""
    said = subprocess.run([sys.executable, __file__, "--run", name, str(path)], check=True, capture_output=True)
    return dict(json.loads(said.stdout))


def compare(tasks: int, candidates: int, times: int) -> dict[str, Any]:
    """All contestants in turn, and how they stand to each other."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.json"
        write(path, tasks, candidates)
        taken = [{name: alone(name, path) for name in CONTESTANTS} for _ in range(times)]
        size = path.stat().st_size
    best = {
        name: {
            "tasks_per_second": tasks / min(one[name]["wall"] for one in taken),
            "tasks_per_cpu_second": tasks / min(one[name]["cpu"] for one in taken),
            "mb": max(one[name]["mb"] for one in taken),
        }
        for name in CONTESTANTS
    }
    ratios = {}
    for kind, key in (("wall", "tasks_per_second"), ("cpu", "tasks_per_cpu_second")):
        for name in PEERS:
            ratios[f"{kind}, times the speed of the {name}"] = best[OURS][key] / best[name][key]
        ratios[f"{kind}, times the time of bare parsing"] = best[BARE][key] / best[OURS][key]
    return {"tasks": tasks, "judgments": tasks * candidates, "bytes": size, "best": best, "ratios": ratios}


def show(found: dict[str, Any]) -> None:
    """The figures as a table."""
    title = f"{found['tasks']} tasks, {found['judgments']} judgments, {found['bytes'] / 1e6:.0f} MB"
    table = Figures("", "tasks/s", "tasks/CPU s", "MB resident", title=title)
    for name, one in found["best"].items():
        table.add_row(name, *(f"{one[key]:,.0f}" for key in ("tasks_per_second", "tasks_per_cpu_second", "mb")))
    Console().print(table)
    for name, ratio in found["ratios"].items():
        Console().print(f"{name}: {ratio:.1f}", highlight=False)


def main() -> None:
    """Compare, show, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=50_000)
    parser.add_argument("--candidates", type=int, default=20)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        print(json.dumps(run(given.run[0], Path(given.run[1]))))
        return
    found = compare(given.tasks, given.candidates, given.times)
    show(found)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
