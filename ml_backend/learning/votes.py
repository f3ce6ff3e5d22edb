"""From judgments to what is learned: one row a judged pair of query and item, votes put together simply.

What teaches: grades (of an annotator the last word, of several their mean, and for the calibration their median), and,
for pairs without a grade, their mean place in rankings, preferences and choices. Where a judge decided, that grade
alone counts. What does not: answers submitted as they were prefilled, rankings whose order nobody confirmed, "can't
judge", flags and moments, answers of other rules without a mapping, and those of the models that `[consensus]` names.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from label_configs.forms import pairwise, ranking, selection
from label_configs.records import Candidate, Judgment, Pool
from label_configs.rules import CANT_JUDGE, Rules

Pair = tuple[str, str]
"""query_id and doc_id."""
Said = tuple[Pair, float]
"""A pair, and how good it is among those it was compared with: from 0 to 1."""


class Lesson(NamedTuple):
    """One judged pair with the score that it had in its pool.

    gain: how good people found it, on the scale of the grades. grade: as an index from the lowest, None where it has
    none or does not tell what a score means.
    """

    query_id: str
    doc_id: str
    score: float
    gain: float
    grade: int | None


class Votes(NamedTuple):
    """Mean gain of each pair, and the grade of those that were graded; untouched: answers that do not teach."""

    gains: Mapping[Pair, float]
    grades: Mapping[Pair, int]
    untouched: int


def votes(judgments: Sequence[Judgment], rules: Rules, verdicts: Sequence[Judgment] = ()) -> Votes:
    """Put the judgments together; those that stand, under these rules. verdicts: those of judges."""
    teaching = [j for j in judgments if not j.untouched and ranking.UNCHECKED not in j.flags]
    graded = _graded(teaching, rules) | _graded(verdicts, rules)
    lowest, highest = rules.values[0], rules.values[-1]
    compared: dict[Pair, list[float]] = {}
    for pair, share in _compared(teaching):
        compared.setdefault(pair, []).append(share)
    gains = {pair: lowest + fmean(sorted(shares)) * (highest - lowest) for pair, shares in compared.items()}
    gains |= {pair: fmean(rules.values[one] for one in found) for pair, found in graded.items()}
    medians = {pair: found[(len(found) - 1) // 2] for pair, found in graded.items()}
    return Votes(gains, medians, sum(j.untouched for j in judgments))


def lessons(given: Votes, judgments: Iterable[Judgment], pools: Mapping[str, Pool]) -> list[Lesson]:
    """What the votes teach of the pools that they were given on, by query_id and doc_id; of several pools the first."""
    shown: dict[Pair, tuple[int, str]] = {}
    for j in judgments:
        for doc_id in (j.doc_id, j.other_doc_id):
            here = (j.round, j.pool_id)
            if j.pool_id in pools and here < shown.get((j.query_id, doc_id), (j.round + 1, "")):
                shown[j.query_id, doc_id] = here
    candidates = {pool_id: {c.doc_id: c for c in pool.candidates} for pool_id, pool in pools.items()}
    found = []
    for (query_id, doc_id), gain in sorted(given.gains.items()):
        _, pool_id = shown.get((query_id, doc_id), (0, ""))
        candidate = candidates.get(pool_id, {}).get(doc_id)
        if candidate:
            grade = given.grades.get((query_id, doc_id)) if _tells(candidate, pools[pool_id]) else None
            found.append(Lesson(query_id, doc_id, candidate.score, gain, grade))
    return found


def _tells(candidate: Candidate, pool: Pool) -> bool:
    """Whether a candidate's grade tells what its score means.

    A control is in the pool because it is known to be right, however low its score: it tells only where its rank would
    have brought it there anyway.
    """
    return candidate.role != "control" or 0 < candidate.rank <= len(pool.candidates)


def _graded(judgments: Iterable[Judgment], rules: Rules) -> dict[Pair, list[int]]:
    """The annotators' grades of each pair, rising, as indices from the lowest."""
    index = {str(value): n for n, value in enumerate(rules.values)}
    last: dict[tuple[Pair, str], tuple[tuple[str, int], str]] = {}
    for j in judgments:
        if j.kind == "grade" or j.value == CANT_JUDGE:
            key, order = ((j.query_id, j.doc_id), j.annotator), (j.updated_at, j.annotation_id)
            if key not in last or last[key][0] < order:
                last[key] = order, j.value
    found: dict[Pair, list[int]] = {}
    for (pair, _), (_, value) in last.items():
        if value in index:
            found.setdefault(pair, []).append(index[value])
    return {pair: sorted(grades) for pair, grades in found.items()}


def _compared(judgments: Iterable[Judgment]) -> Iterator[Said]:
    lengths: dict[int, int] = {}
    rankings: list[Judgment] = []
    for j in judgments:
        here, other = (j.query_id, j.doc_id), (j.query_id, j.other_doc_id)
        if j.kind == "preference":
            won, lost = {pairwise.BETTER: (1.0, 0.0), pairwise.TIE: (0.5, 0.5)}.get(j.value, (0.0, 0.0))
            yield from ((here, won), (other, lost))
        elif j.kind == "choice":
            yield here, float(j.value == selection.BEST)
        elif j.kind == "ranking" and j.rank is not None:
            rankings.append(j)
            lengths[j.annotation_id] = max(lengths.get(j.annotation_id, 1), j.rank)
    for j in rankings:
        places = lengths[j.annotation_id] - 1
        yield (j.query_id, j.doc_id), 1 - ((j.rank or 1) - 1) / places if places else 0.5
