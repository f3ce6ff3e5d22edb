"""From many annotators' grades to one relevance per query and item. `METHODS` names the ways; `sync.scale` has one more
that takes preferences and rankings as well.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from label_configs.errors import Mendable
from label_configs.records import Relevance
from label_configs.rules import Rules
from sync.consensus.base import Aggregator, Estimate
from sync.consensus.dawid_skene import dawid_skene
from sync.consensus.majority import majority
from sync.consensus.median import median
from sync.consensus.ordinal_dawid_skene import ordinal_dawid_skene
from sync.garbage import uncollected
from sync.votes import Floats, Given, Ints, Votes, grades

__all__ = ["METHODS", "Consensus", "Votes", "consensus", "estimate", "grades"]

DEFAULT = "ordinal-dawid-skene"
METHODS: Mapping[str, Aggregator] = {
    DEFAULT: ordinal_dawid_skene,
    "dawid-skene": dawid_skene,
    "majority": majority,
    "median": median,
}
"""Name, as in `[consensus] method`, to aggregator."""


@dataclass(frozen=True)
class Consensus:
    """relevance by pair, and what was learned of each annotator.

    bias and spread: in grades. slip: share of answers that have nothing to do with the pair, near 1 for spam.
    """

    relevance: tuple[Relevance, ...]
    bias: dict[str, float]
    spread: dict[str, float]
    slip: dict[str, float]


def consensus(given: Given, rules: Rules, method: str = DEFAULT, *, models: Collection[str] = ()) -> Consensus:
    """The relevance of every graded pair. A pure function: the same judgments and rules give the same answer.

    models: annotators that are no people; nothing of theirs is counted.
    """
    with uncollected():
        votes = grades(given, rules, models)
        found = estimate(votes, len(rules.values), method)
        reached = _relevance(votes, found, rules)
    return Consensus(reached, _named(votes, found.bias), _named(votes, found.spread), _named(votes, found.slip))


def estimate(votes: Votes, n_grades: int, method: str = DEFAULT) -> Estimate:
    """What the votes come to by one of METHODS, as columns. Mendable lists those there are."""
    if method not in METHODS:
        raise Mendable(f"There is no consensus method {method!r}.", mend=f"Take one of: {', '.join(METHODS)}.")
    if not votes.pairs:
        return Estimate(np.zeros((0, n_grades)))
    return METHODS[method](votes, n_grades)


def _relevance(votes: Votes, found: Estimate, rules: Rules) -> tuple[Relevance, ...]:
    return relevance(votes.pairs, found.posterior, np.bincount(votes.pair, minlength=len(votes.pairs)), rules)


def relevance(
    pairs: tuple[tuple[str, str], ...], posterior: Floats, answers: Ints, rules: Rules
) -> tuple[Relevance, ...]:
    """Records of what pairs come to: posterior of the grades, shape (pairs, grades), and the number of answers."""
    if not pairs:
        return ()
    best, chances = posterior.argmax(axis=1), np.round(posterior, 3)
    query_ids, doc_ids = zip(*pairs, strict=True)
    grades_, soft = np.array(rules.values)[best].tolist(), zip(*chances.T.tolist(), strict=True)
    confidence = chances[np.arange(len(pairs)), best].tolist()
    columns = zip(query_ids, doc_ids, grades_, soft, confidence, answers.tolist(), strict=True)
    return tuple(map(Relevance._make, columns))


def _named(votes: Votes, values: Floats | None) -> dict[str, float]:
    return {} if values is None else dict(zip(votes.annotators, np.round(values, 3).tolist(), strict=True))
