"""How ambiguous each query turned out to be, by what people said of it; what models made of it sets a pool's depth."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from math import log
from statistics import fmean
from typing import TypedDict

from label_configs.records import Judgment, Relevance
from label_configs.rules import Rules


class Ambiguity(TypedDict):
    """One query.

    apart: mean entropy of what its judged pairs may be graded as, as a share of the highest there is. flagged: the
    share of those who answered it that raised one of the rules' flags. score: 1 − (1 − apart) · (1 − flagged), from 0
    to 1. relevant: its positives.
    """

    query_id: str
    score: float
    apart: float
    flagged: float
    relevant: int


def ambiguity(relevance: Iterable[Relevance], judgments: Iterable[Judgment], rules: Rules) -> list[Ambiguity]:
    """Every judged query, the most ambiguous first. judgments: those of people."""
    pairs: dict[str, list[Relevance]] = defaultdict(list)
    for r in relevance:
        pairs[r.query_id].append(r)
    answered: dict[str, set[str]] = defaultdict(set)
    flagged: dict[str, set[str]] = defaultdict(set)
    for j in judgments:
        answered[j.query_id].add(j.annotator)
        if j.kind == "flag" and j.value in rules.flags:
            flagged[j.query_id].add(j.annotator)
    found = [
        _of(query_id, pairs[query_id], len(flagged[query_id]) / max(len(answered[query_id]), 1), rules)
        for query_id in sorted(pairs.keys() | flagged.keys())
    ]
    return sorted(found, key=lambda one: -one["score"])


def _of(query_id: str, pairs: Sequence[Relevance], flagged: float, rules: Rules) -> Ambiguity:
    apart = fmean(_entropy(r.soft) for r in pairs) if pairs else 0.0
    return Ambiguity(
        query_id=query_id,
        score=round(1 - (1 - apart) * (1 - flagged), 3),
        apart=round(apart, 3),
        flagged=round(flagged, 3),
        relevant=sum(r.grade in rules.positive for r in pairs),
    )


def _entropy(chances: Sequence[float]) -> float:
    """From 0, one grade for sure, to 1, all as likely."""
    return -sum(p * log(p) for p in chances if p > 0) / log(len(chances))
