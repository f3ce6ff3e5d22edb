"""From an export to the table, beside the stock converter and beside bare parsing of the same bytes: time, CPU, memory.

    python bench/export_file.py                       10,000 tasks of 20 candidates, and pairs; a minute or two
    python bench/export_file.py --full --json FILE    50,000 tasks, a million judgments; memory up to a million tasks
    python bench/export_file.py --tasks 5000 --candidates 8 --forms buckets --memory 10000 100000

The exports are made as `push` and Label Studio make them, an answer a task. Each contestant runs in a process of its
own, all in turn, several times; its imports are left out, and the medians count. CPU time is that of all processes that
a contestant starts, their imports too, and on a machine that others use the steadier one. Memory is the most that was
resident of the whole process, imports too, and of those that it started.
"""

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as Figures

from label_configs import cards
from label_configs import rules as rules_file
from label_configs.forms import FORMS
from label_configs.records import Candidate, Item, Pool, Query
from sync import crew

_WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
RULES = rules_file.parse(rules_file.preset())
OURS, ALONE, HELPED, QRELS = "pull --from-export", "pull, one process", "pull, two processes", "pull, then qrels"
CSV, MIN = "stock converter, CSV", "stock converter, JSON_MIN"
BARE, TAPE = "bare parsing, msgspec by lines", "bare parsing, simdjson by lines, no objects made"
_SCREENS = 5_000
"""Different screens; of more tasks each is shown again, to another query."""
Row = dict[str, str | float]


@lru_cache(maxsize=_SCREENS)
def screen(form: str, number: int, candidates: int) -> dict[str, Any]:
    """What one task shows, as `push` makes it."""
    chance = random.Random(number)  # noqa: S311
    docs = [f"photo-{chance.randrange(10**7):07d}-{n}" for n in range(candidates)]
    shown = tuple(Candidate(doc_id=d, source="dense") for d in docs)
    query = Query(query_id=f"q{number}", text=f"what somebody looks for, number {number}")
    pool = Pool(query_id=query.query_id, candidates=shown, encoder="clip", index="i", seed=0)
    faces = {d: cards.card(Item(doc_id=d, modality="image", uri=f"{d}.jpg"), _thumbnail(d)) for d in docs}
    return dict(FORMS[form].tasks(pool, query, query.text, faces, RULES, per_screen=candidates)[0])


