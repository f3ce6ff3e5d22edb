"""The approximate kinds: recall that was asked for and measured, on queries of another modality; or exact search."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from label_configs.records import Modality
from ml_backend import index
from ml_backend.encoders.base import Vectors
from ml_backend.index import kinds, measure
from ml_backend.index.layout import Measured
from store.settings import IndexKind, IndexSettings

DIM, COUNT = 64, 3000


def cone(rows: int, seed: int, side: int) -> Vectors:
    """Unit vectors in clusters around a direction of their own, as the vectors of one modality are."""
    shared = np.random.default_rng(0)
    sides, centres = shared.normal(size=(2, DIM)), shared.normal(size=(40, DIM))
    drawn = np.random.default_rng(seed)
    own = centres[drawn.integers(40, size=rows)]
    mixed = sides[side] + own + drawn.normal(size=(rows, DIM)) * 0.7
    return np.asarray(mixed / np.linalg.norm(mixed, axis=1, keepdims=True), dtype=np.float32)


PICTURES, TEXTS, QUERIES = cone(COUNT, 1, 0), cone(COUNT, 2, 1), cone(100, 3, 1)


def built(
    folder: Path,
    vectors: Vectors,
    kind: IndexKind,
    *,
    recall: float = 0.98,
    at: int = 50,
    modalities: Sequence[Modality] = (),
) -> index.Index:
    """d0, d1 …, pictures unless told otherwise, measured by text queries."""
    doc_ids = [f"d{n}" for n in range(len(vectors))]
    chosen = IndexSettings(kind=kind, recall=recall, at=at)
    keys = [doc_id.encode() for doc_id in doc_ids]
    told: Sequence[Modality] = modalities or ["image"] * len(vectors)
    queries: dict[Modality, Vectors] = {"text": QUERIES} if vectors.shape[1] == DIM else {}
    index.build(folder, "e", "f", doc_ids, keys, vectors, settings=chosen, modalities=told, queries=queries)
    return index.load(folder, "e")


def truth(asked: Vectors, vectors: Vectors, kept: NDArray[np.int64], k: int) -> list[set[int]]:
    best = np.argsort(-(asked @ vectors[kept].T), axis=1)[:, :k]
    return [set(row.tolist()) for row in kept[best]]


def recall(opened: index.Index, asked: Vectors, vectors: Vectors, kept: NDArray[np.int64], k: int = 50) -> float:
    found, _ = opened.nearest(asked, k)
    expected = truth(asked, vectors, kept, k)
    return float(np.mean([len(set(f.tolist()) & e) / k for f, e in zip(found, expected, strict=True)]))


def test_small_corpora_are_exact_and_larger_ones_are_not() -> None:
    assert [kinds.plan("auto", count) for count in (1, 49_999, 50_000)] == [(), (), ("ivf", "pq")]
    assert [kinds.plan("hnsw", count) for count in (1_999, 2_000)] == [(), ("hnsw",)]
    assert kinds.plan("exact", 10**9) == ()


@pytest.mark.parametrize("kind", ["pq", "ivf", "hnsw"])
def test_a_kind_finds_what_was_asked_for_and_says_so(tmp_path: Path, kind: IndexKind) -> None:
    opened = built(tmp_path, PICTURES, kind)
    about = index.about(tmp_path, "e")
    assert about.kind == kind
    (tested,) = about.tested
    assert (tested.queries, tested.count) == ("text queries for image", 100)
    assert tested.recall >= 0.98
    assert tested.recall == pytest.approx(recall(opened, QUERIES, PICTURES, np.arange(COUNT)), abs=0.001)
    assert f"{kind}; recall@50 {tested.recall:.3f} of 100 text queries for image" in str(about)


@pytest.mark.parametrize("kind", ["pq", "ivf", "hnsw"])
def test_one_query_and_many_find_the_same_with_the_same_scores(tmp_path: Path, kind: IndexKind) -> None:
    opened = built(tmp_path, PICTURES, kind)
    assert opened.main.approximate is not None
    together = opened.search(QUERIES, 20)
    assert [opened.search(query[None, :], 20)[0] for query in QUERIES] == together
    scores = QUERIES @ PICTURES.T
    for row, hits in zip(scores, together, strict=True):
        assert [hit.score for hit in hits] == pytest.approx([row[int(hit.doc_id[1:])] for hit in hits], abs=1e-6)
        assert hits == sorted(hits, key=lambda hit: (-hit.score, int(hit.doc_id[1:])))


@pytest.mark.parametrize("kind", ["pq", "ivf", "hnsw"])
@pytest.mark.parametrize("every", [2, 10, 1000])
def test_a_part_is_found_as_well_as_all(tmp_path: Path, kind: IndexKind, every: int) -> None:
    kept = np.arange(0, COUNT, every)
    opened = built(tmp_path, PICTURES, kind)
    part = opened.only([f"d{n}" for n in kept])
    k = min(25, len(kept))  # of a half 25 lie as deep as 50 of all
    assert recall(part, QUERIES, PICTURES, kept, k) >= 0.98
    assert all(len(hits) == k for hits in part.search(QUERIES, 25))


@pytest.mark.parametrize("kind", ["pq", "ivf", "hnsw"])
def test_pictures_are_found_among_texts_that_are_all_nearer(tmp_path: Path, kind: IndexKind) -> None:
    both = np.concatenate([TEXTS, PICTURES])
    modalities: list[Modality] = ["text"] * COUNT + ["image"] * COUNT  # type: ignore[assignment]
    opened = built(tmp_path, both, kind, modalities=modalities)
    pictures = np.arange(COUNT, 2 * COUNT)
    assert (truth(QUERIES, both, np.arange(2 * COUNT), 50)[0] & set(pictures.tolist())) == set()
    part = opened.only([f"d{n}" for n in pictures])
    assert recall(part, QUERIES, both, pictures) >= 0.97
    assert [tested.queries for tested in index.about(tmp_path, "e").tested] in (
        ["text queries for image", "image items for text"],
        [],
    )


@pytest.mark.parametrize("kind", ["pq", "ivf", "hnsw"])
def test_more_than_its_lists_hold_is_found_exactly(tmp_path: Path, kind: IndexKind) -> None:
    found, _ = built(tmp_path, PICTURES, kind).nearest(QUERIES[:2], COUNT)
    assert found.tolist() == np.argsort(-(QUERIES[:2] @ PICTURES.T), axis=1, kind="stable").tolist()


def test_what_cannot_be_reached_is_exact_search_and_says_so(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(size=(COUNT, 7)).astype(np.float32)
    opened = built(tmp_path, noise, "pq", recall=1.0, at=5)  # seven is prime: four bits for all of it
    about = index.about(tmp_path, "e")
    assert about.kind == "exact"
    assert "not reached by pq (recall@5 0." in str(about)
    assert not list(tmp_path.glob("f/*/approximate.faiss"))
    assert recall(opened, noise[:50], noise, np.arange(COUNT)) == 1


def test_another_wish_builds_anew_and_the_same_one_does_not(tmp_path: Path) -> None:
    first = built(tmp_path, PICTURES, "pq").version
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")}
    assert built(tmp_path, PICTURES, "pq").version == first
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")}
    assert built(tmp_path, PICTURES, "pq", recall=0.9).version != first
    assert built(tmp_path, PICTURES, "exact").main.approximate is None


def test_additions_are_found_beside_an_approximate_index(tmp_path: Path) -> None:
    built(tmp_path, PICTURES, "pq")
    more = np.concatenate([PICTURES, cone(60, 4, 0)])
    opened = built(tmp_path, more, "pq")
    assert len(opened.fresh.vectors) == 60
    assert recall(opened, QUERIES, more, np.arange(len(more))) >= 0.97


def test_a_version_tells_how_an_approximate_index_came_about_since_it_may_find_other_things(tmp_path: Path) -> None:
    more = np.concatenate([PICTURES, cone(60, 4, 0)])
    kinds_: list[IndexKind] = ["pq", "exact"]
    for kind in kinds_:
        built(tmp_path / f"{kind} grown", PICTURES, kind)
        grown, fresh = (built(tmp_path / f"{kind} {how}", more, kind) for how in ("grown", "fresh"))
        assert (grown.version == fresh.version) == (kind == "exact")
        same = np.array_equal(grown.nearest(QUERIES, 50)[0], fresh.nearest(QUERIES, 50)[0])
        assert same == (kind == "exact")


@pytest.mark.parametrize("kind", ["pq", "ivf", "hnsw"])
def test_the_same_vectors_give_the_same_index(tmp_path: Path, kind: IndexKind) -> None:
    for name in ("one", "two"):
        built(tmp_path / name, PICTURES, kind)
    one, two = sorted(tmp_path.glob("*/f/*/approximate.faiss"))
    assert one.read_bytes() == two.read_bytes()


# what is measured

FEW, MANY = QUERIES[:19], QUERIES[:20]


@pytest.mark.parametrize(
    ("modalities", "queries", "expected"),
    [
        ([], {}, ["perturbed items"]),
        ([], {"text": MANY}, ["text queries"]),
        (["image"], {}, ["perturbed items for image"]),
        (["image"], {"text": FEW}, ["perturbed items for image"]),
        (["image"], {"text": MANY, "image": MANY}, ["text queries for image"]),
        (["image"], {"image": MANY}, ["image queries for image"]),
        (["image"] * 20 + ["text"] * 20, {}, ["text items for image", "image items for text"]),
        (["image"] * 20 + ["text"] * 20, {"text": MANY}, ["text queries for image", "image items for text"]),
    ],
)
def test_the_best_test_queries_that_there_are_are_taken(
    modalities: list[Modality], queries: dict[Modality, Vectors], expected: list[str]
) -> None:
    assert [str(source) for source in measure.sources(modalities, queries)] == expected


def test_a_test_is_asked_of_its_own_documents_alone() -> None:
    both = np.concatenate([PICTURES[:30], TEXTS[:30]])
    modalities: list[Modality] = [*["image"] * 30, *["text"] * 30]  # type: ignore[list-item]
    for_image, for_text = measure.probes(both, modalities, {"text": QUERIES})
    assert for_image.rows.tolist() == list(range(30))
    assert for_image.queries.tolist() == QUERIES.tolist()
    assert for_text.queries.tolist() == PICTURES[:30].tolist()


def test_it_is_told_in_a_line() -> None:
    about = index.About("w", "pq", 10, 50, 1, 8, 2.04, [Measured("text queries for image", 200, 0.9871, 0.312)])
    assert str(about) == "pq; recall@50 0.987 of 200 text queries for image (0.31 ms each); built in 2.0 s"
