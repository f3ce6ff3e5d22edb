"""P9: growth. The same work on 1 ×, 10 × and 100 × the data: time an item, and memory.

    python bench/growth.py [--full] [--json FILE]

From an export of Label Studio to the table of judgments, each size in a process of its own that reads alone. The slope
is that of CPU time over tasks, both as logarithms: 1 is flat time an item. Drawn in docs/growth.svg.
"""

import json
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import side_by_side
from side_by_side import Claim, Row, Took, median

from label_configs import cards
from label_configs import rules as rules_file
from label_configs.forms import buckets
from label_configs.records import Candidate, Item, Pool, Query
from store.judgments import Table
from store.settings import Project
from sync import export_file

RULES = rules_file.parse(rules_file.preset())
_TASK, _QUERY = 7_000_001, "query-0"
SIZES = {"tiny": (5, 1), "small": (300, 3), "full": (3_000, 3)}
TIMES = (1, 10, 100)
PLOT = Path(__file__).resolve().parent.parent / "docs" / "growth.svg"
_ROOM = 1.25
"""Memory may grow by a quarter from 10 × to 100 × the data where it is flat: what allocators keep."""


def answered(candidates: int = 20) -> str:
    """One task with its answer, as Label Studio exports it."""
    docs = [f"photo-{n:07d}" for n in range(candidates)]
    pool = Pool(
        query_id=_QUERY,
        candidates=tuple(Candidate(doc_id=d, source="dense") for d in docs),
        encoder="clip",
        index="i",
        seed=0,
    )
    faces = {d: cards.card(Item(doc_id=d, modality="image", uri=f"{d}.jpg"), f"/data/{d}.webp") for d in docs}
    query = Query(query_id=_QUERY, text="what somebody looks for")
    (made,) = buckets.tasks(pool, query, query.text, faces, RULES, per_screen=candidates)
    placed = {"_": [], **{str(g): [f"c{n}" for n in range(candidates) if n % 4 == g] for g in range(4)}}
    region = {"id": "b", "from_name": "buckets", "to_name": "cards", "type": "ranker", "value": {"ranker": placed}}
    said = {"id": _TASK, "completed_by": 1, "result": [region], "was_cancelled": False, "lead_time": 12.5}
    said |= {"created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "task": _TASK}
    return json.dumps({"id": _TASK, "annotations": [said], "predictions": [], "project": 7, **made})


def write(path: Path, tasks: int) -> None:
    """An export: one task again and again, each time with ids of its own."""
    one = answered()
    with path.open("w") as array:
        for n in range(tasks):
            task = one.replace(str(_TASK), str(_TASK + n)).replace(_QUERY, f"query-{n}")
            array.write(f"{',' if n else '['}{task}")
        array.write("]")


def work(path: Path) -> tuple[Took, float]:
    """Read one export in this process: what it took, and the MB that it grew by."""
    table, taken = Table(path.parent / "7"), list[Took]()
    read = partial(
        export_file.pull, path, Project(id=7, form="buckets"), table, {RULES.hash: RULES}.get, "key", helpers=0
    )
    grown = side_by_side.grown(lambda: taken.append(side_by_side.took(read)))
    return taken[0], grown


def measured(tasks: int, times: int) -> tuple[Took, float]:
    """The median over fresh processes."""
    all_ = [_once(tasks) for _ in range(times)]
    return median([taken for taken, _ in all_]), float(np.median([grown for _, grown in all_]))


def _once(tasks: int) -> tuple[Took, float]:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "export.json", tasks)
        return side_by_side.alone(work, Path(folder) / "export.json")


def slope(counts: list[int], seconds: list[float]) -> float:
    """How time grows with the data in the last step, where what happens once no longer counts."""
    return float(np.log(seconds[-1] / seconds[-2]) / np.log(counts[-1] / counts[-2]))


def plot(counts: list[int], each: list[float], grown: list[float]) -> str:
    """Time a task and memory over tasks, as SVG: both lie flat where growth is as it should be."""
    lines = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 240" font-family="sans-serif" font-size="13">']
    lines.append('<rect width="640" height="240" fill="white"/>')
    for left, title, values in ((0, "CPU µs a task", each), (320, "MB beyond the start", grown)):
        top = 1.25 * max(values)
        at = [(left + 60 + 110 * n, 190 - 140 * value / top) for n, value in enumerate(values)]
        lines.append(f'<text x="{left + 40}" y="24" font-weight="bold">{title}</text>')
        lines.append(f'<path d="M{left + 40} 190h260" stroke="#888" fill="none"/>')
        lines.append(f'<polyline points="{" ".join(f"{x},{y:.1f}" for x, y in at)}" fill="none" stroke="#2563eb"/>')
        for (x, y), value, count in zip(at, values, counts, strict=True):
            lines.append(f'<circle cx="{x}" cy="{y:.1f}" r="4" fill="#2563eb"/>')
            lines.append(f'<text x="{x}" y="{y - 10:.1f}" text-anchor="middle">{side_by_side.number(value)}</text>')
            lines.append(f'<text x="{x}" y="210" text-anchor="middle">{count:,}</text>')
        lines.append(f'<text x="{left + 170}" y="230" text-anchor="middle" fill="#555">tasks</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"


def main() -> None:
    """Measure and tell."""
    given = side_by_side.arguments(__doc__)
    base, times = SIZES[given.size]
    counts = [base * more for more in TIMES]
    found = [measured(count, times) for count in counts]
    cpu, grown = [taken.cpu for taken, _ in found], [mb for _, mb in found]
    each = [1e6 * seconds / count for seconds, count in zip(cpu, counts, strict=True)]
    rows: list[Row] = [
        {"tasks": count, "CPU s": one, "CPU µs a task": micro, "MB grown": mb}
        for count, one, micro, mb in zip(counts, cpu, each, grown, strict=True)
    ]
    steep = slope(counts, cpu)
    flat = grown[2] / grown[1]
    met = steep <= 1.1 and flat <= _ROOM
    note = f"Memory beyond the start: {', '.join(f'{mb:.0f}' for mb in grown)} MB, in the last step {flat:.2f} ×."
    if given.size != "tiny":
        PLOT.write_text(plot(counts, each, grown))
        note += " See [the plot](growth.svg)."
    aim = f"slope ≤ 1.1 of CPU time over items; memory ≤ {_ROOM} × for 10 × the items"
    claim = Claim(each[2], each[0], "µs CPU a task", steep, aim, met, note=note, rows=rows)
    side_by_side.tell({"P9": claim}, given.json)


if __name__ == "__main__":
    main()
