"""Fusion of rankings by rank, never by raw score."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from label_configs.records import ScoredDoc, named_by

_K = 60


class Fused(NamedTuple):
    """A document with its fused score, and its rank in every ranking that names it: sources by rank, then by name."""

    doc_id: str
    score: float
    ranks: tuple[tuple[int, str], ...]

    @property
    def source(self) -> str:
        """The source that ranked it best."""
        return self.ranks[0][1]

    @property
    def reason(self) -> str:
        """Every source that named it, with the rank it gave, the best first."""
        return named_by(self.ranks)


def reciprocal_rank(rankings: Mapping[str, Sequence[ScoredDoc]]) -> list[Fused]:
    """Reciprocal rank fusion (Cormack et al., SIGIR 2009): the sum of 1 / (60 + rank), rank from 1; ties by doc_id."""
    ranks: dict[str, list[tuple[int, str]]] = {}
    for source, ranking in rankings.items():
        for rank, hit in enumerate(ranking, 1):
            ranks.setdefault(hit.doc_id, []).append((rank, source))
    fused = [
        Fused(d, sum(1 / (_K + rank) for rank, _ in sorted(named)), tuple(sorted(named))) for d, named in ranks.items()
    ]
    return sorted(fused, key=lambda hit: (-hit.score, hit.doc_id))
