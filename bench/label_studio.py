"""Push and pull of a real Label Studio, beside what Label Studio and its SDK offer for the same.

    python bench/label_studio.py               600 tasks of 8 candidates, some minutes
    python bench/label_studio.py --full        3,000 tasks: most of the time is the peer's
    python bench/label_studio.py --json FILE   the figures for programs

Push, beside "Retrieve predictions": the same tasks and predictions, by an ML backend on this machine that answers from
memory, so that what is measured is Label Studio's own work. Pull, beside `exports.as_json` of the SDK, which makes no
judgments of what it reads; and after 1 % of the answers were edited, beside a pull of everything. The answers are older
than the overlap by which a pull looks back, as they are wherever people give them. Medians of several rounds, the
contestants in turn. Pulls are held against their aims by CPU time, of this process and of Label Studio together: on a
machine that others use, it is the steadier one. Pushes by the clock: Label Studio stores retrieved predictions one by
one, and waits for its disk.
"""

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal, NamedTuple

from label_studio_sdk import LabelStudio
from rich.console import Console
from rich.table import Table as Figures

from label_configs import cards
from label_configs import rules as rules_file
from label_configs.forms import graded
from label_configs.forms.envelope import Task
from label_configs.records import Candidate, Item, Pool, Query
from ls_retrieval.studio import Studio, running_studio
from store.judgments import Table
from store.settings import Project
from sync import projects
from sync.label_studio import connected
from sync.pull import OVERLAP, Pulled, pull
from sync.push import push

PROGRAM = Path(__file__).resolve().parent.parent / ".venv-label-studio" / "bin" / "label-studio"
RULES = rules_file.parse(rules_file.preset())
VERSION = "bench"
CANDIDATES, ROUNDS = 8, 3


class Aim(NamedTuple):
    """How many times as fast as its peer a contestant should be, at least, and by which time."""

    ours: str
    peer: str
    times: float
    by: Literal["wall", "cpu"]


AIMS = {
    "push": Aim("push", "Retrieve predictions", 20, "wall"),
    "pull": Aim("pull, everything", "exports.as_json", 2, "cpu"),
    "again": Aim("pull, 1 % edited", "pull, everything", 20, "cpu"),
}


class Spent(NamedTuple):
    """Seconds by the clock, and of the processor: of this process, and of Label Studio's."""

    wall: float
    ours: float
    studio: float

    @property
    def cpu(self) -> float:
        """Of both."""
        return self.ours + self.studio


def tasks(number: int) -> list[Task]:
    """Graded tasks with a prediction each, as push makes them."""
    made: list[Task] = []
    for n in range(number):
        docs = [f"photo-{n:05d}-{m}" for m in range(CANDIDATES)]
        shown = tuple(Candidate(doc_id=d, source="dense", score=1 / (m + 1)) for m, d in enumerate(docs))
        pool = Pool(query_id=f"q{n}", candidates=shown, encoder="clip", index="i", seed=0)
        faces = {d: cards.card(Item(doc_id=d, modality="image", uri=f"{d}.jpg"), _thumbnail(d)) for d in docs}
        text = f"what somebody looks for, number {n}"
        made += graded.tasks(pool, Query(query_id=f"q{n}", text=text), text, faces, RULES, per_screen=CANDIDATES)
    for task in made:
        task["predictions"] = [{"model_version": VERSION, "score": 0.5, "result": answer("3" * CANDIDATES)}]
    return made


def answer(values: str) -> list[dict[str, Any]]:
    """The regions of an answer, a digit a card."""
    return [graded.answer(n, value) for n, value in enumerate(values)]


def _thumbnail(doc_id: str) -> str:
    return f"/data/local-files/?d=photos/media/thumbs/{doc_id}.webp"