def task(form: str, number: int, candidates: int) -> dict[str, Any]:
    """One task with its answer, as Label Studio exports it."""
    made = screen(form, number % _SCREENS, candidates)
    time_ = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(1_780_000_000 + number)) + f".{number % 10**6:06d}Z"
    result = [ANSWERS[form](list(made["meta"]["ls_retrieval"]["docs"]), random.Random(number))]  # noqa: S311
    return {
        "id": number,
        "annotations": [_annotation(number, result, time_)],
        "file_upload": None,
        "drafts": [],
        "predictions": [],
        **made,
        "data": {**made["data"], "query_id": f"q{number}"},
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


def _thumbnail(doc_id: str) -> str:
    return f"/data/local-files/?d=photos/media/thumbs/{doc_id[-2:]}/{doc_id}-384.webp"


def _sorted(ids: list[str], chance: random.Random) -> dict[str, Any]:
    """All cards placed, in some order."""
    chance.shuffle(ids)
    placed: dict[str, list[str]] = {"_": []}
    for one in ids:
        placed.setdefault(str(chance.choice((0, 0, 1, 2, 3))), []).append(one)
    return {"id": "buckets", "from_name": "buckets", "to_name": "cards", "type": "ranker", "value": {"ranker": placed}}


def _picked(ids: list[str], chance: random.Random) -> dict[str, Any]:
    """One of the two, or a tie."""
    value = {"choices": [chance.choice([*ids, "tie"])]}
    return {"id": "pick", "from_name": "pick", "to_name": "query", "type": "choices", "value": value}


ANSWERS: dict[str, Callable[[list[str], random.Random], dict[str, Any]]] = {"buckets": _sorted, "pairwise": _picked}


def _annotation(number: int, result: list[dict[str, Any]], time_: str) -> dict[str, Any]:
    return {
        "id": number,
        "completed_by": 1 + number % 5,
        "result": [{**one, "origin": "manual"} for one in result],
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


def write(path: Path, form: str, tasks: int, candidates: int, lines: bool = True) -> None:
    """The export as an array, and the same as lines beside it."""
    with path.open("w") as array, path.with_suffix(".jsonl").open("w") as beside:
        for number in range(1, tasks + 1):
            row = json.dumps(task(form, number, candidates), separators=(",", ":"))
            array.write(f"{',' if number > 1 else '['}{row}")
            if lines:
                beside.write(f"{row}\n")
        array.write("]")


def ours(path: Path, form: str, helpers: int | None = None, qrels: bool = False) -> Callable[[], object]:
    """Into a fresh table. With the first array pyarrow imports pandas, which the peer imports too."""
    import pyarrow as pa

    from store.judgments import Table
    from store.settings import Project
    from sync import consensus, export_file

    table = Table(Path(tempfile.mkdtemp(dir=path.parent)) / "7")
    project = Project(id=7, form=form)
    pa.array([0])

    def work() -> None:
        pulled = export_file.pull(path, project, table, {RULES.hash: RULES}.get, "key", helpers=helpers)
        if pulled.problems:
            raise SystemExit(pulled.problems[0])
        if qrels:
            reached = consensus.consensus(table.standing(), RULES).relevance
            lines = (f"{one.query_id} 0 {one.doc_id} {one.grade}\n" for one in reached)
            (table.folder / "qrels.txt").write_text("".join(lines))

    return work


def peer(path: Path, form: str, method: str, **given: Any) -> Callable[[], object]:
    """As `label-studio-sdk` converts."""
    from label_studio_sdk.converter.converter import Converter

    converter = Converter(FORMS[form].xml(RULES, "text", "image"), str(path.parent), download_resources=False)
    out = tempfile.mkdtemp(dir=path.parent)
    return partial(getattr(converter, method), str(path), out, is_dir=False, **given)


def bare(path: Path, form: str) -> Callable[[], object]:
    """Every task as Python objects, and nothing done with them."""
    import msgspec

    return partial(_by_lines, path, msgspec.json.decode)


def tape(path: Path, form: str) -> Callable[[], object]:
    """Every task as simdjson has it before any object is made of it: the least that parsing costs."""
    import simdjson

    return partial(_by_lines, path, simdjson.Parser().parse)


def _by_lines(path: Path, parse: Callable[[bytes], object]) -> None:
    with path.with_suffix(".jsonl").open("rb") as lines:
        for line in lines:
            parse(line)


CONTESTANTS: dict[str, Callable[[Path, str], Callable[[], object]]] = {
    OURS: ours,
    ALONE: partial(ours, helpers=0),
    HELPED: partial(ours, helpers=1),
    QRELS: partial(ours, qrels=True),
    CSV: partial(peer, method="convert_to_csv", sep=",", header=True),
    MIN: partial(peer, method="convert_to_json_min"),
    BARE: bare,
    TAPE: tape,
}


def run(name: str, path: Path, form: str) -> dict[str, float]:
    """One contestant once, in this process."""
    work = CONTESTANTS[name](path, form)
    wall, cpu = time.perf_counter(), _cpu()
    work()
    return {"wall": time.perf_counter() - wall, "cpu": _cpu() - cpu, "mb": _mb(name, path)}


def _cpu() -> float:
    """Seconds of this process and of those that it started and that have ended."""
    return sum(time for who in _WHO for time in resource.getrusage(who)[:2])


def _mb(name: str, path: Path) -> float:
    """The most that was resident: of this process, and as much as the largest of those that it started for each."""
    status = Path("/proc/self/status").read_text().splitlines()
    own = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    helpers = {OURS: crew.many(path), QRELS: crew.many(path), HELPED: 1}.get(name, 0)
    return (own + helpers * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024


def alone(name: str, path: Path, form: str) -> dict[str, float]:
    """One contestant once, in a process of its own."""
    said = subprocess.run([sys.executable, __file__, "--run", name, str(path), form], check=True, capture_output=True)
    return dict(json.loads(said.stdout))


def compare(form: str, tasks: int, candidates: int, times: int) -> list[Row]:
    """All contestants in turn, each beside this project's: the medians of both times, and the ratios turn by turn."""
    names = [name for name in CONTESTANTS if form == "buckets" or name != QRELS]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.json"
        write(path, form, tasks, candidates)
        taken = [{name: alone(name, path, form) for name in names} for _ in range(times)]
        size = path.stat().st_size

    def middle(name: str, kind: str) -> float:
        return statistics.median(one[name][kind] for one in taken)

    def ratio(name: str, kind: str) -> float:
        return statistics.median(one[name][kind] / one[OURS][kind] for one in taken)

    return [
        {
            "form": form,
            "tasks": tasks,
            "bytes a task": size / tasks,
            "contestant": name,
            "µs a task": middle(name, "wall") / tasks * 1e6,
            "CPU µs a task": middle(name, "cpu") / tasks * 1e6,
            "÷ ours": ratio(name, "wall"),
            "÷ ours, CPU": ratio(name, "cpu"),
            "MB": max(one[name]["mb"] for one in taken),
        }
        for name in names
    ]


def memory(form: str, tasks: int, candidates: int) -> Row:
    """What is resident at most while an export of so many tasks is read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.json"
        write(path, form, tasks, candidates, lines=False)
        took = alone(OURS, path, form)
        size = path.stat().st_size
    row: Row = {"form": form, "tasks": tasks, "bytes a task": size / tasks, "contestant": f"{OURS}, once"}
    return {
        **row,
        "µs a task": took["wall"] / tasks * 1e6,
        "CPU µs a task": took["cpu"] / tasks * 1e6,
        "MB": took["mb"],
    }


def claim(rows: list[Row]) -> dict[str, Any]:
    """The figures of the first form under the names that all claims have."""
    found = {str(row["contestant"]): row for row in reversed(rows) if row["form"] == rows[0]["form"]}
    speed = {name: 1e6 / float(found[name]["µs a task"]) for name in (OURS, CSV, TAPE)}
    cpu = {name: 1e6 / float(found[name]["CPU µs a task"]) for name in (OURS, CSV)}
    ratio, bare_ = float(found[CSV]["÷ ours"]), 1 / float(found[BARE]["÷ ours, CPU"])
    return {
        "ours": speed[OURS],
        "peer": speed[CSV],
        "limit": speed[TAPE],
        "unit": "tasks/s",
        "ratio": ratio,
        "aim": "≥ 15 × CSV, ≤ 2.5 × the time of bare parsing",
        "met": ratio >= 15 and bare_ <= 2.5,
        "cpu_ours": cpu[OURS],
        "cpu_peer": cpu[CSV],
        "rows": rows,
    }


def show(rows: list[Row]) -> None:
    """The rows as a table."""
    names = list(rows[0])
    table = Figures(*names)
    for row in rows:
        found = [row.get(name, "") for name in names]
        table.add_row(
            *(one if isinstance(one, str) else f"{one:,.1f}" if one < 100 else f"{one:,.0f}" for one in found)
        )
    Console(width=150).print(table)


def main() -> None:
    """Compare, show, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="large, for some ten minutes")
    parser.add_argument("--tasks", type=int, help="10,000 without it, 50,000 with --full")
    parser.add_argument("--candidates", type=int, default=20)
    parser.add_argument("--forms", nargs="+", choices=list(ANSWERS), default=list(ANSWERS))
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--memory", type=int, nargs="*", help="numbers of tasks at which memory is measured as well")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--run", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        name, path, form = given.run
        print(json.dumps(run(name, Path(path), form)))
        return
    tasks = given.tasks or (50_000 if given.full else 10_000)
    sizes = given.memory or ([10_000, 100_000, 1_000_000] if given.full else [])
    many = {"buckets": given.candidates, "pairwise": 2}
    rows = [row for form in given.forms for row in compare(form, tasks, many[form], given.times)]
    rows += [memory(form, size, many[form]) for form in given.forms for size in sizes]
    show(rows)
    if given.json:
        given.json.write_text(json.dumps({"P1": claim(rows)}, indent=1) + "\n")


if __name__ == "__main__":
    main()
