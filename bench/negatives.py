"""P2: hard negatives of a whole corpus, beside `mine_hard_negatives` of sentence-transformers and the bare product.

    python bench/negatives.py [--full] [--json FILE]

All read the same vectors: the peer's model looks them up. Its two ways are FAISS and torch. Memory is what a process
grows by while it mines, vectors and libraries being there before. The kept index is the approximate one of
`ls-retrieval index`, built for recall 0.98 on queries of another modality; here its recall@40 is counted over all
queries.
"""

import contextlib
import io
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import cones
import numpy as np
import side_by_side
from side_by_side import Claim, Row, median

from ml_backend import index
from ml_backend.negatives.mining import mine
from store.settings import IndexSettings, Negatives

SIZES = {"tiny": (40, 3_000, 32, 1), "small": (1_000, 100_000, 512, 3), "full": (2_000, 100_000, 512, 5)}
RULE = Negatives(range_max=40, num_negatives=10, relative_margin=0.05)
AT, _BLOCK = 40, 1_024
OURS, PRODUCT, KEPT, PEERS = "exact", "bare product", "kept index", ("peer by faiss", "peer by torch")
Mining = Callable[[], dict[int, list[int]]]
"""Gives the rows of each query's negatives; a query without any may be missing."""


class World(NamedTuple):
    """Vectors, and the row of each query's one positive."""

    queries: cones.Vectors
    corpus: cones.Vectors
    positives: list[int]


def lookup(world: World) -> Any:
    """What the peer calls a model: texts are row numbers of stored vectors, and similarity is the product."""
    from sentence_transformers.util import dot_score, pairwise_dot_score

    return SimpleNamespace(
        device="cpu",
        encode_query=lambda texts, **_: world.queries[[int(text[1:]) for text in texts]],
        encode_document=lambda texts, **_: world.corpus[[int(text[1:]) for text in texts]],
        get_embedding_dimension=lambda: world.corpus.shape[1],
        similarity=dot_score,
        similarity_pairwise=pairwise_dot_score,
    )


def opened(folder: Path) -> World:
    """The vectors, in memory."""
    read = {name: np.load(folder / f"{name}.npy") for name in ("queries", "corpus", "positives")}
    return World(read["queries"], read["corpus"], read["positives"].tolist())


def write(folder: Path, queries: int, items: int, dim: int) -> cones.Vectors:
    """Draw the vectors; gives further queries, for tuning."""
    made = cones.make(folder / "corpus.npy", items, queries + 200, dim)
    asked = made.cross[200:]
    np.save(folder / "queries.npy", asked)
    np.save(folder / "positives.npy", np.argmax(asked @ np.asarray(made.documents).T, axis=1))
    return made.cross[:200]


def ours(world: World, search: Any = None) -> dict[int, list[int]]:
    """As this program mines."""
    known = [{row: 1} for row in world.positives]
    found = mine(world.queries, world.corpus, known, RULE, search=search)
    return {n: mined.negatives for n, mined in enumerate(found)}


def product(world: World) -> None:
    """All scores by numpy, block by block into the same memory, and nothing done with them."""
    room = np.empty((_BLOCK, 16 * _BLOCK), dtype=np.float32)
    for start in range(0, len(world.queries), _BLOCK):
        block = world.queries[start : start + _BLOCK]
        for first in range(0, len(world.corpus), 16 * _BLOCK):
            some = world.corpus[first : first + 16 * _BLOCK]
            np.matmul(block, some.T, out=room[: len(block), : len(some)])


def peer(world: World, *, faiss: bool) -> Mining:
    """As sentence-transformers mines; its data set and its texts are made before."""
    from datasets import Dataset
    from sentence_transformers.util import mine_hard_negatives

    pairs = {"query": [f"q{n}" for n in range(len(world.queries))], "positive": [f"d{n}" for n in world.positives]}
    texts, dataset = [f"d{n}" for n in range(len(world.corpus))], Dataset.from_dict(pairs)
    options = RULE.model_dump(include={"range_min", "range_max", "relative_margin", "num_negatives"})

    def work() -> dict[int, list[int]]:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            mined = mine_hard_negatives(
                dataset,
                lookup(world),
                corpus=texts,
                use_faiss=faiss,
                verbose=False,
                **options,
            )
        found: dict[int, list[int]] = {}
        for query, negative in zip(mined["query"], mined["negative"], strict=True):
            found.setdefault(int(query[1:]), []).append(int(negative[1:]))
        return found

    return work