class Bench:
    """A Label Studio, and what is asked of it."""

    def __init__(self, studio: Studio, client: LabelStudio, folder: Path) -> None:
        self._studio, self._client, self._folder = studio, client, folder
        self._tables = 0

    def spent(self, work: Callable[[], object]) -> Spent:
        """What a work costs."""
        began = time.perf_counter(), time.process_time(), _cpu(self._studio.pid)
        work()
        ended = time.perf_counter(), time.process_time(), _cpu(self._studio.pid)
        return Spent(*(after - before for before, after in zip(began, ended, strict=True)))

    def project(self) -> Project:
        """An empty project."""
        wanted = Project(id=0, candidates="image")
        return wanted.model_copy(update={"id": projects.create(self._client, "bench", wanted, RULES)})

    def answered(self, made: Sequence[Task]) -> Project:
        """A project that holds the tasks with their predictions, each answered once."""
        project = self.project()
        given = [{**task, "annotations": [{"result": answer("30" * (CANDIDATES // 2))}]} for task in made]
        for start in range(0, len(given), 100):
            self._client.projects.import_tasks(project.id, request=given[start : start + 100])  # type: ignore[arg-type]
        return project

    def pushed(self, made: Sequence[Task]) -> Spent:
        """Push into an empty project."""
        project = self.project()
        return self.spent(lambda: push(self._client, project, made))

    def retrieved(self, made: Sequence[Task]) -> Spent:
        """Import the tasks bare, which is not counted, and let Label Studio retrieve their predictions."""
        project, bare = self.project(), [{**task, "predictions": []} for task in made]
        push(self._client, project, bare)  # type: ignore[arg-type]
        with backend(made[0]["predictions"][0]) as url:
            self._client.ml.create(project=project.id, url=url, title="bench")
            everything: Any = {"all": True, "excluded": []}
            ask = self._client.actions.create
            options: Any = {"timeout_in_seconds": 3600, "max_retries": 0}
            spent = self.spent(
                lambda: ask(
                    id="retrieve_tasks_predictions",
                    project=project.id,
                    selected_items=everything,
                    request_options=options,
                )
            )
        there = self._client.projects.get(project.id).total_predictions_number
        if there != len(made):
            raise SystemExit(f"Of {len(made)} predictions Label Studio stored {there}.")
        return spent

    def exported(self, project: Project) -> Spent:
        """The SDK's export."""
        return self.spent(lambda: self._client.projects.exports.as_json(project.id))

    def table(self) -> Table:
        """An empty table."""
        self._tables += 1
        return Table(self._folder / str(self._tables))

    def pulled(self, project: Project, table: Table, expected: Pulled) -> Spent:
        """A pull, which has to find just that."""
        found: list[Pulled] = []
        spent = self.spent(lambda: found.append(pull(self._client, project, table, {RULES.hash: RULES}.get, "key")))
        if (found[0].new, found[0].edited) != (expected.new, expected.edited):
            raise SystemExit(f"Expected {expected}, pulled {found[0]}.")
        return spent

    def edited(self, table: Table, number: int, values: str) -> None:
        """Edit some answers as people do, one by one, all over the project."""
        ids = sorted(table.known())
        for annotation_id in ids[:: len(ids) // number][:number]:
            self._client.annotations.update(annotation_id, result=answer(values))


@contextmanager
def backend(prediction: Mapping[str, Any]) -> Iterator[str]:
    """An ML backend that predicts the same for every task, without a thought."""

    class Backend(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
            said: dict[str, Any] = {"status": "UP", "model_version": VERSION}
            if self.path == "/predict":
                said = {"results": [prediction] * len(body["tasks"]), "model_version": VERSION}
            content = json.dumps(said).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Backend) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _cpu(pid: int) -> float:
    """Seconds of the processor that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def compare(bench: Bench, number: int) -> dict[str, list[Spent]]:
    """All contestants in turn; "Retrieve predictions", which takes minutes, once."""
    made = tasks(number)
    taken: dict[str, list[Spent]] = {"Retrieve predictions": [bench.retrieved(made)]}

    def note(name: str, spent: Spent) -> None:
        taken.setdefault(name, []).append(spent)

    project = bench.answered(made)
    time.sleep(OVERLAP.total_seconds() + 1)
    bench.pulled(project, table := bench.table(), Pulled(new=number))
    bench.edited(table, 1, "1" * CANDIDATES)
    for turn in range(ROUNDS):
        note("push", bench.pushed(made))
        note("exports.as_json", bench.exported(project))
        table = bench.table()
        note("pull, everything", bench.pulled(project, table, Pulled(new=number)))
        bench.edited(table, number // 100, f"{turn}" * CANDIDATES)
        note("pull, 1 % edited", bench.pulled(project, table, Pulled(edited=number // 100)))
        note("pull, nothing new", bench.pulled(project, table, Pulled()))
    return taken


def summary(taken: Mapping[str, Sequence[Spent]], number: int) -> dict[str, Any]:
    """The figures as `make bench` gathers them. limit: the tasks/s of a push that costs nothing but the processor time
    of Label Studio, which is one process of Python.
    """
    median = {name: Spent(*map(statistics.median, zip(*some, strict=True))) for name, some in taken.items()}
    by = {kind: {name: _times(median, aim, kind) for name, aim in AIMS.items()} for kind in ("wall", "cpu")}
    return {
        "P8": {
            "ours": number / median["push"].wall,
            "peer": number / median["Retrieve predictions"].wall,
            "limit": number / median["push"].studio,
            "unit": "tasks/s, into Label Studio with predictions",
            "ratio": by["wall"]["push"],
            "ratios": by,
            "aim": "push ≥ 20 × Retrieve predictions; full pull ≥ 2 × as_json; after 1 % of edits ≤ 1/20 of a full one",
            "met": all(by[aim.by][name] >= aim.times for name, aim in AIMS.items()),
            "rows": [{"what": name, "tasks": number, **one._asdict()} for name, one in median.items()],
        }
    }


def _times(median: Mapping[str, Spent], aim: Aim, by: str) -> float:
    """How many times as fast as its peer a contestant is."""
    return float(getattr(median[aim.peer], by) / getattr(median[aim.ours], by))


def show(found: Mapping[str, Any]) -> None:
    """The figures as a table."""
    figures, console = found["P8"], Console()
    table = Figures(
        "", "s", "CPU s, ours", "CPU s, Label Studio", "tasks/s", title=f"{figures['rows'][0]['tasks']} tasks"
    )
    for row in figures["rows"]:
        seconds = (f"{row[name]:.2f}" for name in ("wall", "ours", "studio"))
        table.add_row(row["what"], *seconds, f"{row['tasks'] / row['wall']:,.0f}")
    console.print(table)
    for name, aim in AIMS.items():
        cpu, wall = (figures["ratios"][by][name] for by in ("cpu", "wall"))
        said = f"{aim.ours}: {cpu:.1f} × {aim.peer} by CPU time, {wall:.1f} × by the clock"
        console.print(f"{said} (aim: {aim.times:.0f} by {aim.by})", highlight=False)


def main() -> None:
    """Compare, show, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--tasks", type=int, help="instead of 600, or 3,000")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    number = given.tasks or (3000 if given.full else 600)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_studio(Path(folder) / "studio", program=PROGRAM) as studio,
        connected(studio.url, studio.admin.token) as client,
    ):
        found = summary(compare(Bench(studio, client, Path(folder) / "tables"), number), number)
    show(found)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
