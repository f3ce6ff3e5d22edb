"""How long `/predict` takes for all tasks of a project at once, as "Retrieve predictions" asks: through gunicorn.

Usage: python bench/predict.py [TASKS]. Label Studio gives an answer 100 s. No model is needed: what is predicted was
scored when its pool was made. CPU is that of the web workers.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import requests

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


@contextmanager
def measured(what: str, workspace: Workspace) -> Iterator[None]:
    """Print how long the block took."""
    cpu, begun = _cpu(workspace), time.monotonic()
    yield
    print(f"{what:<62} {time.monotonic() - begun:6.2f} s   CPU {_cpu(workspace) - cpu:6.2f} s", flush=True)


def _cpu(workspace: Workspace) -> float:
    """Seconds that the web workers of a workspace have computed."""
    mark, total = f"LSR_WORKSPACE={workspace.root.resolve()}".encode(), 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes() and b"gunicorn" in (folder / "cmdline").read_bytes():
                total += sum(map(int, (folder / "stat").read_text().rpartition(")")[2].split()[11:13]))
        except OSError:
            continue
    return total / os.sysconf("SC_CLK_TCK")


def ask(url: str, tasks: list[dict[str, Any]]) -> list[Any]:
    """Ask as Label Studio does."""
    answer = requests.post(f"{url}/predict", json={"tasks": tasks, "project": "1.1"}, timeout=100)
    return list(answer.json()["results"])


def main(tasks: int) -> None:
    """Print a line for each request."""
    for form, depth in (("graded", 8), ("ranking", 20)):
        with tempfile.TemporaryDirectory() as folder:
            workspace, filled = make(Path(folder) / "workspace", tasks, form, depth)
            bare = [{"id": task["id"], "data": {"query": task["data"]["query"]}} for task in filled]
            with running_backend(workspace, host="127.0.0.1", port=0, workers=1, environment=NOTHING) as url:
                for what in ("the first time", "again"):
                    with measured(f"{tasks} filled tasks of {depth} candidates ({form}), {what}", workspace):
                        predicted = ask(url, filled)
                    if any(len(result) != 1 for result in predicted):
                        raise SystemExit("a task got no prediction")
                with measured(f"{tasks} bare tasks", workspace):
                    predicted = ask(url, bare)
                if any(predicted):
                    raise SystemExit("a bare task got a prediction")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3000)
