"""Every format written at scale: rows a second, processor time and peak memory.

    python bench/formats.py                     100,000 judged pairs
    python bench/formats.py --full              a million as well
    python bench/formats.py --formats trec,beir --json FILE

Queries of ten judged pairs: two positives, one that is neither, seven negatives, each with one answer. Each format is
written in a process of its own, from a data set whose consensus is made. What all formats share, sorting judged pairs
into what may reach training and what people said of them, is a row of its own and in no other. A row is a judged pair,
not a line of the format. Media stand by reference, for copying files measures the disk; but shards hold theirs, small
pictures in `openclip-wds`, texts in `wds-negatives`. Memory is what the process's peak grows by. CPU time stands beside
wall time: on a machine that others use, the former is the steadier one.
"""

import argparse
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from label_configs import rules as rules_file
from label_configs.records import Candidate, Item, Judgment, Kind, Modality, Pool, Query, Relevance, ScoredDoc
from store.media import Media
from store.settings import Settings
from sync.consensus import Consensus
from sync.dataset import Dataset, State
from sync.formats import FORMATS

RULES = rules_file.parse(rules_file.preset())
SIZES, LARGE = (100_000,), (1_000_000,)
SHARED = "what all share"
GRADES = (3, 2, 1, 0, 0, 0, 0, 0, 0, 0)
"""Of the pairs of a query."""
MEDIUM: Mapping[str, Modality] = {
    "flagembedding": "text",
    "wds-negatives": "text",
    "clip-text": "video",
    "moments": "video",
}
"""What items are; pictures where nothing is said."""


def data_set(name: str, pairs: int, folder: Path) -> Dataset:
    """A data set of that many judged pairs, with its consensus."""
    medium = MEDIUM.get(name, "image")
    asked = [f"q{n:06d}" for n in range(pairs // len(GRADES))]
    docs = [f"d{n:06d}" for n in range(max(len(GRADES), len(asked)))]
    shown = {q: [docs[(n + 7 * m) % len(docs)] for m in range(len(GRADES))] for n, q in enumerate(asked)}
    if name == "openclip-wds":
        _pictures(folder, docs)
    settings = Settings.model_validate({"export": {"media": "reference"}, "splits": {"dev": 0.0, "test": 0.0}})
    rows = [(q, d, grade) for q, of in shown.items() for d, grade in zip(of, GRADES, strict=True)]
    data = Dataset(
        name="bench",
        rules=RULES,
        settings=settings,
        media=Media(folder, settings.media),
        items={d: _item(d, medium) for d in docs},
        queries={q: Query(query_id=q, text=f"what number {q} looks for") for q in asked},
        pools=[_pool(q, of) for q, of in shown.items()],
        run=[ScoredDoc(q, d, 1 / (n + 1)) for q, of in shown.items() for n, d in enumerate(of)],
        judgments=[_judgment(name, n, *row) for n, row in enumerate(rows)],
        mapped=(),
        state=State("", ""),
    )
    given = tuple(_relevance(*row) for row in sorted(rows))
    vars(data)["consensus"] = Consensus(relevance=given, bias={}, spread={}, slip={})
    return data


def _pictures(folder: Path, docs: Sequence[str]) -> None:
    from PIL import Image

    made = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(made, "JPEG")
    for doc_id in docs:
        (folder / f"{doc_id}.jpg").write_bytes(made.getvalue())


def _item(doc_id: str, medium: Modality) -> Item:
    uri = "" if medium == "text" else f"{doc_id}.jpg"
    return Item(doc_id=doc_id, modality=medium, uri=uri, text=f"what is written of {doc_id}", metadata={"duration": 20})


def _pool(query_id: str, docs: Sequence[str]) -> Pool:
    shown = tuple(Candidate(doc_id=d, source="dense", score=1 / (n + 1)) for n, d in enumerate(docs))
    return Pool(query_id=query_id, candidates=shown, encoder="", index="", seed=0)


def _judgment(name: str, number: int, query_id: str, doc_id: str, grade: int) -> Judgment:
    kind: Kind = "moment" if name == "moments" else "grade"
    ends = (4.0, 8.0) if kind == "moment" and grade > 1 else (None, None)
    return Judgment(
        kind=kind,
        project=1,
        task_id=number // len(GRADES),
        annotation_id=number // len(GRADES),
        updated_at="2026-01-01T00:00:00.000000Z",
        query_id=query_id,
        doc_id=doc_id,
        value=str(grade),
        annotator="ada",
        rules_hash=RULES.hash,
        pool_id="",
        form="graded",
        round=1,
        position=0,
        start=ends[0],
        end=ends[1],
        reasons=("object",) if grade == max(GRADES) else (),
    )


def _relevance(query_id: str, doc_id: str, grade: int) -> Relevance:
    soft = tuple(0.97 if value == grade else 0.01 for value in RULES.values)
    return Relevance(query_id=query_id, doc_id=doc_id, grade=grade, soft=soft, confidence=0.97, votes=1)


def measure(name: str, pairs: int) -> dict[str, Any]:
    """Write one format, in this process."""
    with tempfile.TemporaryDirectory() as folder:
        data = data_set(name, pairs, Path(folder))
        shared = _timed(lambda: (data.trainable, data.said))
        found = shared if name == SHARED else _timed(lambda: FORMATS[name].write(data, Path(folder) / "out"))
        written = sum(path.stat().st_size for path in (Path(folder) / "out").rglob("*") if path.is_file())
    return {"format": name, "pairs": pairs, "megabytes_written": round(written / 1e6, 1), **found}


def _timed(work: Callable[[], object]) -> dict[str, float]:
    before, wall, cpu = _peak(), time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"wall": round(wall, 2), "cpu": round(cpu, 2), "megabytes": round(_peak() - before)}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def alone(name: str, pairs: int) -> dict[str, Any]:
    """Write one format, in a process of its own."""
    command = [sys.executable, __file__, "--one", name, str(pairs)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="a million pairs as well")
    parser.add_argument("--pairs", type=int, nargs="*", help="other sizes")
    parser.add_argument("--formats", default=",".join((SHARED, *FORMATS)))
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.one:
        print(json.dumps(measure(given.one[0], int(given.one[1]))))
        return
    table = Table("format", "pairs", "wall s", "CPU s", "pairs / CPU s", "MB of memory", "MB written")
    rows = []
    for pairs in given.pairs or (*SIZES, *(LARGE if given.full else ())):
        for name in given.formats.split(","):
            row = alone(name, pairs)
            print(json.dumps(row), file=sys.stderr, flush=True)  # a million take their time
            rows.append(row)
            rate = f"{pairs / max(row['cpu'], 0.01):,.0f}"
            cells = f"{pairs:,}", row["wall"], row["cpu"], rate, row["megabytes"], row["megabytes_written"]
            table.add_row(name, *map(str, cells))
    Console().print(table)
    if given.json:
        given.json.write_text(json.dumps({"formats": {"rows": rows}}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
