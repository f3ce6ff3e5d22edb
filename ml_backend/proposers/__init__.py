"""Proposers: independent opinions on which items might answer a query. One file each, one line in the dict.

A pool of one proposer measures that proposer; the default takes four that differ, and draws from the rest at random.
"""

from collections.abc import Callable, Mapping, Sequence

from label_configs.errors import Mendable
from label_configs.records import ScoredDoc
from ml_backend.proposers import dense, lexical, neighbours, siblings, stratum
from ml_backend.proposers.request import Request

Proposer = Callable[[Request, int], Mapping[str, list[ScoredDoc]]]
"""A request and how far to reach, to ranked documents by source name."""

PROPOSERS: Mapping[str, Proposer] = {
    "dense": dense.propose,
    "neighbours": neighbours.propose,
    "lexical": lexical.propose,
    "siblings": siblings.propose,
    "random": stratum.propose,
}


def chosen(names: Sequence[str]) -> list[Proposer]:
    """The proposers of these names, to be fused; Mendable lists those there are."""
    ranked = [name for name in PROPOSERS if name != "random"]
    unknown = [repr(name) for name in names if name not in ranked]
    if unknown:
        raise Mendable(
            f"There is no proposer {', '.join(unknown)} that could be fused.",
            why="A random draw has no order to fuse: `random = N` says how many are drawn."
            if "random" in names
            else "",
            mend=f"Take some of: {', '.join(ranked)}, as `proposers` under [pool] in settings.toml.",
        )
    return [PROPOSERS[name] for name in names]
