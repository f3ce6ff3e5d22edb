"""The index: exact where nothing else is asked, in segments, memory-mapped; and the workspace as a collection."""

import hashlib
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from label_configs.errors import Mendable, Unreadable
from label_configs.records import Query, ScoredDoc
from ls_retrieval import compose, doctor
from ml_backend import index, library
from ml_backend.encoders.base import Vectors
from ml_backend.index import ids
from ml_backend.index.search import best_first
from ml_backend.vectors import VectorStore
from store.media import Content
from store.settings import IndexSettings
from store.workspace import Workspace


def unit(rows: int, dim: int, seed: int = 0) -> Vectors:
    drawn = np.random.default_rng(seed).normal(size=(rows, dim))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), dtype=np.float32)


def built(folder: Path, vectors: Vectors, fingerprint: str = "f", **choices: object) -> index.Index:
    """d0, d1 … with these vectors; what an item is shows in its vector, so a vector is its content."""
    doc_ids = [f"d{n}" for n in range(len(vectors))]
    return put(folder, dict(zip(doc_ids, vectors, strict=True)), fingerprint, **choices)


def put(folder: Path, docs: dict[str, Vectors], fingerprint: str = "f", **choices: object) -> index.Index:
    keys = [hashlib.sha256(vector.tobytes()).digest() for vector in docs.values()]
    chosen = IndexSettings.model_validate(choices)
    index.build(folder, "e", fingerprint, list(docs), keys, np.stack(list(docs.values())), settings=chosen)
    return index.load(folder, "e")


def names(found: list[list[ScoredDoc]]) -> list[list[str]]:
    return [[hit.doc_id for hit in hits] for hits in found]


def state(folder: Path) -> dict[str, int]:
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in sorted(folder.rglob("*")) if p.is_file()}


def test_an_index_that_was_never_built_says_how_to_build_it(tmp_path: Path) -> None:
    with pytest.raises(Mendable, match="has no index") as missing:
        index.load(tmp_path, "e")
    assert "ls-retrieval index" in missing.value.mend


def test_nothing_asked_for_finds_nothing(tmp_path: Path) -> None:
    assert built(tmp_path, unit(3, 4)).search(unit(2, 4), 0) == [[], []]
    assert built(tmp_path, unit(3, 4)).search(unit(2, 4)[:0], 5) == []
    assert built(tmp_path, unit(3, 4)).only([]).search(unit(2, 4), 5) == [[], []]


def test_more_asked_for_than_there_is_gives_all(tmp_path: Path) -> None:
    assert len(built(tmp_path, unit(3, 4)).search(unit(1, 4), 99)[0]) == 3


@pytest.mark.parametrize("queries", [1, 30, 300])  # pair by pair, by matrix products, in blocks
def test_search_is_exact(tmp_path: Path, queries: int) -> None:
    docs, asked = unit(500, 24), unit(queries, 24, seed=1)
    found = built(tmp_path, docs).search(asked, 10)
    expected = np.argsort(-(asked @ docs.T), axis=1, kind="stable")[:, :10]
    assert names(found) == [[f"d{n}" for n in row] for row in expected]
    assert [hit.score for hit in found[0]] == pytest.approx((asked @ docs.T)[0, expected[0]].tolist(), abs=1e-6)


def test_a_pair_has_the_same_score_alone_and_among_others(tmp_path: Path) -> None:
    opened, asked = built(tmp_path, unit(500, 24)), unit(30, 24, seed=1)
    part = opened.only(f"d{n}" for n in range(0, 500, 2))
    scores = {hit.doc_id: hit.score for hit in opened.search(asked, 500)[7]}
    for found in (opened.search(asked[7:8], 500), part.search(asked, 500)[7:8], part.search(asked[7:8], 500)):
        assert {hit.doc_id: hit.score for hit in found[0]}.items() <= scores.items()


def test_ties_stand_in_the_order_of_the_corpus(tmp_path: Path) -> None:
    found = built(tmp_path, np.array([[0, 1], [1, 0], [0, 1], [1, 0]], dtype=np.float32))
    assert names(found.search(np.array([[1, 0]], dtype=np.float32), 4)) == [["d1", "d3", "d0", "d2"]]


@pytest.mark.parametrize("queries", [1, 30])
def test_of_many_that_are_alike_the_first_of_the_corpus_are_found(tmp_path: Path, queries: int) -> None:
    docs = np.repeat(unit(3, 24), 1000, axis=0)[np.random.default_rng(0).permutation(3000)]
    asked = np.repeat(docs[:1], queries, axis=0)
    expected = [f"d{n}" for n in np.flatnonzero((docs == docs[0]).all(axis=1))[:5]]
    assert names(built(tmp_path, docs).search(asked, 5)) == [expected] * queries


