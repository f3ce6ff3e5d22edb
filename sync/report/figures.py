"""Everything that the report says, as JSON takes it."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import TypedDict

import numpy as np

from label_configs.records import Judgment, Qrel
from sync import bias, completeness, evaluation
from sync.agreement import Agreement, agreement
from sync.dataset import Dataset
from sync.present import assisted
from sync.report import hard, people
from sync.report.summary import Summary, summary
from sync.scale import Contradiction, contradictions

Pair = tuple[str, str]
_FEW = 100
"""Answers from which the place on the screen is looked at."""


class Progress(TypedDict):
    """Grades given of those wanted: as many votes as the project wants for every candidate. days: grades up to each."""

    wanted: int
    given: int
    days: dict[str, int]


class Effects(TypedDict):
    """What moves answers beside relevance. ndcg10_as_judged, ndcg10_corrected: the pre-ranking's, by expected grades
    as they were given and as if all had been shown in the middle of the screen.
    """

    position: bias.Position | None
    ndcg10_as_judged: float | None
    ndcg10_corrected: float | None
    anchoring: bias.Anchoring
    sides: bias.Sides
    priming: bias.Priming
    pace: list[bias.Pace]


class Report(Summary):
    """A summary, and what is behind it. together: how often two votes on a pair were this and that grade.

    grades: pairs by consensus. ranks: relevant items by their rank in the pre-ranking, 0 for those outside of it.
    coverage_of: by query, the share of its candidates that is judged. contradictions: where items were ordered too.
    """

    project: str
    project_id: int
    rules: str
    state: str
    grades: dict[str, int]
    votes: dict[str, int]
    together: list[list[float]]
    agreement: Agreement
    annotated: dict[str, people.Annotator]
    progress: Progress
    coverage_of: dict[str, float]
    ranks: dict[int, int]
    ambiguity: list[completeness.Ambiguity]
    missed: completeness.Missed
    hard_negatives: dict[str, completeness.Yield]
    proposers: dict[str, completeness.Proposer]
    circular: completeness.Circular
    why: list[completeness.Why]
    effects: Effects
    confirmations: list[hard.Confirmation]
    disagreements: list[people.Disagreement]
    contradictions: list[Contradiction]


def report(data: Dataset) -> Report:
    """All figures of a data set."""
    figures, given = summary(data), people.last_words(data)
    graded = {(q.query_id, q.doc_id): q.relevance for q in data.qrels}
    good = data.rules.positive
    return Report(
        **figures,
        project=data.name,
        project_id=data.settings.projects[data.name].id,
        rules=data.rules.hash,
        state=data.state.judgments,
        grades={str(value): sum(g == value for g in graded.values()) for value in data.rules.values},
        votes={str(value): sum(j.value == str(value) for j in given) for value in data.rules.values},
        together=_together(data, given),
        agreement=agreement(data.by_people, data.rules, data.queries, data.items),
        annotated=people.annotators(data, given, figures["gold"]),
        progress=_progress(data, given),
        coverage_of=_coverage(data, graded.keys()),
        ranks=_ranks(data),
        ambiguity=completeness.ambiguity(data.consensus.relevance, data.by_people, data.rules),
        missed=completeness.missed(data.pools, {pair: grade in good for pair, grade in graded.items()}),
        hard_negatives=completeness.yields(data.candidates, graded, good, data.rules.negative),
        proposers=completeness.proposers(data.candidates, data.qrels, data.run, good),
        circular=completeness.circular(data.run, data.candidates, data.qrels, good),
        why=completeness.why(data.said, graded, data.candidates, good),
        effects=_effects(data),
        confirmations=hard.confirmations(data),
        disagreements=people.disagreements(data, given),
        contradictions=_contradictions(data),
    )


def corrected(data: Dataset) -> list[tuple[Qrel, float, float]]:
    """Every graded pair with its expected grade as it was given, and as if shown in the middle of the screen."""
    of, readers, found = _seen(data), bias.readers(data.consensus), _position(data)
    slope, middle = (found["applied"], found["middle"]) if found else (0.0, 0.0)
    before, after = (bias.corrected(of, data.rules, readers, one, middle) for one in (0.0, slope))
    values = np.array(data.rules.values, dtype=float)
    return [
        (Qrel(b.query_id, b.doc_id, b.grade), round(float(values @ b.soft), 3), round(float(values @ a.soft), 3))
        for b, a in zip(before, after, strict=True)
    ]


def _effects(data: Dataset) -> Effects:
    helped = _assisted(data)
    both = corrected(data)
    return Effects(
        position=_position(data),
        ndcg10_as_judged=_ndcg(data, [(q, before) for q, before, _ in both]),
        ndcg10_corrected=_ndcg(data, [(q, after) for q, _, after in both]),
        anchoring=bias.anchoring(data.qrels, data.run, helped),
        sides=bias.sides(data.by_people),
        priming=bias.priming(data.by_people, helped),
        pace=bias.pace(data.by_people, helped),
    )


def _ndcg(data: Dataset, expected: Sequence[tuple[Qrel, float]]) -> float | None:
    """nDCG@10 of the pre-ranking by expected grades: thousandths as gains, for the measure takes whole numbers."""
    qrels = [Qrel(q.query_id, q.doc_id, round(1000 * value)) for q, value in expected]
    value = evaluation.ndcg(qrels, data.run)
    return None if value is None else round(value, 4)


def _assisted(data: Dataset) -> frozenset[str]:
    project = data.settings.projects[data.name]
    return frozenset(query_id for query_id in data.queries if assisted(project, query_id))


def _position(data: Dataset) -> bias.Position | None:
    """None of fewer answers than `_FEW`: a screen or two show the order of their items alone."""
    found = bias.position(_seen(data), data.rules, bias.readers(data.consensus))
    return found if found and sum(place["answers"] for place in found["places"]) >= _FEW else None


def _seen(data: Dataset) -> bias.Seen:
    scores = {pair: c.score for pair, c in data.candidates.items()}
    return bias.seen(data.by_people, data.rules, scores, _assisted(data))


def _together(data: Dataset, given: Sequence[Judgment]) -> list[list[float]]:
    """Krippendorff's coincidences: each pair with n votes counts n."""
    place = {str(value): n for n, value in enumerate(data.rules.values)}
    votes: dict[Pair, Counter[int]] = {}
    for j in given:
        votes.setdefault((j.query_id, j.doc_id), Counter())[place[j.value]] += 1
    found = np.zeros((len(place), len(place)))
    for of in votes.values():
        if of.total() > 1:
            counts = np.array([of[n] for n in range(len(place))], dtype=float)
            found += (np.outer(counts, counts) - np.diag(counts)) / (of.total() - 1)
    return [[round(float(value), 2) for value in row] for row in found]


