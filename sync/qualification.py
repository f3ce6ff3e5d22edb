"""A project of gold tasks, and who passed it."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, TypedDict

from label_configs.records import Candidate, Pool
from label_configs.rules import CANT_JUDGE
from store.gold import FROM_FILE, PLANTED
from store.pools import Fitting
from store.settings import Quality
from sync import asking
from sync.dataset import Dataset
from sync.gold.annotators import Accuracy, accuracy
from sync.gold.answers import Answer, Maker, Pair, answers, expected_of, makers_of
from sync.gold.choice import rotated

State = Literal["passed", "failed", "not done"]
POSITIVE = "positive"
"""The kind of known positives: their grade is not known."""


class Missed(TypedDict):
    """A gold answer that was not right: what an annotator may be told afterwards. grade: None for "can't judge"."""

    query_id: str
    doc_id: str
    grade: int | None
    expected: list[int]


class Result(Accuracy):
    """How one annotator did. of: the answers that are wanted of them."""

    of: int
    state: State
    missed: list[Missed]


class Qualification(TypedDict):
    """A qualification as it stands. by pseudonym."""

    project: str
    tasks: int
    pass_mark: float
    annotators: dict[str, Result]


def known(data: Dataset, fits: Fitting) -> dict[Pair, Candidate]:
    """What can be asked: gold of the file, what was planted in pools, known positives; as the controls that they are.

    fits: what is of the project's modalities and domain.
    """
    found = {
        (q.query_id, doc_id): Candidate(doc_id=doc_id, source="known-positive", role="control", reason=POSITIVE)
        for q in data.queries.values()
        for doc_id in q.positives
    }
    planted = {pair: c for pair, c in data.candidates.items() if c.role == "control" and c.source == PLANTED}
    found |= {pair: Candidate(doc_id=pair[1], source=PLANTED, role="control", reason=PLANTED) for pair in planted}
    found |= {
        pair: Candidate(
            doc_id=pair[1], source=f"{FROM_FILE}{gold.origin}", role="control", reason=f"grade {gold.grade}"
        )
        for pair, gold in data.gold.items()
    }
    return {pair: c for pair, c in sorted(found.items()) if fits(*pair)}


def pools(there: Mapping[Pair, Candidate], earlier: Collection[Pool], quality: Quality, seed: int = 0) -> list[Pool]:
    """The pools that are missing: as many pairs as tasks are wanted, balanced over what is known of them."""
    already = asking.asked(earlier)
    fresh = {pair: c.reason for pair, c in there.items() if pair not in already}
    chosen = rotated(fresh, Counter(), max(0, quality.tasks - len(already)), seed)
    return asking.pools({pair: there[pair] for pair in chosen}, earlier, seed)


def results(data: Dataset, elsewhere: Sequence[Dataset], pass_mark: float) -> dict[str, Result]:
    """By pseudonym, everybody who answered, without programs. "Can't judge" is an answer that is not right: here it can
    be told.

    elsewhere: the projects whose judgments may have made the gold: who voted on a pair there is not measured by it.
    """
    makers = {maker for other in elsewhere for maker in makers_of(other.by_people, other.pools)}
    given = answers(data.by_people, data.pools, data.gold, data.rules, makers)
    asked = {pair: expected for pair, expected in _asked(data).items() if expected}
    excused = _excused(makers, data)
    found = {}
    for who in sorted({j.annotator for j in data.by_people if j.annotator}):
        wanted = {pair: expected for pair, expected in asked.items() if (who, *pair) not in excused}
        own = {(a.query_id, a.doc_id): a for a in given if a.annotator == who}
        doubts = {(j.query_id, j.doc_id) for j in data.by_people if j.annotator == who and j.value == CANT_JUDGE}
        through = [pair for pair in wanted if pair in own or pair in doubts]
        right = [pair for pair in through if pair in own and own[pair].right]
        measured, missed = accuracy(len(right), len(through)), [pair for pair in through if pair not in right]
        found[who] = Result(
            **measured,
            of=len(wanted),
            state=_state(measured, len(wanted), pass_mark),
            missed=[_missed(pair, own.get(pair), wanted[pair]) for pair in missed],
        )
    return found


def _asked(data: Dataset) -> dict[Pair, frozenset[int]]:
    """What the project asks, and the grades that are expected; without what the corpus has lost."""
    shown = {(pool.query_id, c.doc_id): c for pool in data.pools for c in pool.candidates}
    there = {pair: c for pair, c in shown.items() if pair[0] in data.queries and pair[1] in data.items}
    return {pair: expected_of(c, data.gold.get(pair), data.rules) for pair, c in sorted(there.items())}


def _excused(makers: Iterable[Maker], data: Dataset) -> set[Maker]:
    """Who helped to make gold of which pair."""
    by_consensus = {pair for pair, gold in data.gold.items() if gold.origin == "consensus"}
    return {maker for maker in makers if maker[1:] in by_consensus}


def _missed(pair: Pair, answer: Answer | None, expected: frozenset[int]) -> Missed:
    grade = answer.grade if answer else None
    return Missed(query_id=pair[0], doc_id=pair[1], grade=grade, expected=sorted(expected))


def _state(measured: Accuracy, of: int, pass_mark: float) -> State:
    if measured["answers"] < of or measured["accuracy"] is None:
        return "not done"
    return "passed" if measured["accuracy"] >= pass_mark else "failed"