@given(
    st.lists(st.tuples(st.sampled_from([-2.5, -0.0, 0.0, 1e-30, 3.0]), st.integers(0, 9)), min_size=1, unique=True),
    st.integers(1, 20),
)
def test_the_best_are_those_that_sorting_puts_first(candidates: list[tuple[float, int]], count: int) -> None:
    scores, positions = np.array([[s for s, _ in candidates]], dtype=np.float32), np.array([[p for _, p in candidates]])
    found, values = best_first(positions, scores, count)
    expected = sorted((-s, p) for s, p in zip(scores[0].tolist(), positions[0].tolist(), strict=True))[:count]
    assert list(zip((-values[0]).tolist(), found[0].tolist(), strict=True)) == expected


def test_it_is_memory_mapped(tmp_path: Path) -> None:
    opened = built(tmp_path, unit(100, 8))
    assert "vectors.npy" in Path("/proc/self/maps").read_text()
    assert opened.vectors(["d7", "d3"]).tolist() == unit(100, 8)[[7, 3]].tolist()
    with pytest.raises(KeyError, match="d100"):
        opened.vectors(["d7", "d100"])


def test_the_background_is_everything_or_an_even_sample_of_4096(tmp_path: Path) -> None:
    assert built(tmp_path / "small", unit(10, 2)).background().tolist() == unit(10, 2).tolist()
    large = built(tmp_path / "large", unit(5000, 2))
    assert large.background().shape == (4096, 2)
    assert np.array_equal(large.background(), large.background())


@pytest.mark.parametrize("queries", [1, 30])
@pytest.mark.parametrize("kept", [(), (3,), (7, 2, 40), tuple(range(0, 500, 3)), tuple(range(500))])
def test_a_part_of_it_is_searched_as_if_it_were_all(tmp_path: Path, kept: tuple[int, ...], queries: int) -> None:
    docs, asked = unit(500, 24), unit(queries, 24, seed=1)
    part = built(tmp_path, docs).only([*(f"d{n}" for n in kept), "another"])
    rows = np.array(sorted(kept), dtype=int)
    expected = rows[np.argsort(-(asked @ docs[rows].T), axis=1, kind="stable")[:, :10]]
    assert names(part.search(asked, 10)) == [[f"d{n}" for n in e] for e in expected]
    if kept:
        assert part.background().tolist() == docs[rows].tolist()


# doc_ids


@given(st.lists(st.text(), min_size=1, unique=True), st.text())
def test_ids_are_a_dict_of_positions(doc_ids: list[str], other: str) -> None:
    known = ids.of(doc_ids)
    assert dict(known) == {doc_id: n for n, doc_id in enumerate(doc_ids)}
    assert known.find([*reversed(doc_ids), other]).tolist() == [
        *reversed(range(len(doc_ids))),
        doc_ids.index(other) if other in doc_ids else -1,
    ]
    assert (other in known) == (other in doc_ids)
    assert known.known([other, *doc_ids]) == [doc_id for doc_id in [other, *doc_ids] if doc_id in doc_ids]
    assert known.known([]) == []


def test_ids_of_one_hash_are_told_apart() -> None:
    known, hashed = ids.of(["a", "x", "c"]), ids.of(["x"]).hashes
    alike = ids.Ids(known.text, known.starts, np.repeat(hashed, 3), np.arange(3))
    assert alike.find(["x"]).tolist() == [1]
    assert ids.Ids(known.text, known.starts, np.repeat(hashed, 3), np.array([0, 2, 0])).find(["x"]).tolist() == [-1]


# segments


def parts(folder: Path) -> tuple[int, int]:
    """Rows of the main segment, and of the fresh one."""
    opened = index.load(folder, "e")
    return len(opened.main.vectors), len(opened.fresh.vectors)


def test_what_is_new_lies_beside_what_is_there_until_it_is_much(tmp_path: Path) -> None:
    docs = unit(130, 8)
    built(tmp_path, docs[:100], slack=0.1)
    (main,) = tmp_path.glob("f/*/vectors.npy")
    before = state(main.parent)
    assert names(built(tmp_path, docs[:110], slack=0.1).search(docs[105:106], 1)) == [["d105"]]
    assert parts(tmp_path) == (100, 10)
    assert before.items() >= {k: v for k, v in state(main.parent).items() if "/" not in k}.items()
    assert names(built(tmp_path, docs[:111], slack=0.1).search(docs[105:106], 1)) == [["d105"]]
    assert parts(tmp_path) == (111, 0)


