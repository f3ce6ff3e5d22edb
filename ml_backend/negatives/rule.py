"""Which items may serve as hard negatives: the rules of sentence-transformers' `mine_hard_negatives`, on scores alone.

The relative margin is that of NV-Retriever (arXiv 2407.15831), as a share of the positive's magnitude.
"""

import random
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from store.settings import Negatives

Verdict = Literal["keep", "discard", "drop"]
"""May serve; only a margin forbids it, so that it may be a positive that nobody knows; outside of what is asked for."""


def verdicts(scores: ArrayLike, positive: ArrayLike, rule: Negatives) -> NDArray[np.str_]:
    """What the rule says of each item: a Verdict each.

    scores: their similarities to the query. positive: that of the known positive, of several the lowest; nan for none,
    then there is no margin. A negative scores at most max_score, at least min_score, and at most positive -
    absolute_margin and positive - |positive| · relative_margin.
    """
    score, known = np.asarray(scores, dtype=np.float64), np.asarray(positive, dtype=np.float64)
    outside, near = np.zeros(score.shape, dtype=bool), np.zeros(score.shape, dtype=bool)
    if rule.max_score is not None:
        outside |= score > rule.max_score
    if rule.min_score is not None:
        outside |= score < rule.min_score
    if rule.absolute_margin is not None:
        near |= score + rule.absolute_margin > known
    if rule.relative_margin is not None:
        near |= score > known - abs(known) * rule.relative_margin
    return np.where(outside, "drop", np.where(near, "discard", "keep"))


def window(rule: Negatives, positives: int) -> int:
    """How many ranks are looked at: range_max, or what follows from num_negatives.

    positives: how many known positives a query has, at most.
    """
    if rule.range_max is not None:
        return rule.range_max
    limits = (rule.absolute_margin, rule.relative_margin, rule.max_score)
    spare = 1 if all(limit is None for limit in limits) else 10
    return rule.range_min + rule.num_negatives * spare + positives


def in_range(allowed: Sequence[int], rule: Negatives, ranks: int) -> list[int]:
    """Of the places that margins and limits leave, in their order, those from range_min to where `window` ends."""
    return list(allowed[rule.range_min : ranks])


def pick(eligible: Sequence[int], rule: Negatives, seeded: random.Random) -> list[int]:
    """At most num_negatives of the places, in their order: the first, or drawn evenly."""
    if rule.sampling_strategy == "top":
        return list(eligible[: rule.num_negatives])
    options = max(len(eligible), rule.num_negatives)
    return [eligible[n] for n in sorted(seeded.sample(range(options), rule.num_negatives)) if n < len(eligible)]
