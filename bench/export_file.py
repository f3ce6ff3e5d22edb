"""P1: from an export to the table and to qrels, beside the stock converter and bare parsing of the same bytes.

    python bench/export_file.py [--full] [--json FILE]

A million judgments, 50,000 tasks of 20 candidates in buckets, and pairs; --full: memory up to a million tasks as well.
The exports are made as `push` and Label Studio make them, an answer a task. Each contestant runs in a process of its
own, all in turn, several times; its imports are left out. CPU is that of all processes that a contestant starts, their
imports too. Memory is the most that was resident of the whole process, imports too, and of those that it started.
"""

import json
import os
import random
import resource
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import side_by_side
from side_by_side import Claim, Row, Took, median, ratio

from label_configs import cards
from label_configs import rules as rules_file
from label_configs.forms import FORMS
from label_configs.records import Candidate, Item, Pool, Query
from sync import crew

RULES = rules_file.parse(rules_file.preset())
OURS, ALONE, HELPED = "pull --from-export", "pull, one process", "pull, two processes"
QRELS, MAJORITY = "pull, then qrels", "pull, then qrels by majority"
CSV, MIN = "stock converter, CSV", "stock converter, JSON_MIN"
BARE, TAPE = "bare parsing, msgspec by lines", "bare parsing, simdjson by lines, no objects made"


class Size(NamedTuple):
    """Tasks by form, turns, and tasks of the exports at which memory is measured."""

    tasks: Mapping[str, int]
    times: int
    memory: Sequence[int] = ()


SIZES = {
    "tiny": Size({"buckets": 40, "pairwise": 40}, 1, (80,)),
    "small": Size({"buckets": 50_000, "pairwise": 10_000}, 3),
    "full": Size({"buckets": 50_000, "pairwise": 50_000}, 5, (10_000, 100_000, 1_000_000)),
}
CANDIDATES = {"buckets": 20, "pairwise": 2}
_SCREENS = 5_000
"""Different screens; of more tasks each is shown again, to another query."""


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


def write(path: Path, form: str, tasks: int, lines: bool = True) -> None:
    """The export as an array, and the same as lines beside it."""
    with path.open("w") as array, path.with_suffix(".jsonl").open("w") as beside:
        for number in range(1, tasks + 1):
            row = json.dumps(task(form, number, CANDIDATES[form]), separators=(",", ":"))
            array.write(f"{',' if number > 1 else '['}{row}")
            if lines:
                beside.write(f"{row}\n")
        array.write("]")


def ours(path: Path, form: str, helpers: int | None = None, qrels: str = "") -> Callable[[], object]:
    """Into a fresh table, and on to qrels by that method. With the first array pyarrow imports pandas, which the peer
    imports too.
    """
    import pyarrow as pa

    from store.judgments import Table
    from store.settings import Project
    from sync import consensus, export_file, votes

    table = Table(Path(tempfile.mkdtemp(dir=path.parent)) / "7")
    project = Project(id=7, form=form)
    pa.array([0])

    def work() -> None:
        pulled = export_file.pull(path, project, table, {RULES.hash: RULES}.get, "key", helpers=helpers)
        if pulled.problems:
            raise SystemExit(pulled.problems[0])
        if qrels:
            reached = consensus.consensus(table.standing(names=votes.READ), RULES, qrels).relevance
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
    QRELS: partial(ours, qrels="ordinal-dawid-skene"),
    MAJORITY: partial(ours, qrels="majority"),
    CSV: partial(peer, method="convert_to_csv", sep=",", header=True),
    MIN: partial(peer, method="convert_to_json_min"),
    BARE: bare,
    TAPE: tape,
}


def run(name: str, path: Path, form: str) -> tuple[Took, float]:
    """One contestant once, in this process: what it took, and MB."""
    taken = side_by_side.took(CONTESTANTS[name](path, form))
    return taken, _mb(name, path)


def _mb(name: str, path: Path) -> float:
    """The most that was resident: of this process, and as much as the largest of those that it started for each."""
    status = Path("/proc/self/status").read_text().splitlines()
    own = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    helpers = {OURS: crew.many(path), QRELS: crew.many(path), MAJORITY: crew.many(path), HELPED: 1}.get(name, 0)
    return (own + helpers * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024


def compare(form: str, tasks: int, times: int) -> list[Row]:
    """All contestants in turn: the medians of both times, and each beside this project's, turn by turn."""
    names = [name for name in CONTESTANTS if form == "buckets" or name not in (QRELS, MAJORITY)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.json"
        write(path, form, tasks)
        turns = [{name: side_by_side.alone(run, name, path, form) for name in names} for _ in range(times)]
    taken = {name: [turn[name][0] for turn in turns] for name in names}
    return [
        {
            "form": form,
            "tasks": float(tasks),
            "contestant": name,
            "µs a task": median(taken[name]).wall / tasks * 1e6,
            "CPU µs a task": median(taken[name]).cpu / tasks * 1e6,
            "÷ ours": ratio(taken[OURS], taken[name], "wall"),
            "÷ ours, CPU": ratio(taken[OURS], taken[name]),
            "MB": max(turn[name][1] for turn in turns),
        }
        for name in names
    ]


def memory(form: str, tasks: int) -> Row:
    """What is resident at most while an export of so many tasks is read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.json"
        write(path, form, tasks, lines=False)
        taken, mb = side_by_side.alone(run, OURS, path, form)
    times = {"µs a task": taken.wall / tasks * 1e6, "CPU µs a task": taken.cpu / tasks * 1e6}
    return {"form": form, "tasks": float(tasks), "contestant": f"{OURS}, once", **times, "MB": mb}


def claim(rows: list[Row]) -> Claim:
    """What the figures of buckets say."""
    found = {str(row["contestant"]): row for row in reversed(rows) if row["form"] == "buckets"}
    speed = {name: 1e6 / _figure(found[name], "µs a task") for name in (OURS, CSV, TAPE)}
    faster, bare_ = _figure(found[CSV], "÷ ours"), 1 / _figure(found[BARE], "÷ ours, CPU")
    cpu, qrels = _figure(found[CSV], "÷ ours, CPU"), _figure(found[QRELS], "÷ ours, CPU")
    return Claim(
        ours=speed[OURS],
        peer=speed[CSV],
        unit="tasks/s",
        ratio=faster,
        aim="≥ 15 × CSV, ≤ 2.5 × the CPU time of bare parsing",
        met=faster >= 15 and bare_ <= 2.5,
        limit=speed[TAPE],
        note=f"By CPU time {cpu:.1f} × CSV, {bare_:.1f} × bare parsing; with qrels {qrels:.1f} × the table alone. "
        f"Load {os.getloadavg()[1]:.0f}.",
        rows=rows,
    )


def _figure(row: Row, name: str) -> float:
    return float(row[name] or 0)


def main() -> None:
    """Compare, tell, and keep the figures."""
    given = side_by_side.arguments(__doc__)
    size = SIZES[given.size]
    rows = [row for form, tasks in size.tasks.items() for row in compare(form, tasks, size.times)]
    rows += [memory("buckets", tasks) for tasks in size.memory]
    side_by_side.tell({"P1": claim(rows)}, given.json)


if __name__ == "__main__":
    main()