def test_what_is_gone_is_passed_over_until_it_is_much(tmp_path: Path) -> None:
    docs = {f"d{n}": vector for n, vector in enumerate(unit(100, 8))}
    put(tmp_path, docs, slack=0.1)
    gone = docs.pop("d7")
    opened = put(tmp_path, docs, slack=0.1)
    assert parts(tmp_path) == (100, 0)
    assert "d7" not in opened.rows
    assert len(opened.search(gone[None, :], 100)[0]) == 99
    assert "d7" not in names(opened.search(gone[None, :], 100))[0]
    for n in range(20, 30):
        docs.pop(f"d{n}")
    put(tmp_path, docs, slack=0.1)
    assert parts(tmp_path) == (89, 0)


def test_a_changed_item_is_a_new_one_and_one_that_is_gone(tmp_path: Path) -> None:
    docs = {f"d{n}": vector for n, vector in enumerate(unit(100, 8))}
    put(tmp_path, docs)
    docs["d7"] = unit(1, 8, seed=9)[0]
    opened = put(tmp_path, docs)
    assert parts(tmp_path) == (100, 1)
    assert opened.vectors(["d7", "d8"]).tolist() == [docs["d7"].tolist(), docs["d8"].tolist()]
    assert names(opened.search(docs["d7"][None, :], 1)) == [["d7"]]


def test_ties_across_segments_stand_in_the_order_of_the_corpus(tmp_path: Path) -> None:
    docs = {f"d{n}": np.array([1, 0], dtype=np.float32) for n in range(40)}
    put(tmp_path, docs)
    opened = put(tmp_path, {"first": docs["d0"], **docs, "last": docs["d0"]})
    assert parts(tmp_path) == (40, 2)
    found = names(opened.search(docs["d0"][None, :], 42))
    assert found == [["first", *docs, "last"]]


def test_items_in_another_order_or_under_other_names_are_not_stored_again(tmp_path: Path) -> None:
    docs = {f"d{n}": vector for n, vector in enumerate(unit(50, 8))}
    before = put(tmp_path, docs).version
    renamed = {f"e{name}": docs[name] for name in reversed(docs)}
    opened = put(tmp_path, renamed)
    assert parts(tmp_path) == (50, 0)
    assert opened.version != before
    assert opened.vectors(list(renamed)).tolist() == [vector.tolist() for vector in renamed.values()]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.sampled_from([f"d{n}" for n in range(12)]), st.integers(0, 5), min_size=1),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.integers(1, 14),
)
def test_after_any_changes_it_finds_what_a_dict_of_vectors_would(
    tmp_path_factory: pytest.TempPathFactory, corpora: list[dict[str, int]], slack: float, k: int
) -> None:
    folder, vectors, asked = tmp_path_factory.mktemp("index"), unit(6, 4), unit(3, 4, seed=1)
    for corpus in corpora:
        opened = put(folder, {doc_id: vectors[content] for doc_id, content in corpus.items()}, slack=slack)
        order = list(corpus)
        for kept in (order, order[::2]):
            scores = asked @ vectors[[corpus[doc_id] for doc_id in kept]].T
            expected = [[kept[n] for n in np.argsort(-row, kind="stable")[:k]] for row in np.round(scores, 5)]
            assert names(opened.only(kept).search(asked, k)) == expected
        assert opened.vectors(order).tolist() == [vectors[content].tolist() for content in corpus.values()]
    assert len(list(folder.glob("f/*"))) == len(list(folder.glob("f/*/*/fresh.npy"))) == 1


# versions


def test_the_old_version_goes_when_the_new_one_is_in_use(tmp_path: Path) -> None:
    old = built(tmp_path, unit(3, 4))
    new = built(tmp_path, unit(5, 4))
    assert [path.name for path in tmp_path.glob("f/*/*/")] == [new.version]
    assert index.current(tmp_path)["e"]["version"] == new.version
    assert names(old.search(unit(3, 4)[2:], 1)) == [["d2"]]


def test_two_encoders_of_one_model_share_an_index_and_the_last_takes_it_along(tmp_path: Path) -> None:
    docs = unit(3, 4)
    for name in ("one", "two"):
        index.build(tmp_path, name, "f", ["a", "b", "c"], [b"a", b"b", b"c"], docs)
    assert len(list(tmp_path.glob("f/*"))) == 1
    index.build(tmp_path, "one", "g", ["a", "b", "c"], [b"a", b"b", b"c"], docs)
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"f", "g"}
    index.build(tmp_path, "two", "g", ["a", "b", "c"], [b"a", b"b", b"c"], docs)
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"g"}


