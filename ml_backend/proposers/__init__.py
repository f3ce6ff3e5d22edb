"""Proposers: independent opinions on which items might answer a query. One file each, one line in the dict.

A pool of one proposer measures that proposer; the default takes three that differ.
"""

from collections.abc import Callable, Mapping

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
