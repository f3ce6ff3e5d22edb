"""What others would do with the same data: mined negatives that nobody judged, and the vote of the majority."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from label_configs.records import Judgment
from ls_retrieval.simulation.world import World, ask, doc


def mined(world: World, encoder: str = "ash", number: int = 5) -> list[tuple[str, str]]:
    """Negatives by the rule of `mine_hard_negatives(relative_margin=0.05)`; by itself where it is installed."""
    try:
        return _theirs(world, encoder, number)
    except ImportError:
        return _ours(world, encoder, number)


def majority(judgments: Sequence[Judgment]) -> dict[tuple[str, str], int]:
    """The commonest grade of every pair, of several the middle one."""
    votes: dict[tuple[str, str], list[int]] = {}
    for j in judgments:
        votes.setdefault((j.query_id, j.doc_id), []).append(int(j.value))
    found = {}
    for pair, of in votes.items():
        counts = Counter(of)
        most = sorted(grade for grade, count in counts.items() if count == max(counts.values()))
        found[pair] = most[len(most) // 2]
    return found


def depth_k(world: World, encoders: Sequence[str], judgments: int) -> float:
    """The share of the relevant items that is in the deepest pool of the first k of each encoder within a budget."""
    orders, found = [np.argsort(-world.scores(name), axis=1) for name in encoders], 0.0
    for depth in range(1, judgments):
        held = np.zeros(world.grades.shape, dtype=bool)
        for order in orders:
            np.put_along_axis(held, order[:, :depth], True, axis=1)
        if held.sum() > judgments:
            break
        found = float((held & (world.grades > 1)).sum() / (world.grades > 1).sum())
    return found


def _ours(world: World, encoder: str, number: int) -> list[tuple[str, str]]:
    from ml_backend.negatives.mining import mine
    from store.settings import Negatives

    documents, queries = world.vectors[encoder]
    rule = Negatives(range_max=None, relative_margin=0.05, num_negatives=number)
    found = mine(queries, documents, [{d: 3} for d in world.known], rule)
    return [(ask(q), doc(row)) for q, one in enumerate(found) for row in one.negatives]


def _theirs(world: World, encoder: str, number: int) -> list[tuple[str, str]]:
    from datasets import Dataset
    from sentence_transformers.util import mine_hard_negatives

    documents, queries = world.vectors[encoder]
    known = [doc(d) for d in world.known]
    pairs = Dataset.from_dict({"query": [ask(n) for n in range(len(queries))], "positive": known})
    given = {**{ask(n): v for n, v in enumerate(queries)}, **{doc(n): v for n, v in enumerate(documents)}}
    options = {"relative_margin": 0.05, "num_negatives": number, "sampling_strategy": "top", "verbose": False}
    found = mine_hard_negatives(pairs, _Given(given), corpus=list(world.items), **options)  # type: ignore[arg-type]
    return [(str(row["query"]), str(row["negative"])) for row in found]


class _Given:
    """What `mine_hard_negatives` needs of a model, with vectors that are given."""

    device = "cpu"

    def __init__(self, vectors: dict[str, np.ndarray]) -> None:  # type: ignore[type-arg]
        self._vectors = vectors

    def encode_query(self, texts: list[str], **_: object) -> np.ndarray:  # type: ignore[type-arg]
        return np.stack([self._vectors[text] for text in texts])

    encode_document = encode_query

    def similarity(self, a: object, b: object) -> object:
        import torch

        return torch.as_tensor(a) @ torch.as_tensor(b).T

    def similarity_pairwise(self, a: object, b: object) -> object:
        import torch

        return (torch.as_tensor(a) * torch.as_tensor(b)).sum(-1)
