"""A workspace of several encoders: each indexes what it reads, and a project's spaces are those of its modalities."""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiny

from label_configs.errors import Mendable, Unreadable
from label_configs.records import Modality, Query, Shown
from ls_retrieval import compose
from ml_backend import index, library
from ml_backend.encoder_service import RemoteEncoders
from ml_backend.encoders.base import Encoder
from ml_backend.retriever import Retriever
from store import pools, settings
from store.corpus import rows as rows_file
from store.media import Clip, Content, Media
from store.settings import Project
from store.workspace import Workspace


@pytest.fixture(scope="module")
def encoders(mixed: Workspace) -> dict[str, Encoder]:
    return {name: library.load_encoder(mixed, name) for name in mixed.settings.encoders}


@pytest.fixture(scope="module")
def mixed(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The workspace of several modalities. For reading."""
    return tiny.build_mixed_workspace(tmp_path_factory.mktemp("mixed") / "workspace", tiny_model)


@pytest.fixture(scope="module")
def report(mixed: Workspace, encoders: dict[str, Encoder]) -> library.Report:
    """The workspace, once indexed."""
    return library.build(mixed, encoders)


def held(workspace: Workspace, candidates: Shown, asked: Modality = "text") -> dict[str, list[str]]:
    """The items of each space."""
    collection = library.open_collection(workspace, candidates, library.not_indexed, asked=asked)
    return {name: _shown(space.index) for name, space in collection.spaces.items()}


def _shown(opened: index.Index) -> list[str]:
    return opened.rows.at(np.arange(len(opened.rows)) if opened.kept is None else opened.kept)


# indexing


def test_each_encoder_indexes_what_it_reads_and_nothing_is_left_out(mixed: Workspace, report: library.Report) -> None:
    assert (report.items, report.broken) == (6, [])
    assert set(report.versions) == {"see", "hear"}
    assert list(index.load(mixed.index, "see").rows) == ["first", "picture", "second", "words"]
    assert list(index.load(mixed.index, "hear").rows) == ["heard", "tone", "words"]


def test_progress_is_told_of_every_record_that_an_encoder_reads(
    mixed: Workspace, report: library.Report, encoders: dict[str, Encoder]
) -> None:
    told: list[int] = []
    library.build(mixed, encoders, told.append)
    assert sum(told) == library.totals(mixed) == 4 + 3 + 2 + 2  # items and queries that see and hear read


def test_what_no_encoder_reads_is_named_once(mixed: Workspace, encoders: dict[str, Encoder], tmp_path: Path) -> None:
    workspace = Workspace(Path(shutil.copytree(mixed.root, tmp_path / "w")))
    found = library.build(workspace, {"see": encoders["see"]})
    assert found.items == 4
    assert found.broken == [
        f"{name}: The model reads image, text and video, not audio. Give image, text or video in its place, "
        "or leave it out."
        for name in ("tone (media/tone.wav)", "heard (media/film.mp4)", "q-audio (media/tone.wav)")
    ]


def test_an_encoder_that_finds_nothing_to_read_has_no_index_and_stops_no_other(
    mixed: Workspace, encoders: dict[str, Encoder], tmp_path: Path
) -> None:
    workspace = Workspace(Path(shutil.copytree(mixed.root, tmp_path / "w", ignore=shutil.ignore_patterns("index"))))
    tiny.write_rows(workspace.corpus, [{"_id": "picture", "image": "media/square.png"}])
    assert set(library.build(workspace, encoders).versions) == {"see"}
    assert held(workspace, "mixed") == {"see": ["picture"]}
    assert compose.indexes(workspace)[1] == "hear: no index, since it reads nothing here"
    with pytest.raises(Mendable, match="no item of modality audio"):
        held(workspace, "audio")


def test_two_names_of_one_encoder_share_its_vectors(
    mixed: Workspace, encoders: dict[str, Encoder], tmp_path: Path
) -> None:
    workspace = Workspace(Path(shutil.copytree(mixed.root, tmp_path / "w")))
    settings = workspace.settings_path
    settings.write_text(
        settings.read_text()
        + settings.read_text().replace("encoders.see", "encoders.look", 1).partition("[encoders.hear]")[0]
    )
    (folder,) = (p for p in workspace.embeddings.iterdir() if p.name == encoders["see"].fingerprint)
    before = (folder / "vectors.f32").stat().st_size
    found = library.build(workspace, encoders | {"look": library.load_encoder(workspace, "look")})
    assert found.versions["look"] == found.versions["see"]
    assert (folder / "vectors.f32").stat().st_size == before
    assert set(held(workspace, "image")) == {"see", "look"}


def test_media_packed_into_parquet_have_the_vectors_of_their_files(
    mixed: Workspace, report: library.Report, encoders: dict[str, Encoder], tmp_path: Path
) -> None:
    workspace = Workspace(Path(shutil.copytree(mixed.root, tmp_path / "w", ignore=shutil.ignore_patterns("index"))))
    vectors = {path: path.read_bytes() for path in workspace.embeddings.rglob("vectors.f32")}
    for name in ("corpus", "queries"):
        pack(workspace.root, name)
    shutil.rmtree(workspace.root / "media")
    found = library.build(workspace, encoders)
    assert (found.items, found.broken) == (6, [])
    assert found.versions == report.versions
    assert {path: path.read_bytes() for path in vectors} == vectors
    media = Media(workspace.root, workspace.settings.media)
    shown = {item.doc_id: media.shown(item) for item in workspace.read_items().records if item.uri}
    assert [Path(uri).suffix for uri in shown.values()] == [".webp", ".mp4", ".mp4", ".wav", ".mp4"]
    assert all((workspace.root / uri.partition("?d=")[2]).is_file() for uri in shown.values())


def pack(root: Path, name: str) -> None:
    """Make a JSONL file with media beside it a Parquet file that holds them as the hub's do."""
    rows = [json.loads(line) for line in (root / f"{name}.jsonl").read_text().splitlines()]
    for row in rows:
        for kind in rows_file.MEDIA:
            row[kind] = {"bytes": (root / row[kind]).read_bytes(), "path": None} if kind in row else None
    columns = {column: [row.get(column) for row in rows] for row in rows for column in row}
    pq.write_table(pa.table(columns), root / f"{name}.parquet", row_group_size=2)
    (root / f"{name}.jsonl").unlink()


# collections


@pytest.mark.parametrize(
    ("asked", "candidates", "expected"),
    [
        ("text", "image", {"see": ["picture"]}),
        ("text", "video", {"see": ["first", "second"]}),
        ("image", "video", {"see": ["first", "second"]}),
        ("text", "audio", {"hear": ["heard", "tone"]}),
        ("audio", "text", {"hear": ["words"]}),
        ("text", "text", {"see": ["words"], "hear": ["words"]}),
        ("image", "mixed", {"see": ["first", "picture", "second", "words"]}),
        ("text", "mixed", {"see": ["first", "picture", "second", "words"], "hear": ["heard", "tone", "words"]}),
    ],
)
@pytest.mark.usefixtures("report")
def test_spaces_are_those_of_encoders_that_read_query_and_candidates(
    mixed: Workspace, asked: Modality, candidates: Shown, expected: dict[str, list[str]]
) -> None:
    assert held(mixed, candidates, asked) == expected
    items = library.open_collection(mixed, candidates, library.not_indexed, asked=asked).items
    assert set(items) == {doc_id for doc_ids in expected.values() for doc_id in doc_ids}


@pytest.mark.parametrize(("asked", "candidates"), [("image", "audio"), ("audio", "video"), ("video", "audio")])
def test_a_direction_that_no_encoder_spans_is_refused_with_what_each_reads(
    mixed: Workspace, asked: Modality, candidates: Shown
) -> None:
    with pytest.raises(Mendable, match=f"No encoder reads both {asked} queries and {candidates} candidates") as refused:
        held(mixed, candidates, asked)
    assert refused.value.problems == ("see reads image, text and video", "hear reads audio and text")


def test_a_workspace_that_was_never_indexed_is_told_so(tiny_model: Path, tmp_path: Path) -> None:
    workspace = tiny.build_mixed_workspace(tmp_path / "w", tiny_model)
    with pytest.raises(Mendable, match="no index"):
        held(workspace, "audio")


@pytest.mark.usefixtures("report")
def test_the_queries_of_a_segment_and_of_a_sound_have_their_vectors(
    mixed: Workspace, encoders: dict[str, Encoder]
) -> None:
    space = library.open_collection(mixed, "text", library.not_indexed, asked="audio").spaces["hear"]
    vector = space.encode(Query(query_id="any", modality="audio", uri="media/tone.wav"))
    assert vector == pytest.approx(index.load(mixed.index, "hear").vectors(["tone"])[0])
    with pytest.raises(Unreadable, match="no vector"):
        space.encode(Query(query_id="new", modality="audio", uri="media/tone.wav", start=0.5, end=0.7))


@pytest.mark.usefixtures("report")
@pytest.mark.parametrize(
    ("project", "expected"),
    [
        (Project(id=1, candidates="audio"), {"tone", "heard"}),
        (Project(id=2, candidates="video"), {"first", "second"}),
        (Project(id=3, query="image", candidates="video"), {"first", "second"}),
        (Project(id=4, query="audio", candidates="text"), {"words"}),
    ],
)
def test_pools_hold_sounds_and_segments_of_films(
    mixed: Workspace, tmp_path: Path, project: Project, expected: set[str]
) -> None:
    workspace = Workspace(Path(shutil.copytree(mixed.root, tmp_path / "w")))
    with workspace.settings_path.open("a") as file:
        file.write("\n[pool]\nnear_duplicate = 1.0\n")  # to random weights, all items are nearly one
    settings.add_project(workspace.settings_path, "main", project)
    made = compose.make_pools(workspace, "main")
    assert (made.made, made.left_out) == (1, [])
    (pool,) = pools.load(workspace.pools).values()
    assert {candidate.doc_id for candidate in pool.candidates} == expected


@pytest.mark.parametrize("texts", [1, 40], ids=["all of them alike", "many of them alike"])
def test_the_order_of_the_corpus_changes_neither_index_nor_pool(tiny_model: Path, tmp_path: Path, texts: int) -> None:
    rows = [{"_id": f"d{n:04}", "text": f"thing {n % texts}"} for n in range(4_500)]
    made = []
    for name, given in (("forward", rows), ("backward", rows[::-1])):
        workspace = tiny.build_workspace(tmp_path / name, tiny_model)
        tiny.write_rows(workspace.corpus, given)
        tiny.write_rows(workspace.queries, [{"_id": "q", "text": "some thing", "positives": ["d0007"]}])
        settings.add_project(workspace.settings_path, "main", Project(id=1, candidates="text"))
        library.build(workspace, {"clip": library.load_encoder(workspace, "clip")})
        compose.make_pools(workspace, "main")
        made.append((index.current(workspace.index), pools.load(workspace.pools), pools.run(workspace.pools)))
    assert made[0] == made[1]
    (pool,) = made[0][1].values()
    shown = [candidate.doc_id for candidate in pool.candidates]
    assert len(shown) == len(set(shown)) > 0


# the process


@contextmanager
def serving(workspace: Workspace, path: Path) -> Iterator[RemoteEncoders]:
    with subprocess.Popen([sys.executable, "-m", "ml_backend.encoder_service", workspace.root, path]) as process:
        remote = RemoteEncoders(path)
        try:
            deadline = time.monotonic() + 120
            while not remote.ready():
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield remote
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def service(
    mixed: Workspace, report: library.Report, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RemoteEncoders]:
    with serving(mixed, tmp_path_factory.mktemp("service") / "encoders") as remote:
        yield remote


def test_the_service_says_what_its_encoders_read(service: RemoteEncoders, encoders: dict[str, Encoder]) -> None:
    assert {name: (known.fingerprint, known.modalities) for name, known in service.known().items()} == {
        name: (encoder.fingerprint, encoder.modalities) for name, encoder in encoders.items()
    }


def test_segments_go_over_the_socket(service: RemoteEncoders, encoders: dict[str, Encoder], mixed: Workspace) -> None:
    film = (mixed.root / "media" / "film.mp4").read_bytes()
    reading: list[tuple[str, Modality]] = [("see", "video"), ("hear", "audio")]
    for name, modality in reading:
        contents: list[Content] = [Clip(film, 0.0, 1.0), film, Clip(film, 1.0, None)]
        expected = encoders[name].encode(modality, contents)
        assert service.encode(name, modality, contents) == pytest.approx(expected, abs=1e-5)


def test_a_live_query_in_a_segment_is_encoded_from_its_file(
    service: RemoteEncoders, encoders: dict[str, Encoder], mixed: Workspace
) -> None:
    query = Query(query_id="new", modality="audio", uri="media/film.mp4", start=0.2, end=0.8)
    media = Media(mixed.root, mixed.settings.media)
    expected = encoders["hear"].encode("audio", [media.content(query)])[0]
    assert service.query(media)("hear", encoders["hear"].fingerprint, query) == pytest.approx(expected, abs=1e-5)
    pool = Retriever(mixed.root, service).propose(query, "text")
    assert [candidate.doc_id for candidate in pool.candidates] == ["words"]


def test_new_weights_answer_no_live_query_until_index_and_backend_have_both_been_renewed(
    tiny_workspace: Workspace, tmp_path: Path
) -> None:
    model = tiny.build_model(tmp_path / "model")  # its weights are those of the index
    text = tiny_workspace.settings_path.read_text("utf-8")
    tiny_workspace.settings_path.write_text(re.sub('local-dir:.*(?=")', f"local-dir:{model}", text), "utf-8")
    numbers = count()

    def fresh() -> Query:  # what was encoded once has its vector
        number = next(numbers)
        return Query(query_id=f"live-{number}", text=f"something new {number}")

    def refused(by: RemoteEncoders) -> None:
        with pytest.raises(Mendable, match=r"do not compare\. Run `ls-retrieval index`, and start"):
            Retriever(tiny_workspace.root, by).propose(fresh(), "image")
        assert not list(pools.each(tiny_workspace.pools))

    with serving(tiny_workspace, tmp_path / "old") as old:
        asking = Retriever(tiny_workspace.root, old)
        assert asking.propose(fresh(), "image").encoder == old.known()["clip"].fingerprint
        shutil.rmtree(tiny_workspace.pools)
        shutil.rmtree(model)
        tiny.build_model(model, seed=1)
        with serving(tiny_workspace, tmp_path / "new") as new:
            refused(new)  # restarted, not indexed
            compose.index(tiny_workspace)
            refused(old)  # indexed, not restarted
            with pytest.raises(Mendable, match="do not compare"):
                asking.propose(fresh(), "image")  # also by who had the old index open
            assert (
                Retriever(tiny_workspace.root, new).propose(fresh(), "image").encoder == new.known()["clip"].fingerprint
            )


# the command, killed


def test_a_killed_run_loses_at_most_a_batch_and_ends_as_one_that_nobody_killed(
    tiny_model: Path, tmp_path: Path
) -> None:
    killed, whole = (numbered(tmp_path / name, tiny_model) for name in ("killed", "whole"))
    library.build(whole, {"clip": library.load_encoder(whole, "clip")})
    command = [sys.executable, "-c", "from ls_retrieval.cli import main; main()", "index", "-w", str(killed.root)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while len(stored(killed)[1]) < 5 * BATCH * ROW:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
    keys, vectors = stored(killed)
    assert not (killed.index / "current.json").exists()
    assert 0 <= len(vectors) // ROW - len(keys) // 32 <= BATCH  # encoded, and will be again
    assert 4 * BATCH <= len(keys) // 32 < 2_000

    said = on_a_terminal(command)
    assert re.search(r"clip: local-dir:\S+ on \w+, fp32", said)
    assert re.search(r"Encoding corpus and queries .* \d+/2001 \d+/s \d:\d\d:\d\d", said)  # how far, how fast, how long
    assert stored(killed)[0].startswith(keys)
    assert stored(killed) == stored(whole)  # append-only files would hold what was done twice
    assert index.current(killed.index) == index.current(whole.index)
    found, expected = (index.load(one.index, "clip") for one in (killed, whole))
    assert list(found.rows) == list(expected.rows)
    assert np.array_equal(found.vectors(list(found.rows)), expected.vectors(list(found.rows)))


BATCH, ROW = 8, 4 * tiny.DIM


def numbered(root: Path, model: Path) -> Workspace:
    """A workspace of 2,000 texts and a query."""
    workspace = tiny.build_workspace(root, model)
    tiny.write_rows(workspace.corpus, [{"_id": str(n), "text": f"item number {n}"} for n in range(2_000)])
    tiny.write_rows(workspace.queries, [{"_id": "q", "text": "item"}])
    return workspace


def stored(workspace: Workspace) -> tuple[bytes, bytes]:
    """The keys and vectors that are on disk."""

    def read(name: str) -> bytes:
        return b"".join(path.read_bytes() for path in workspace.embeddings.glob(f"*/{name}"))

    return read("keys.sha256"), read("vectors.f32")


def on_a_terminal(command: list[str]) -> str:
    """What a command that ends well tells people at a terminal, without colours."""
    ours, theirs = pty.openpty()
    given = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "NO_COLOR": "1"}
    said = bytearray()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs, env=given) as process:
        os.close(theirs)
        with suppress(OSError):  # how Linux says that the other side is closed
            while part := os.read(ours, 65_536):
                said += part
    os.close(ours)
    assert process.returncode == 0, said
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.decode())
