"""Annotators, and the pairs that they do not agree on."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import TypedDict

from label_configs.records import Judgment
from sync.dataset import Dataset
from sync.report.summary import Gold


class Annotator(TypedDict):
    """One annotator. grades: how often each was given. bias, spread: in grades, by the consensus.

    seconds: median for each judgment. gold: answers to hidden controls.
    """

    judgments: int
    grades: dict[str, int]
    bias: float | None
    spread: float | None
    seconds: float | None
    untouched: float
    gold: Gold | None


class Disagreement(TypedDict):
    """A pair that annotators grade differently: who gave what, where it came from, and the task it was shown in."""

    query_id: str
    doc_id: str
    query: str
    item: str
    grades: dict[str, int]
    grade: int
    confidence: float
    task_id: int
    notes: list[str]


def last_words(data: Dataset) -> list[Judgment]:
    """Every annotator's last grade of every pair."""
    last: dict[tuple[str, str, str], Judgment] = {}
    for j in sorted(data.by_people, key=lambda j: (j.updated_at, j.annotation_id)):
        if j.kind == "grade":
            last[j.query_id, j.doc_id, j.annotator] = j
    return [last[key] for key in sorted(last)]


def annotators(data: Dataset, given: Sequence[Judgment], gold: Mapping[str, Gold]) -> dict[str, Annotator]:
    """By annotator."""
    found: dict[str, list[Judgment]] = {}
    for j in given:
        found.setdefault(j.annotator, []).append(j)
    return {name: _annotator(name, of, data, gold.get(name)) for name, of in sorted(found.items())}


def disagreements(data: Dataset, given: Sequence[Judgment], most: int = 12) -> list[Disagreement]:
    """The pairs with the widest grades, the widest and least certain first."""
    votes: dict[tuple[str, str], list[Judgment]] = {}
    for j in given:
        votes.setdefault((j.query_id, j.doc_id), []).append(j)
    wide = {pair: spread for pair, of in votes.items() if (spread := _width(of)) > 1}
    relevance = {(r.query_id, r.doc_id): r for r in data.consensus.relevance if (r.query_id, r.doc_id) in wide}
    order = sorted(relevance, key=lambda pair: (-wide[pair], relevance[pair].confidence, pair))
    return [
        Disagreement(
            query_id=pair[0],
            doc_id=pair[1],
            query=query_said(data, pair[0]),
            item=item_said(data, pair[1]),
            grades={j.annotator: int(j.value) for j in votes[pair]},
            grade=relevance[pair].grade,
            confidence=relevance[pair].confidence,
            task_id=votes[pair][-1].task_id,
            notes=[j.note for j in votes[pair] if j.note],
        )
        for pair in order[:most]
    ]


def query_said(data: Dataset, query_id: str) -> str:
    """A query in words: its text, or what it is called."""
    query = data.queries[query_id]
    return query.text or query.title or query_id


def item_said(data: Dataset, doc_id: str) -> str:
    """An item in words."""
    item = data.items[doc_id]
    return item.title or item.text or doc_id


def _width(of: Sequence[Judgment]) -> int:
    values = [int(j.value) for j in of]
    return max(values) - min(values)


def _annotator(name: str, of: Sequence[Judgment], data: Dataset, gold: Gold | None) -> Annotator:
    shared: dict[int, list[Judgment]] = {}
    for j in of:
        if j.lead_time:
            shared.setdefault(j.annotation_id, []).append(j)
    seconds = [(rows[0].lead_time or 0.0) / len(rows) for rows in shared.values()]
    return Annotator(
        judgments=len(of),
        grades={str(value): sum(j.value == str(value) for j in of) for value in data.rules.values},
        bias=data.consensus.bias.get(name),
        spread=data.consensus.spread.get(name),
        seconds=round(median(seconds), 2) if seconds else None,
        untouched=round(sum(j.untouched for j in of) / len(of), 4),
        gold=gold,
    )
