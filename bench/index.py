"""P3: the index beside an exact scan by FAISS: one query, a batch, recall, building and opening.

    python bench/index.py [--full] [--json FILE]     100,000 vectors of 512 numbers; full: 1,000,000, 6 GB of disk

Each kind is tuned on queries of its own and measured on others. Medians; CPU time beside wall time.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import cones
import faiss
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from ml_backend import index
from ml_backend.index.exact import threads
from store.settings import IndexSettings

RESULTS = Path(__file__).parent / "results" / "index.json"
PEER = "FAISS exact scan"
TUNED, ALONE, AT = 200, 100, 50
Search = Callable[[cones.Vectors, int], Any]


class Took(NamedTuple):
    """Seconds on the clock, and of all threads."""

    wall: float
    cpu: float


def took(work: Callable[[], object]) -> Took:
    """How long it takes, once."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Took(time.perf_counter() - wall, time.process_time() - cpu)


def alone(searches: dict[str, Search], queries: cones.Vectors) -> dict[str, dict[str, float]]:
    """Milliseconds of one query: all ways in turn, so that a busy moment meets each of them."""
    times: dict[str, list[Took]] = {name: [] for name in searches}
    for query in queries[:ALONE]:
        for name, search in searches.items():
            times[name].append(took(lambda search=search, query=query: search(query[None, :], AT)))  # type: ignore[misc]
    return {
        name: {
            "one": 1000 * float(np.median([t.wall for t in all_])),
            "one_p95": 1000 * float(np.percentile([t.wall for t in all_], 95)),
            "one_cpu": 1000 * float(np.median([t.cpu for t in all_])),
        }
        for name, all_ in times.items()
    }


def together(searches: dict[str, Search], queries: cones.Vectors, times: int = 3) -> dict[str, dict[str, float]]:
    """Milliseconds a query of many: all ways in turn."""
    taken: dict[str, list[Took]] = {name: [] for name in searches}
    for _ in range(times):
        for name, search in searches.items():
            taken[name].append(took(lambda search=search: search(queries, 40)))  # type: ignore[misc]
    each = 1000 / len(queries)
    return {
        name: {"many": each * float(np.median([t.wall for t in all_])), "many_cpu": each * min(t.cpu for t in all_)}
        for name, all_ in taken.items()
    }


def recall(found: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """The share of the nearest that were found."""
    return float(np.mean([len(set(f) & set(t)) / len(t) for f, t in zip(found.tolist(), truth.tolist(), strict=True)]))


def scan(documents: cones.Vectors) -> Search:
    """FAISS's exact scan at its best: without its batching trap, and without threads that wait at one query."""
    faiss.cvar.distance_compute_blas_threshold = 20
    faiss.cvar.distance_compute_blas_database_bs = 4096

    def search(queries: cones.Vectors, k: int) -> Any:
        with threads(1) if len(queries) == 1 else threads():
            return faiss.knn(queries, documents, k, metric=faiss.METRIC_INNER_PRODUCT)

    return search


def measure(size: int, kinds: list[str], folder: Path) -> list[dict[str, Any]]:
    """A row for the exact scan, and one for each kind."""
    corpus = cones.make(folder / "documents.npy", size, TUNED + (2000 if size < 500_000 else 500))
    tuned, cross, own = corpus.cross[:TUNED], corpus.cross[TUNED:], corpus.own[TUNED:]
    peer = scan(corpus.documents)
    truth = {"cross": peer(cross[:500], AT)[1], "own": peer(own[:500], AT)[1]}
    rows: list[dict[str, Any]] = [{"what": PEER, "recall_cross": 1.0, "recall_own": 1.0}]
    searches = {PEER: peer}
    for kind in kinds:
        row, opened = build(folder / kind, kind, corpus.documents, tuned)
        found = {name: opened.nearest(q[:500], AT)[0] for name, q in (("cross", cross), ("own", own))}
        rows.append({**row, **{f"recall_{name}": recall(found[name], truth[name]) for name in truth}})
        searches[kind] = opened.nearest
    timed = zip(rows, alone(searches, cross).values(), together(searches, cross).values(), strict=True)
    return [{"size": size, **row, **one, **many} for row, one, many in timed]


def build(
    folder: Path, kind: str, documents: cones.Vectors, tuned: cones.Vectors
) -> tuple[dict[str, Any], index.Index]:
    """Build an index and open it."""
    doc_ids = [f"item-{n:08}" for n in range(len(documents))]
    keys = [n.to_bytes(32, "big") for n in range(len(documents))]
    wish = IndexSettings.model_validate({"kind": kind, "recall": 0.98, "at": AT})
    asked = {"settings": wish, "modalities": ["image"] * len(documents), "queries": {"text": tuned}}
    building = took(lambda: index.build(folder, "e", "f", doc_ids, keys, documents, **asked))  # type: ignore[arg-type]
    unchanged = took(lambda: index.build(folder, "e", "f", doc_ids, keys, documents, **asked))  # type: ignore[arg-type]
    opening = took(lambda: index.load(folder, "e"))
    about = index.about(folder, "e")
    what = kind if about.kind == kind else f"{kind}: {about.kind}"
    row = {"what": what, "effort": about.effort, "factor": about.factor, "build": building.wall}
    row |= {"build_cpu": building.cpu, "unchanged": unchanged.wall, "open": opening.wall}
    return row, index.load(folder, "e")


def show(rows: list[dict[str, Any]]) -> None:
    """The figures for people; × beside the exact scan of the same size."""
    columns = (
        "vectors",
        "index",
        "recall@50 cross",
        "own",
        "1 query ms",
        "p95",
        "CPU",
        "×",
        "batch: ms each",
        "CPU",
        "×",
    )
    table = Table(*columns, "build s", "open ms", title=f"Nearest of vectors × 512, {os.cpu_count()} cores")
    scans = {row["size"]: row for row in rows if row["what"] == PEER}
    for row in rows:
        peer = scans[row["size"]]
        figures = [f"{row['size']:,}", row["what"], f"{row['recall_cross']:.3f}", f"{row['recall_own']:.3f}"]
        figures += [f"{row[name]:.2f}" for name in ("one", "one_p95", "one_cpu")] + [f"{peer['one'] / row['one']:.1f}"]
        figures += [f"{row[name]:.3f}" for name in ("many", "many_cpu")] + [f"{peer['many'] / row['many']:.1f}"]
        figures += [f"{row['build']:.1f}", f"{1000 * row['open']:.0f}"] if "build" in row else ["", ""]
        table.add_row(*figures)
    Console(width=160).print(table)


def main() -> None:
    """Measure every size, print the table, and write the figures."""
    full = bool(os.environ.get("FULL"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10000,100000" + (",1000000" if full else ""))
    parser.add_argument("--kinds", default="exact,pq,ivf,hnsw", help="also auto: what would be chosen")
    chosen = parser.parse_args()
    rows = []
    for size in map(int, chosen.sizes.split(",")):
        kinds = [kind for kind in chosen.kinds.split(",") if size < 500_000 or kind in {"auto", "pq", "ivf"}]
        with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(1, get_context("spawn")) as process:
            rows += process.submit(measure, size, kinds, Path(folder)).result()
    show(rows)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(f"peak memory, pages of mapped files counted: {peak} MB")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
