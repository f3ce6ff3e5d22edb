"""What a pool may have missed: draws from what was ranked and is not shown, so that the rest can be estimated.

The strata do not overlap: `audit:near` up to twice the depth of the pool, `audit:beyond` further down. What no proposer
named is the third, of which `random` is drawn.
"""

import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from label_configs.records import Candidate, Role


class Strata(NamedTuple):
    """What was ranked and is not shown, with its ranks: near the cut, and beyond."""

    near: list[tuple[int, str]]
    beyond: list[tuple[int, str]]


def strata(rest: Sequence[str], ranks: Mapping[str, int], edge: int) -> Strata:
    """The strata of what is not shown. edge: the last rank of the stratum near the cut."""
    placed = [(ranks[doc_id], doc_id) for doc_id in rest]
    return Strata([p for p in placed if p[0] <= edge], [p for p in placed if p[0] > edge])


def draw(of: Strata, near: int, beyond: int, seeded: random.Random) -> list[Candidate]:
    """Draw `near` and `beyond` of the strata; what one of them lacks is drawn from the other."""
    from_beyond = min(near + beyond - min(near, len(of.near)), len(of.beyond))
    from_near = min(near + beyond - from_beyond, len(of.near))
    return [*_drawn(of.near, from_near, "audit:near", seeded), *_drawn(of.beyond, from_beyond, "audit:beyond", seeded)]


def weighed(drawn: Sequence[str], of: int, source: str, role: Role, which: str) -> list[Candidate]:
    """What was drawn evenly, with what its weight is made of: each stands for of / drawn items."""
    count, reason = len(drawn), f"{len(drawn)} of {of} {which}"
    return [
        Candidate(doc_id=doc_id, source=source, role=role, reason=reason, drawn=count, drawn_from=of)
        for doc_id in drawn
    ]


def _drawn(stratum: list[tuple[int, str]], wanted: int, source: str, seeded: random.Random) -> list[Candidate]:
    if not wanted:
        return []
    drawn = [doc_id for _, doc_id in seeded.sample(stratum, wanted)]
    return weighed(drawn, len(stratum), source, "audit", f"ranked {stratum[0][0]} to {stratum[-1][0]}")
