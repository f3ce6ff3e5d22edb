"""Builds of the index as other processes see them: killed at any moment, replaced while they read, shared."""

import multiprocessing
import os
import subprocess
import sys
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np
import pytest

from label_configs.errors import Mendable
from ml_backend import index
from ml_backend.encoders.base import Vectors
from ml_backend.index import layout
from store import files
from store.settings import IndexSettings

REPOSITORY = Path(__file__).resolve().parent.parent


def unit(rows: int, seed: int = 0) -> Vectors:
    drawn = np.random.default_rng(seed).normal(size=(rows, 16))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), dtype=np.float32)


def build(folder: Path, rows: int, seed: int = 0) -> index.Index:
    """The first so many of d0, d1 …; contents are told from their seed."""
    doc_ids = [f"d{n}" for n in range(rows)]
    keys = [f"{seed} {n}".encode() for n in range(rows)]
    index.build(folder, "e", "f", doc_ids, keys, unit(rows, seed), settings=IndexSettings(kind="pq"))
    return index.load(folder, "e")


DRIVER = """
import os, signal, sys
from pathlib import Path
import faiss, numpy
from test_backend_index_builds import build
from ml_backend import index

folder, rows, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
told = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod", "shutil.rmtree", "tempfile.mkstemp"}

def killed_at(moment):
    "Build in a child that kills itself when it touches the folder for the moment-th time; whether it did."
    child = os.fork()
    if not child:
        left = [moment]

        def watch(event, arguments):
            if event in told and str(folder) in str(arguments):
                left[0] -= 1
                if not left[0]:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(watch)
        build(folder, rows, seed)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])

def found():
    "What a reader of its own sees: version and documents."
    child = os.fork()
    if not child:
        opened = index.load(folder, "e")
        opened.search(opened.vectors(["d7"]), 3)
        print(opened.version, len(opened.rows), flush=True)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0

moment = 1
while killed_at(moment):
    found()
    moment += 1
found()
"""


def driven(folder: Path, rows: int, seed: int) -> list[str]:
    """What readers saw after builds that were killed at the first, second … moment, and at last after a whole one."""
    environment = {
        **os.environ,
        "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{REPOSITORY / 'tests'}",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-c", DRIVER, str(folder), str(rows), str(seed)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("rows", "seed"),
    [(2010, 0), (2500, 1)],  # ten more beside the main segment; another corpus
)
def test_a_build_that_is_killed_at_any_moment_leaves_the_old_index_or_the_new(
    tmp_path: Path, rows: int, seed: int
) -> None:
    old, _ = (build(tmp_path / place, 2000) for place in ("here", "there"))
    new = build(tmp_path / "there", rows, seed)
    seen = driven(tmp_path / "here", rows, seed)
    before, after = f"{old.version} 2000", f"{new.version} {rows}"
    switched = seen.index(after)
    assert switched > 20
    assert seen == [before] * switched + [after] * (len(seen) - switched)
    assert layout.leftovers(tmp_path / "here") == []


def replace_over_and_over(folder: Path, times: int) -> None:
    for n in range(times):
        build(folder, 40 + n % 2, seed=n % 2)


def test_a_reader_finds_a_whole_index_while_another_process_replaces_it(tmp_path: Path) -> None:
    versions = {build(tmp_path, 40 + seed, seed).version: 40 + seed for seed in (1, 0)}
    builder = multiprocessing.get_context("spawn").Process(target=replace_over_and_over, args=(tmp_path, 150))
    builder.start()
    seen = []
    while builder.is_alive():
        opened = index.load(tmp_path, "e")
        assert len(opened.search(opened.vectors(["d0"]), 99)[0]) == len(opened.rows) == versions[opened.version]
        seen.append(opened.version)
    builder.join()
    assert builder.exitcode == 0
    assert set(seen) == set(versions)


def search_in_another_process(folder: Path, answers: "Queue[list[tuple[str, float]]]", go_on: Event) -> None:
    opened = index.load(folder, "e")
    for _ in range(2):
        hits = opened.search(unit(3, seed=5), 5)
        answers.put([(hit.doc_id, hit.score) for found in hits for hit in found])
        go_on.wait()


def test_two_processes_read_one_index_and_keep_it_when_it_is_replaced(tmp_path: Path) -> None:
    opened = build(tmp_path, 2000)
    expected = [(hit.doc_id, hit.score) for found in opened.search(unit(3, seed=5), 5) for hit in found]
    spawned = multiprocessing.get_context("spawn")
    answers, go_on = spawned.Queue(), spawned.Event()
    other = spawned.Process(target=search_in_another_process, args=(tmp_path, answers, go_on))
    other.start()
    assert answers.get(timeout=60) == expected
    build(tmp_path, 2000, seed=1)
    assert not list(tmp_path.glob(f"f/*/{opened.version}"))
    go_on.set()
    assert answers.get(timeout=60) == expected
    other.join()
    assert [(hit.doc_id, hit.score) for found in opened.search(unit(3, seed=5), 5) for hit in found] == expected


def test_one_process_builds_at_a_time(tmp_path: Path) -> None:
    old = build(tmp_path, 40)
    with files.locked(tmp_path / ".lock", "building the index"):
        with pytest.raises(Mendable, match="Another process is building the index already"):
            build(tmp_path, 41)
        assert build(tmp_path, 40).version == old.version  # nothing to build


def test_what_an_interrupted_build_left_goes_with_the_next_also_where_nothing_changed(tmp_path: Path) -> None:
    build(tmp_path, 40)
    (main,) = tmp_path.glob("f/*")
    for left in (tmp_path / "g" / "half", main.parent / "half", main / "half"):
        left.mkdir(parents=True)
        (left / "vectors.npy").write_bytes(b"half")
    (tmp_path / ".current.json.x7").write_text("{")
    build(tmp_path, 40)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "current.json", "f"]
    assert len([path for path in tmp_path.rglob("*") if path.is_dir()]) == 3
