"""What the data are worth, as numbers that gates and people read."""

from typing import TypedDict

from store.mappings import Mapped
from sync import evaluation, splits
from sync.agreement import alpha
from sync.completeness.audit import missed
from sync.dataset import Dataset
from sync.recheck import Precision, precision


class Gold(TypedDict):
    """Answers to hidden controls: how many, and how many were right."""

    answers: int
    right: int


class Summary(TypedDict):
    """The figures of a project. Shares from 0 to 1; None where there is nothing to measure.

    judgments: grades by people. mined: hard negatives that were judged; mined_positive: of them those that people
    found positive, mined_negative those confirmed negative. coverage: share of the pools' candidates that were judged.
    false_negative_bound: at most so many of the items that were not shown are relevant, by the audit, at 95 %.
    leaks: by split, judged pairs left out of its rows because the item answers a query of a later split.
    unsure: negatives that stay out of training since the consensus is not sure enough. precision: of what is exported,
    by a sample that was judged once more. mapped: judgments of earlier rules, and how their grades were read.
    """

    queries: int
    candidates: int
    judged: int
    judgments: int
    annotators: int
    alpha: float | None
    gold_accuracy: float | None
    ndcg10: float | None
    judged10: float | None
    coverage: float | None
    mined: int
    mined_positive: int
    mined_negative: int
    unsure: int
    untouched: float | None
    false_negative_bound: float | None
    leaks: dict[str, int]
    sources: dict[str, dict[str, int]]
    gold: dict[str, Gold]
    bias: dict[str, float]
    precision: dict[str, Precision]
    mapped: list[Mapped]


def summary(data: Dataset) -> Summary:
    """All figures of a data set."""
    given = [j for j in data.by_people if j.kind == "grade"]
    gold = _gold(data)
    answers, right = sum(g["answers"] for g in gold.values()), sum(g["right"] for g in gold.values())
    sources = _sources(data)
    graded = {(q.query_id, q.doc_id): q.relevance in data.rules.positive for q in data.qrels}
    mined = [s for name, s in sources.items() if name.startswith("hard_negative:")]
    return Summary(
        queries=len({pool.query_id for pool in data.pools}),
        candidates=len(data.candidates),
        judged=len(data.qrels),
        judgments=len(given),
        annotators=len({j.annotator for j in given}),
        alpha=_rounded(alpha(data.votes, len(data.rules.grades))),
        gold_accuracy=_rounded(right / answers if answers else None),
        ndcg10=_rounded(evaluation.ndcg(data.qrels, data.run)),
        judged10=_rounded(evaluation.judged(data.qrels, data.run)),
        coverage=round(len(data.qrels) / len(data.candidates), 4) if data.candidates else None,
        mined=sum(s["judged"] for s in mined),
        mined_positive=sum(s["positive"] for s in mined),
        mined_negative=sum(s["negative"] for s in mined),
        unsure=len(data.unsure),
        untouched=_untouched(data),
        false_negative_bound=missed(data.pools, graded)["share_most"],
        leaks=splits.counted(data.leaks),
        sources=sources,
        gold=gold,
        bias=data.consensus.bias,
        precision=precision(data),
        mapped=list(data.mapped),
    )


def _untouched(data: Dataset) -> float | None:
    """Of all grades but those of named models: who only sends predictions off is what is looked for here."""
    given = [
        j.untouched for j in data.judgments if j.kind == "grade" and j.annotator not in data.settings.consensus.models
    ]
    return round(sum(given) / len(given), 4) if given else None


def _sources(data: Dataset) -> dict[str, dict[str, int]]:
    """By role and source: candidates judged, and how many the consensus calls positive and negative."""
    found: dict[str, dict[str, int]] = {}
    for qrel in data.qrels:
        shown = data.candidates.get((qrel.query_id, qrel.doc_id))
        if shown:
            counts = found.setdefault(f"{shown.role}:{shown.source}", {"judged": 0, "positive": 0, "negative": 0})
            counts["judged"] += 1
            counts["positive"] += qrel.relevance in data.rules.positive
            counts["negative"] += qrel.relevance in data.rules.negative
    return dict(sorted(found.items()))


def _gold(data: Dataset) -> dict[str, Gold]:
    """By annotator."""
    found: dict[str, Gold] = {}
    for answer in data.answers:
        gold = found.setdefault(answer.annotator, {"answers": 0, "right": 0})
        gold["answers"] += 1
        gold["right"] += answer.right
    return dict(sorted(found.items()))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
