"""P4: `/predict` for one task and for a whole project, as "Retrieve predictions" asks: through a running gunicorn.

    python bench/predict.py [--full] [--json FILE]

Beside it the least that any answer takes: orjson parses the body and dumps the answer, and numpy multiplies each query
with the stored vectors of its candidates, of 512 numbers. Label Studio gives an answer 100 s. No model is needed: what
is predicted was scored when its pool was made. CPU is that of the web workers.
"""

import gc
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import requests
import side_by_side
from side_by_side import Claim, Row, Took, median

from label_configs import rules
from label_configs.records import Candidate, Item, Pool, Query
from ls_retrieval.serve import running_backend
from ml_backend import index
from store import pools
from store.media import Media
from store.settings import Media as MediaSettings
from store.settings import Project
from store.workspace import Workspace
from sync.present import Presenter

SIZES = {"tiny": (30, 1), "small": (3000, 5), "full": (3000, 15)}
SHAPES = (("ranking", 20), ("buckets", 20), ("graded", 8))
DOCS = [f"d{n}" for n in range(100)]
NOTHING = dict.fromkeys(
    ("BASIC_AUTH_USER", "BASIC_AUTH_PASS", "LSR_WEBHOOK_SECRET", "LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"), ""
)


def make(root: Path, tasks: int, form: str, depth: int) -> tuple[Workspace, list[dict[str, Any]]]:
    """A workspace with that many pools, and their tasks as Label Studio sends them."""
    workspace = Workspace(root)
    root.mkdir()
    (root / "settings.toml").write_text('[encoders.none]\nmodel = "local-dir:none"\n')
    workspace.rules_path.write_text(rules.preset())
    index.build(workspace.index, "none", "f", DOCS, [d.encode() for d in DOCS], np.eye(100, dtype=np.float32))
    drawn, queries = (
        np.random.default_rng(0),
        {f"q{n}": Query(query_id=f"q{n}", text=f"query {n}") for n in range(tasks)},
    )
    presenter = Presenter(
        project=Project(id=1, form=form, candidates="text"),
        rules=workspace.rules,
        per_screen=depth,
        queries=queries,
        items={d: Item(doc_id=d, text="a caption of ordinary length, with a few words in it") for d in DOCS},
        media=Media(root, MediaSettings()),
        predict=lambda task, pool: {},
    )
    made = []
    for query_id in queries:
        chosen = zip(drawn.choice(DOCS, depth, replace=False), drawn.normal(3, 1, depth), strict=True)
        shown = tuple(Candidate(doc_id=str(d), source="dense", score=round(float(s), 4)) for d, s in chosen)
        made.append(Pool(query_id=query_id, candidates=shown, encoder="f", index="i", seed=0).shuffled())
    pools.append(workspace.pools, made)
    screens = [presenter.screens(pool, queries[pool.query_id])[0] for pool in made]
    return workspace, [{"id": n, **task} for n, task in enumerate(screens, 1)]


def taken(workspace: Workspace, work: Callable[[], object]) -> Took:
    """How long something takes: on the clock here, and of the web workers' time."""
    cpu, begun = _cpu(workspace), time.perf_counter()
    work()
    return Took(time.perf_counter() - begun, _cpu(workspace) - cpu)


def _cpu(workspace: Workspace) -> float:
    """Seconds that the web workers of a workspace have computed."""
    mark, total = f"LSR_WORKSPACE={workspace.root.resolve()}".encode(), 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes() and b"gunicorn" in (folder / "cmdline").read_bytes():
                total += sum(int(one.read_text().split()[0]) for one in folder.glob("task/*/schedstat"))
        except OSError:
            continue
    return total / 1e9


def ask(url: str, body: bytes) -> bytes:
    """Ask as Label Studio does; gives the answer's body."""
    answer = requests.post(f"{url}/predict", body, headers={"Content-Type": "application/json"}, timeout=100)
    answer.raise_for_status()
    return answer.content


