"""Precision of what is exported: a random sample of it, judged once more by somebody who had no part in it.

The sample of a side are its pairs with the smallest hashes. That is a simple random sample of whatever is exported, and
what is exported later only adds to it or takes from it (permanent random numbers: Ohlsson 1995), so that an answer is
never asked for in vain. The answers go into no consensus: a sample that is mended where it was looked at says nothing
of the rest.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypedDict

from label_configs.records import Judgment, digest
from label_configs.rules import CANT_JUDGE
from sync.completeness.bounds import Interval, interval
from sync.dataset import Dataset
from sync.gold.answers import Maker, Pair

Side = Literal["positive", "negative"]


class Precision(TypedDict):
    """One part of what is exported. sampled: pairs drawn as far as somebody judged; waiting: of these, not judged yet.

    own: of the waiting, those judged by nobody but who made them, which does not count. right: judged to be on the side
    that they are exported on; opposite: on the other one; unsure: "can't judge". What is on neither side is not right.
    precision, opposed: shares of right and of opposite ones among the judged, with Clopper and Pearson's 95 % interval.
    """

    exported: int
    sampled: int
    waiting: int
    own: int
    judged: int
    right: int
    opposite: int
    unsure: int
    precision: Interval | None
    opposed: Interval | None


def exported(data: Dataset) -> dict[Pair, Side]:
    """The pairs that may reach training as positives and as negatives."""
    rows = [r for of in data.trainable.values() for r in of]
    sides: Mapping[Side, frozenset[int]] = {"positive": data.rules.positive, "negative": data.rules.negative}
    return {(r.query_id, r.doc_id): side for r in rows for side, grades in sides.items() if r.grade in grades}


def sample(there: Mapping[Pair, Side], size: int) -> dict[Pair, Side]:
    """So many pairs of each side."""
    ordered = sorted(there, key=_place)
    chosen = [pair for side in ("positive", "negative") for pair in [p for p in ordered if there[p] == side][:size]]
    return {pair: there[pair] for pair in chosen}


def precision(data: Dataset) -> dict[str, Precision]:
    """Of positives, of negatives, and of the negatives that were mined; nothing where nothing was judged again."""
    if not data.rechecked:
        return {}
    there, said = exported(data), _independent(data.rechecked, [*data.judgments, *data.verdicts])
    mined = [pair for pair, c in data.candidates.items() if c.role == "hard_negative"]
    parts: Mapping[str, Iterable[Pair]] = {
        "positives": [pair for pair, side in there.items() if side == "positive"],
        "negatives": [pair for pair, side in there.items() if side == "negative"],
        "mined negatives": [pair for pair in mined if there.get(pair) == "negative"],
    }
    tried = {(j.query_id, j.doc_id) for j in data.rechecked}
    return {name: _part(sorted(of, key=_place), there, said, tried, data) for name, of in parts.items()}


def _part(
    ordered: Sequence[Pair], there: Mapping[Pair, Side], said: Mapping[Pair, str], tried: set[Pair], data: Dataset
) -> Precision:
    """ordered: the exported pairs of one part, as they are drawn."""
    drawn = ordered[: max((n for n, pair in enumerate(ordered, 1) if pair in said), default=0)]
    judged = [pair for pair in drawn if pair in said]
    grades = {"positive": data.rules.positive, "negative": data.rules.negative}
    sides = [{side for side, of in grades.items() if said[p] != CANT_JUDGE and int(said[p]) in of} for p in judged]
    right = sum(there[pair] in side for pair, side in zip(judged, sides, strict=True))
    opposite = sum(bool(side - {there[pair]}) for pair, side in zip(judged, sides, strict=True))
    return Precision(
        exported=len(ordered),
        sampled=len(drawn),
        waiting=len(drawn) - len(judged),
        own=sum(pair in tried and pair not in said for pair in drawn),
        judged=len(judged),
        right=right,
        opposite=opposite,
        unsure=sum(said[pair] == CANT_JUDGE for pair in judged),
        precision=interval(right, len(judged)),
        opposed=interval(opposite, len(judged)),
    )


def _independent(rechecked: Iterable[Judgment], judgments: Iterable[Judgment]) -> dict[Pair, str]:
    """What was said of each pair by somebody who had not graded it before; of several answers the latest."""
    makers: set[Maker] = {(j.annotator, j.query_id, j.doc_id) for j in judgments if j.kind == "grade"}
    found = {}
    for j in sorted(rechecked, key=lambda j: (j.updated_at, j.annotation_id)):
        given = j.kind == "grade" or j.value == CANT_JUDGE
        if given and (j.annotator, j.query_id, j.doc_id) not in makers:
            found[j.query_id, j.doc_id] = j.value
    return found


def _place(pair: Pair) -> str:
    """Where a pair stands in the order in which pairs are drawn: it has nothing to do with what is known of it."""
    return digest("recheck", *pair)
