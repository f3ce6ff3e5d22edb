"""Places of items on a scale, from grades, preferences and rankings, alone or together."""

from collections.abc import Collection

import numpy as np

from label_configs.rules import Rules
from sync.consensus import Consensus, relevance
from sync.scale.answers import gather
from sync.scale.contradictions import Contradiction, contradictions
from sync.scale.fused import Scale, fuse, fused
from sync.votes import Floats, Given

__all__ = ["METHOD", "Contradiction", "Scale", "consensus", "contradictions", "fuse"]

METHOD = "fused"
"""Its name in `[consensus] method`."""


def consensus(given: Given, rules: Rules, models: Collection[str] = ()) -> Consensus:
    """The relevance of every item that anybody graded, compared or ranked: of the place that all answers give it."""
    answers = gather(given, rules, models)
    found, people = fused(answers), answers.people

    def named(values: Floats) -> dict[str, float]:
        return dict(zip(people.names, np.round(values, 3).tolist(), strict=True))

    reached = relevance(found.items, found.soft, found.answers, rules)
    return Consensus(reached, named(people.bias), named(people.spread), named(1.0 - people.weight))
