"""Agreement by what was asked and shown: a number for all may hide that one kind of query is a matter of taste."""

from collections.abc import Callable, Mapping

import numpy as np

from label_configs.records import Item, Query
from sync.agreement.krippendorff import Alpha, alpha_interval
from sync.votes import Votes

DIMENSIONS: Mapping[str, Callable[[Query, Item], str]] = {
    "modality": lambda query, item: item.modality,
    "direction": lambda query, item: f"{query.modality} → {item.modality}",
    "domain": lambda query, item: query.domain,
    "granularity": lambda query, item: query.granularity,
    "query type": lambda query, item: _type(query),
    "language": lambda query, item: query.lang,
}
"""Name to the slice that a pair belongs to; empty: to none."""
_KEYWORDS = 3
"""Words up to which a query names things, and says nothing of them."""


def _type(query: Query) -> str:
    """How a query is put: a medium as an example, or words that ask, describe, or name."""
    if query.modality != "text":
        return "example"
    words = query.text.split()
    if words and words[-1].endswith(("?", "？", "؟")):
        return "question"
    return "keywords" if len(words) <= _KEYWORDS else "description"


def sliced(
    votes: Votes, n_grades: int, queries: Mapping[str, Query], items: Mapping[str, Item]
) -> dict[str, dict[str, Alpha]]:
    """Ordinal alpha with its interval, by dimension and slice; slices in which no pair has two votes are left out."""
    found = {name: _by(of, votes, n_grades, queries, items) for name, of in DIMENSIONS.items()}
    return {name: slices for name, slices in found.items() if slices}


def _by(
    of: Callable[[Query, Item], str],
    votes: Votes,
    n_grades: int,
    queries: Mapping[str, Query],
    items: Mapping[str, Item],
) -> dict[str, Alpha]:
    labels = np.array([of(queries[q], items[d]) for q, d in votes.pairs] or [""])
    measured = {str(name): alpha_interval(votes.of(labels == name), n_grades) for name in np.unique(labels) if name}
    return {name: value for name, value in measured.items() if value is not None}