def test_another_model_than_the_index_is_of_is_refused(tmp_path: Path) -> None:
    opened = built(tmp_path, unit(3, 4), fingerprint="f")
    assert index.load(tmp_path, "e", "f").version == opened.version
    with pytest.raises(Mendable, match="of the model f, not of g") as other:
        index.load(tmp_path, "e", "g")
    assert "ls-retrieval index" in other.value.mend
    with pytest.raises(Mendable, match="A query of 5 numbers does not fit an index of 4"):
        opened.search(unit(1, 5), 1)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(tmp_path: Path, wrong: float) -> None:
    opened = built(tmp_path, unit(3, 4))
    broken = unit(5, 4)
    broken[[1, 4], 2] = wrong
    with pytest.raises(Mendable, match="vectors of 2 documents are not finite") as refused:
        built(tmp_path, broken)
    assert refused.value.problems == ("d1", "d4")
    assert index.load(tmp_path, "e").version == opened.version
    with pytest.raises(Mendable, match="not finite"):
        opened.search(broken[1:2], 1)


def test_doc_ids_that_are_there_twice_are_named_together(tmp_path: Path) -> None:
    with pytest.raises(Mendable, match="2 doc_ids") as refused:
        index.build(tmp_path, "e", "f", ["a", "b", "a", "c", "c"], [b"1"] * 5, unit(5, 4))
    assert refused.value.problems == ("a", "c")
    with pytest.raises(Mendable, match="no documents"):
        index.build(tmp_path, "e", "f", [], [], unit(0, 4))


def test_the_same_inputs_write_nothing(tmp_path: Path) -> None:
    built(tmp_path, unit(3, 4))
    before = state(tmp_path)
    built(tmp_path, unit(3, 4))
    assert state(tmp_path) == before


def test_a_damaged_index_says_what_to_do(tmp_path: Path) -> None:
    built(tmp_path, unit(3, 4))
    (vectors,) = tmp_path.glob("f/*/vectors.npy")
    vectors.write_bytes(vectors.read_bytes()[:40])
    with pytest.raises(Mendable, match="cannot be opened") as damaged:
        index.load(tmp_path, "e")
    assert "Delete" in damaged.value.mend


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
    with pytest.raises(Mendable, match="24 of 24 items cannot be encoded") as failed:
        library.build(tiny_workspace, {"clip": tiny.Table({}, fingerprint)})
    assert len(failed.value.problems) == 20


def test_known_queries_are_looked_up_and_new_ones_encoded(tiny_indexed: Workspace) -> None:
    def blank(name: str, fingerprint: str, query: Query) -> Vectors:
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


def test_the_command_and_the_doctor_say_what_the_index_is(tiny_indexed: Workspace) -> None:
    (line,) = compose.indexes(tiny_indexed)
    assert re.fullmatch(r"clip: exact; built in \d+\.\d s", line)
    version = index.load(tiny_indexed.index, "clip").version
    (finding,) = [one for one in doctor.examine(tiny_indexed.root) if version in one.what]
    assert finding.level == "ok"
    assert finding.what.startswith(f"encoder clip: index {version}, 24 items; exact")


def test_a_large_corpus_is_measured_by_the_workspaces_queries(tmp_path: Path) -> None:
    drawn = unit(2025, 16)
    items, queries = drawn[:2000], drawn[2000:]
    tiny.write_rows(tmp_path / "corpus.jsonl", [{"_id": f"d{n}", "text": f"item {n}"} for n in range(len(items))])
    tiny.write_rows(tmp_path / "queries.jsonl", [{"_id": f"q{n}", "text": f"query {n}"} for n in range(len(queries))])
    (tmp_path / "settings.toml").write_text('[encoders.e]\nmodel = "m"\nbatch = 1000\n[index]\nkind = "pq"\nat = 10\n')
    table: dict[Content, list[float]] = {f"item {n}": vector.tolist() for n, vector in enumerate(items)}
    table |= {f"query {n}": vector.tolist() for n, vector in enumerate(queries)}
    report = library.build(Workspace(tmp_path), {"e": tiny.Table(table)})
    about = index.about(tmp_path / "index", "e")
    assert [(one.queries, one.count) for one in about.tested] == [("text queries for text", 25)]
    collection = library.open_collection(Workspace(tmp_path), "text", library.not_indexed)
    assert collection.version == report.versions["e"]
    assert names(collection.search("e", items[:3], 1)) == [["d0"], ["d1"], ["d2"]]