def _contradictions(data: Dataset, most: int = 12) -> list[Contradiction]:
    """The answers that fit the others least, where items were put in order too; grades alone are `disagreements`."""
    given = [*data.by_people, *data.beside]
    ordered = any(j.kind in {"preference", "ranking", "choice"} for j in given)
    return contradictions(given, data.rules, data.settings.consensus.models, most=most) if ordered else []


def _progress(data: Dataset, given: Sequence[Judgment]) -> Progress:
    wanted = len(data.candidates) * data.settings.projects[data.name].votes
    by_day, total, days = Counter(j.updated_at[:10] for j in given), 0, {}
    for day in sorted(by_day):
        total += by_day[day]
        days[day] = total
    return Progress(wanted=wanted, given=len(given), days=days)


def _coverage(data: Dataset, graded: Collection[Pair]) -> dict[str, float]:
    shown: dict[str, list[bool]] = {}
    for pair in data.candidates:
        shown.setdefault(pair[0], []).append(pair in graded)
    return {query_id: round(sum(of) / len(of), 4) for query_id, of in sorted(shown.items())}


def _ranks(data: Dataset) -> dict[int, int]:
    ranks = (data.candidates.get((q.query_id, q.doc_id)) for q in data.qrels if q.relevance in data.rules.positive)
    return dict(sorted(Counter(c.rank for c in ranks if c).items()))