def memory(folder: Path, name: str) -> float:
    """MB that a contestant grows by, in this process, where its libraries are loaded."""
    import faiss

    world = opened(folder)
    faiss.knn(world.queries[:1], world.corpus[:1], 1)
    work = partial(ours, world) if name == OURS else peer(world, faiss=name == PEERS[0])
    return side_by_side.grown(work)


def apart(size: str, folder: Path, name: str) -> float:
    """The same in a fresh process, but where only whether it works is looked at."""
    return memory(folder, name) if size == "tiny" else side_by_side.alone(memory, folder, name)


def kept(folder: Path, world: World, tuned: cones.Vectors) -> tuple[index.Index, float]:
    """The approximate index of the corpus, and the seconds that building it took."""
    count = len(world.corpus)
    ids, keys = [f"d{n:08}" for n in range(count)], [n.to_bytes(32, "big") for n in range(count)]
    wish = IndexSettings(kind="ivf", recall=0.98, at=AT)
    asked: dict[str, Any] = {"settings": wish, "modalities": ["image"] * count, "queries": {"text": tuned}}
    building = side_by_side.took(lambda: index.build(folder / "i", "e", "f", ids, keys, world.corpus, **asked))
    return index.load(folder / "i", "e"), building.wall


def recall(world: World, opened_: index.Index) -> float:
    """The share of the 40 nearest that the kept index finds."""
    import faiss

    truth = faiss.knn(world.queries, world.corpus, AT, metric=faiss.METRIC_INNER_PRODUCT)[1]
    found = opened_.nearest(world.queries, AT)[0]
    return float(np.mean([len(set(f) & set(t)) / AT for f, t in zip(found.tolist(), truth.tolist(), strict=True)]))


def agreed(one: dict[int, list[int]], other: dict[int, list[int]]) -> float:
    """The share of queries with the same negatives."""
    return float(np.mean([set(rows) == set(other.get(n, [])) for n, rows in one.items()]))


def measure(size: str) -> Claim:
    """Everything, on vectors of this size."""
    queries, items, dim, times = SIZES[size]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        tuned = write(folder, queries, items, dim)
        world = opened(folder)
        near, building = kept(folder, world, tuned)
        miners: dict[str, Mining] = {
            PEERS[0]: peer(world, faiss=True),
            PEERS[1]: peer(world, faiss=False),
            OURS: partial(ours, world),
        }
        same = {name: agreed(miners[OURS](), miners[name]()) for name in PEERS}
        contestants: dict[str, Callable[[], object]] = {PRODUCT: partial(product, world), **miners}
        contestants[KEPT] = partial(ours, world, near.nearest)
        taken = side_by_side.alternating(contestants, times)
        grown = {name: apart(size, folder, name) for name in miners}
        found = recall(world, near)
    rows: list[Row] = [
        {
            "what": name,
            "wall s": median(all_).wall,
            "CPU s": median(all_).cpu,
            "MB": grown.get(name),
            "same negatives as exact": same.get(name),
        }
        for name, all_ in taken.items()
    ]
    over = 1 / side_by_side.ratio(taken[OURS], taken[PRODUCT])
    less = min(grown[name] for name in PEERS) / max(grown[OURS], 1)
    faster = side_by_side.ratio(taken[KEPT], taken[OURS])
    saved = (median(taken[OURS]).cpu - median(taken[KEPT]).cpu) / queries
    pays = f"from {building / saved:,.0f} queries on" if saved > 0 else "never"
    note = (
        f"Exact: {over:.2f} × the bare product, 1/{less:.1f} of the peer's memory. Kept index: {faster:.1f} × faster "
        f"than exact at recall@{AT} {found:.3f}; built in {building:.1f} s, which pays {pays}."
    )
    met = over <= 1.15 and less >= 3 and faster >= 5 and found >= 0.98 and min(same.values()) >= 0.99
    aim = "exact ≤ 1.15 × the bare product, ≤ 1/3 of the peer's memory; kept index ≥ 5 × exact at recall@40 ≥ 0.98"
    fastest = min(median(taken[name]).cpu for name in PEERS)
    limit = median(taken[PRODUCT]).cpu
    return Claim(median(taken[OURS]).cpu, fastest, "s CPU", over, aim, met, limit=limit, note=note, rows=rows)


def main() -> None:
    """Measure and tell."""
    given = side_by_side.arguments(__doc__)
    side_by_side.tell({"P2": measure(given.size)}, given.json)


if __name__ == "__main__":
    main()
