"""`kill -9` at random moments of a pull, a sync and a lesson: the next one completes what the last one left."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from killing import Killer
from lessons import PROJECT, Small
from reliability import Tally
from sync_world import RULES, make_workspace
from task_server import World, client_of, serving
from test_sync_bucket import place
from test_sync_whole import LAGS, seen

from ls_retrieval import syncing
from ls_retrieval.syncing import Wanted
from ml_backend.learning import BASE, learn, shelf_of
from store import judgments
from store.buckets import open_bucket
from store.judgments import Table
from store.settings import Project
from store.workspace import Workspace
from sync.bucket import prune
from sync.bucket.check import verify
from sync.pull import pull

FEW = 3
pytestmark = pytest.mark.timeout(3600)
Said = tuple[int, str, str]
"""annotation, doc_id, grade"""


def pull_once(url: str, folder: str) -> None:
    judgments._ROWS = 5
    with client_of(url) as client:
        project = Project(id=7, candidates="text")
        pull(client, project, Table(Path(folder)), {RULES.hash: RULES}.get, "key", page_size=2)


def sync_once(root: str, to: str) -> None:
    judgments._ROWS = 5
    pytest.MonkeyPatch().setattr(prune, "GRACE", timedelta(0))
    syncing.sync(Workspace(Path(root)), Wanted("main", to, ["trec"], keep=2))


def learn_once(root: str) -> None:
    learn(Workspace(Path(root)), PROJECT)


class Busy:
    """A project in which something happens between any two looks at it, by chance."""

    def __init__(self, seed: int = 0) -> None:
        self.world, self._random = World(), random.Random(seed)

    def go_on(self) -> None:
        """Four answers, then perhaps a change of mind, an answer taken back, a task taken away."""
        for _ in range(4):
            made = self.world.add(f"q{self._random.randrange(1, 4)}")
            self.world.annotate(made, self._grades(), user=self._random.randrange(1, 5))
        there = [(task, one["id"]) for task, row in self.world.tasks.items() for one in row["annotations"]]
        edited, deleted, removed = self._random.sample(there, 3)
        self.world.edit(*edited, self._grades())
        if self._random.random() < 0.5:
            self.world.delete(*deleted)
        if self._random.random() < 0.3:
            del self.world.tasks[removed[0]]

    def said(self) -> Counter[Said]:
        """All that stands there, each once."""
        found: Counter[Said] = Counter()
        for row in self.world.tasks.values():
            docs = list(row["meta"]["ls_retrieval"]["docs"].values())
            for one in row["annotations"]:
                for doc_id, region in zip(docs, one["result"], strict=True):
                    found[one["id"], doc_id, region["value"]["choices"][0]] += 1
        return found

    def _grades(self) -> str:
        return "".join(str(self._random.randrange(4)) for _ in range(3))


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Busy, str]]:
    """The project, and its address, which the environment names too."""
    made = Busy()
    with serving(made.world) as url:
        monkeypatch.setenv("LABEL_STUDIO_URL", url)
        monkeypatch.setenv("LABEL_STUDIO_API_KEY", "f" * 40)
        yield made, url


def compare(table: Table, expected: Counter[Said], tally: Tally) -> None:
    """Hold the table against what was said: nothing is gone, nothing there twice, in history neither."""
    found = Counter((j.annotation_id, j.doc_id, str(j.value)) for j in table.current())
    history = Counter(_row(row) for path in table.folder.glob("*.parquet") for row in pq.read_table(path).to_pylist())
    lost, doubled = (expected - found).total(), (found - expected).total() + history.total() - len(history)
    tally.add(lost=lost, doubled=doubled)
    assert (lost, doubled) == (0, 0)


def _row(row: Mapping[str, Any]) -> tuple[object, ...]:
    return row["annotation_id"], row["revision"], row["doc_id"]


@pytest.mark.parametrize("points", [FEW, pytest.param(80, marks=pytest.mark.long)])
def test_a_pull_that_is_killed_is_completed_by_the_next(
    busy: tuple[Busy, str], tmp_path: Path, tally: Tally, points: int
) -> None:
    (project, url), table = busy, Table(tmp_path / "7")
    killer = Killer(pull_once, {})
    project.go_on()
    killer.whole(url, str(table.folder))
    while killer.killed < points:
        project.go_on()
        killer.kill(url, str(table.folder))
        killer.whole(url, str(table.folder))
        compare(table, project.said(), tally)
    tally.add(kill_points=killer.killed)


@pytest.mark.parametrize(
    ("kind", "points"),
    [
        ("folder", FEW),
        pytest.param("folder", 60, marks=pytest.mark.long),
        pytest.param("swift", 30, marks=pytest.mark.long),
    ],
)
def test_a_sync_that_is_killed_is_completed_by_the_next_and_readers_find_a_whole_version(
    busy: tuple[Busy, str],
    tmp_path: Path,
    tally: Tally,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    points: int,
) -> None:
    project, url = busy
    to = str(tmp_path / "bucket") if kind == "folder" else place(request, kind, monkeypatch)
    environment = {"LABEL_STUDIO_URL": url, "LABEL_STUDIO_API_KEY": "f" * 40}
    environment |= {} if kind == "folder" else request.getfixturevalue("swift")
    workspace = make_workspace(tmp_path / "w", candidates="text", labelled=False)
    killer, table = Killer(sync_once, environment), Table(workspace.judgments / "7")
    project.go_on()
    killer.whole(str(workspace.root), to)
    bucket = open_bucket(to)
    while killer.killed < points:
        project.go_on()
        before = seen(bucket)
        killer.kill(str(workspace.root), to)
        assert set(verify(bucket).problems) <= {LAGS}
        found = seen(bucket)
        killer.whole(str(workspace.root), to)
        assert found in (before, seen(bucket))
        assert verify(bucket).problems == []
        compare(table, project.said(), tally)
    tally.add(kill_points=killer.killed)
    calm = make_workspace(tmp_path / "calm", candidates="text", labelled=False)
    killer.whole(str(calm.root), str(tmp_path / "calm bucket"))
    assert seen(open_bucket(str(tmp_path / "calm bucket"))) == seen(bucket)


@pytest.mark.parametrize("points", [FEW, pytest.param(30, marks=pytest.mark.long)])
def test_a_lesson_that_is_killed_is_learned_by_the_next_as_if_nothing_had_been(
    tmp_path: Path, tally: Tally, points: int
) -> None:
    killer, calm = Killer(learn_once, {}), _judged(tmp_path / "calm")
    killer.whole(str(calm.root))
    expected = shelf_of(calm, PROJECT).pointer().version
    number = 0
    while killer.killed < points:
        workspace, number = _judged(tmp_path / str(number)), number + 1
        killer.kill(str(workspace.root))
        assert shelf_of(workspace, PROJECT).pointer().version in (BASE, expected)
        killer.whole(str(workspace.root))
        assert _models(workspace) == _models(calm)
    tally.add(kill_points=killer.killed, lost=0, doubled=0)


def _judged(root: Path) -> Workspace:
    """40 queries, each judged by how far its items are from the first of the alphabet."""
    small = Small(root)
    small.judge(small.answers(lambda _, doc_id: int(doc_id[1:]) % 4))
    return small.workspace


def _models(workspace: Workspace) -> dict[str, bytes]:
    folder = workspace.root / "models"
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}