def least(body: bytes, answer: bytes, depth: int) -> Callable[[], None]:
    """What any answer takes: parsing, scoring, dumping. The answer is there as objects before."""
    given, drawn = orjson.loads(answer), np.random.default_rng(0)
    count = len(given["results"])
    queries, vectors = (drawn.normal(size=(n, 512)).astype(np.float32) for n in (count, 10_000))
    rows = drawn.integers(len(vectors), size=(count, depth))

    def work() -> None:
        orjson.loads(body)
        for query, wanted in zip(queries, rows, strict=True):
            vectors[wanted] @ query
        orjson.dumps(given)

    return work


def checked(answer: bytes, each: int) -> list[Any]:
    """The results. Raises SystemExit where a task has not so many predictions."""
    results = orjson.loads(answer)["results"]
    if any(len(result) != each for result in results):
        raise SystemExit(f"a task has not got {each} predictions")
    return list(results)


def measure(
    url: str, workspace: Workspace, filled: list[dict[str, Any]], depth: int, times: int
) -> Mapping[str, list[Took]]:
    """Requests beside the least, in turn: all tasks, and one."""
    body, one = (orjson.dumps({"tasks": tasks, "project": "1.1"}) for tasks in (filled, filled[:1]))
    first = taken(workspace, lambda: checked(ask(url, body), 1))
    bare = least(body, ask(url, body), depth)
    gc.collect()
    gc.freeze()  # or parsing would pay for looking through the tasks that lie here
    found: dict[str, list[Took]] = {"first": [first], "all": [], "least": [], "one": []}
    for _ in range(times):
        found["all"].append(taken(workspace, lambda: ask(url, body)))
        found["least"].append(side_by_side.took(bare))
        found["one"].append(taken(workspace, lambda: ask(url, one)))
    checked(ask(url, orjson.dumps({"tasks": [_bare(task) for task in filled], "project": "1.1"})), 0)
    return found


def _bare(task: dict[str, Any]) -> dict[str, Any]:
    return {"id": task["id"], "data": {"query": task["data"]["query"]}}


def rows(form: str, depth: int, tasks: int, found: Mapping[str, list[Took]]) -> list[Row]:
    """Lines of the table."""
    what = f"{tasks} tasks of {depth} candidates ({form})"
    named = {"first": f"{what}, the first time", "all": what, "least": "parse, score and dump alone", "one": "one task"}
    return [{"what": named[key], "wall s": median(all_).wall, "CPU s": median(all_).cpu} for key, all_ in found.items()]


def main() -> None:
    """Measure every form."""
    given = side_by_side.arguments(__doc__)
    (tasks, times), table, ratios, walls = SIZES[given.size], list[Row](), list[float](), list[float]()
    kept: list[Mapping[str, list[Took]]] = []
    shapes = SHAPES[:1] if given.size == "tiny" else SHAPES
    for form, depth in shapes:
        with tempfile.TemporaryDirectory() as folder:
            workspace, filled = make(Path(folder) / "workspace", tasks, form, depth)
            with running_backend(workspace, host="127.0.0.1", port=0, workers=1, environment=NOTHING) as url:
                found = measure(url, workspace, filled, depth, times)
        table += rows(form, depth, tasks, found)
        ratios.append(1 / side_by_side.ratio(found["all"], found["least"]))
        walls += [found["first"][0].wall, median(found["all"]).wall]
        kept.append(found)
    ours, bare = median(kept[0]["all"]), median(kept[0]["least"])
    met = max(walls) < 10 and max(ratios) <= 1.5
    aim = f"{tasks} tasks in < 10 s; ≤ 1.5 × parsing, scoring and dumping alone"
    note = f"The slowest of all requests took {max(walls):.2f} s. Ratios by form: " + ", ".join(
        f"{form} {ratio:.2f}" for (form, _), ratio in zip(shapes, ratios, strict=True)
    )
    claim = Claim(ours.cpu, bare.cpu, "s CPU", max(ratios), aim, met, limit=bare.cpu, note=f"{note}.", rows=table)
    side_by_side.tell({"P4": claim}, given.json)


if __name__ == "__main__":
    main()
