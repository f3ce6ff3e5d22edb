"""Proposers: independent opinions on which items might answer a query. One file each, one line in the dict.

A pool of one proposer measures that proposer; the default takes three that differ.
"""

from collections.abc import Callable, Mapping, Sequence

from label_configs.errors import Mendable
from label_configs.records import ScoredDoc
from ml_backend.proposers import dense, lexical, neighbours
from ml_backend.proposers.request import Request

Proposer = Callable[[Request, int], Mapping[str, list[ScoredDoc]]]
"""A request and how far to reach, to ranked documents by source name."""

PROPOSERS: Mapping[str, Proposer] = {
    "dense": dense.propose,
    "neighbours": neighbours.propose,
    "lexical": lexical.propose,
}


def chosen(names: Sequence[str]) -> list[Proposer]:
    """The proposers of these names; Mendable lists those there are."""
    unknown = [repr(name) for name in names if name not in PROPOSERS]
    if unknown:
        raise Mendable(
            f"There is no proposer {', '.join(unknown)}.",
            mend=f"Take some of: {', '.join(PROPOSERS)}, as `proposers` under [pool] in settings.toml.",
        )
    return [PROPOSERS[name] for name in names]
