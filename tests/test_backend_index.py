"""The index: exact, opened by memory map, switched to last; and the workspace as a collection."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import tiny

from label_configs.errors import Mendable, Unreadable
from label_configs.records import Query
from ml_backend import index, library
from ml_backend.encoders.base import Vectors
from ml_backend.vectors import VectorStore
from store import files
from store.workspace import Workspace


def unit(rows: int, dim: int, seed: int = 0) -> Vectors:
    drawn = np.random.default_rng(seed).normal(size=(rows, dim))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), dtype=np.float32)


def built(folder: Path, vectors: Vectors, fingerprint: str = "f") -> index.Index:
    doc_ids = [f"d{n}" for n in range(len(vectors))]
    index.build(folder, "e", fingerprint, doc_ids, [d.encode() for d in doc_ids], vectors)
    return index.load(folder, "e")


def state(folder: Path) -> dict[str, int]:
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in sorted(folder.rglob("*")) if p.is_file()}


def test_an_index_that_was_never_built_says_how_to_build_it(tmp_path: Path) -> None:
    with pytest.raises(Mendable, match="has no index") as missing:
        index.load(tmp_path, "e")
    assert "ls-retrieval index" in missing.value.mend


def test_nothing_asked_for_finds_nothing(tmp_path: Path) -> None:
    assert built(tmp_path, unit(3, 4)).search(unit(2, 4), 0) == [[], []]


def test_more_asked_for_than_there_is_gives_all(tmp_path: Path) -> None:
    assert len(built(tmp_path, unit(3, 4)).search(unit(1, 4), 99)[0]) == 3


@pytest.mark.parametrize("queries", [1, 30])  # FAISS takes another way from 20 on
def test_search_is_exact(tmp_path: Path, queries: int) -> None:
    docs, asked = unit(500, 24), unit(queries, 24, seed=1)
    found = built(tmp_path, docs).search(asked, 10)
    expected = np.argsort(-(asked @ docs.T), axis=1, kind="stable")[:, :10]
    assert [[hit.doc_id for hit in hits] for hits in found] == [[f"d{n}" for n in row] for row in expected]
    assert [hit.score for hit in found[0]] == pytest.approx((asked @ docs.T)[0, expected[0]].tolist(), abs=1e-6)


def test_ties_stand_in_the_order_of_the_corpus(tmp_path: Path) -> None:
    found = built(tmp_path, np.array([[0, 1], [1, 0], [0, 1], [1, 0]], dtype=np.float32))
    assert [hit.doc_id for hit in found.search(np.array([[1, 0]], dtype=np.float32), 4)[0]] == ["d1", "d3", "d0", "d2"]


def test_it_is_memory_mapped(tmp_path: Path) -> None:
    opened = built(tmp_path, unit(100, 8))
    assert "flat.faiss" in Path("/proc/self/maps").read_text()
    assert opened.vectors(["d7", "d3"]).tolist() == unit(100, 8)[[7, 3]].tolist()


def test_the_background_is_everything_or_an_even_sample_of_4096(tmp_path: Path) -> None:
    assert built(tmp_path / "small", unit(10, 2)).background().tolist() == unit(10, 2).tolist()
    large = built(tmp_path / "large", unit(5000, 2))
    assert large.background().shape == (4096, 2)
    assert np.array_equal(large.background(), large.background())


@pytest.mark.parametrize("queries", [1, 30])
@pytest.mark.parametrize("kept", [(), (3,), (7, 2, 40), tuple(range(0, 500, 3)), tuple(range(500))])
def test_a_part_of_it_is_searched_as_if_it_were_all(tmp_path: Path, kept: tuple[int, ...], queries: int) -> None:
    docs, asked = unit(500, 24), unit(queries, 24, seed=1)
    part = built(tmp_path, docs).only([f"d{n}" for n in kept])
    rows = np.array(sorted(kept), dtype=int)
    expected = rows[np.argsort(-(asked @ docs[rows].T), axis=1, kind="stable")[:, :10]]
    assert [[hit.doc_id for hit in hits] for hits in part.search(asked, 10)] == [[f"d{n}" for n in e] for e in expected]
    if kept:
        assert part.background().tolist() == docs[rows].tolist()


def test_a_new_version_lies_beside_the_old(tmp_path: Path) -> None:
    old = built(tmp_path, unit(3, 4)).version
    new = built(tmp_path, unit(5, 4)).version
    assert {path.name for path in (tmp_path / "f").iterdir()} == {old, new}
    assert index.current(tmp_path) == {"e": {"fingerprint": "f", "version": new}}


def test_an_interrupted_build_leaves_the_old_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = built(tmp_path, unit(3, 4)).version
    write = files.write
    for unwritten in ("doc_ids.json", "current.json"):

        def dies(path: Path, content: str | bytes, mode: int = 0o644, unwritten: str = unwritten) -> None:
            if path.name == unwritten:
                raise KeyboardInterrupt
            write(path, content, mode)

        monkeypatch.setattr(files, "write", dies)
        with pytest.raises(KeyboardInterrupt):
            built(tmp_path, unit(5, 4))
        assert index.load(tmp_path, "e").version == old
    monkeypatch.undo()
    assert len(built(tmp_path, unit(5, 4)).doc_ids) == 5


def test_another_fingerprint_is_another_folder(tmp_path: Path) -> None:
    first, second = built(tmp_path, unit(3, 4)), built(tmp_path, unit(3, 4), fingerprint="g")
    assert first.version != second.version
    assert {path.name for path in tmp_path.iterdir()} == {"f", "g", "current.json"}


def test_the_same_inputs_write_nothing(tmp_path: Path) -> None:
    built(tmp_path, unit(3, 4))
    before = state(tmp_path)
    built(tmp_path, unit(3, 4))
    assert state(tmp_path) == before


# a workspace


def test_indexing_again_encodes_and_writes_nothing(tiny_workspace: Workspace) -> None:
    (fingerprint,) = (path.name for path in tiny_workspace.embeddings.iterdir())
    before = state(tiny_workspace.root)
    report = library.build(tiny_workspace, {"clip": tiny.Table({}, fingerprint)})  # it would fail on any content
    assert (report.items, report.broken) == (24, [])
    assert {k: v for k, v in state(tiny_workspace.root).items() if not k.endswith(".lock")} == {
        k: v for k, v in before.items() if not k.endswith(".lock")
    }


def test_a_corpus_that_cannot_be_read_at_all_is_mendable(tiny_workspace: Workspace) -> None:
    for path in (tiny_workspace.root / "media").iterdir():
        path.unlink()
    (fingerprint,) = (path.name for path in tiny_workspace.embeddings.iterdir())
    with pytest.raises(Mendable, match="No item") as failed:
        library.build(tiny_workspace, {"clip": tiny.Table({}, fingerprint)})
    assert len(failed.value.problems) == 20


def test_known_queries_are_looked_up_and_new_ones_encoded(tiny_indexed: Workspace) -> None:
    def blank(name: str, query: Query) -> Vectors:
        return np.zeros(tiny.DIM, dtype=np.float32)

    space = library.open_collection(tiny_indexed, "image", blank).spaces["clip"]
    assert np.linalg.norm(space.encode(Query(query_id="any", text="a red thing"))) == pytest.approx(1)
    assert not space.encode(Query(query_id="q-red", text="a new thing")).any()
    unaided = library.open_collection(tiny_indexed, "image", library.not_indexed).spaces["clip"]
    with pytest.raises(Unreadable, match="no vector") as unknown:
        unaided.encode(Query(query_id="new", text="new"))
    assert "ls-retrieval index" in unknown.value.mend


def test_a_document_that_the_corpus_has_lost_is_not_proposed(tiny_workspace: Workspace) -> None:
    rows = tiny_workspace.corpus.read_text().splitlines()
    tiny_workspace.corpus.write_text("\n".join(rows[1:]) + "\n")
    gone = json.loads(rows[0])["_id"]
    collection = library.open_collection(tiny_workspace, "image", library.not_indexed)
    vector = index.load(tiny_workspace.index, "clip").vectors([gone])
    assert index.load(tiny_workspace.index, "clip").search(vector, 1)[0][0].doc_id == gone
    found = [hit.doc_id for hit in collection.search("clip", vector, 5)[0]]
    assert len(found) == 5
    assert gone not in found


def test_an_index_is_readable_while_the_store_is_written(tiny_workspace: Workspace) -> None:
    (folder,) = tiny_workspace.embeddings.iterdir()
    with VectorStore(folder).writing():
        assert library.open_collection(tiny_workspace, "image", library.not_indexed).encoder == folder.name


def test_indexes_and_vectors_can_be_read_by_others(tiny_indexed: Workspace) -> None:
    paths = [p for p in tiny_indexed.index.rglob("*") if p.is_file()]
    assert {oct(os.stat(p).st_mode & 0o777) for p in paths} == {"0o644"}
