"""Annotators by their answers to gold and by how they work: accuracy with an interval, by domain, and flags."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import log10, sqrt
from statistics import median
from typing import Literal, NamedTuple, TypedDict, TypeVar

from label_configs.records import Judgment, Query
from label_configs.rules import Rules
from store.settings import Quality
from sync.gold.answers import Answer
from sync.gold.careless import careless

One = TypeVar("One", Judgment, Answer)
Flag = Literal["spam", "fast", "untouched"]
_Z = 1.959963984540054  # 95 %, two-sided


class Accuracy(TypedDict):
    """Answers to gold, those that are right, and their share with Wilson's 95 % interval; None without answers."""

    answers: int
    right: int
    accuracy: float | None
    low: float
    high: float


class OfDomain(Accuracy):
    """The same within a domain. confusion: expected grades to the grade that was given to how often."""

    confusion: dict[str, dict[str, int]]


class Annotator(Accuracy):
    """All that is told of one annotator.

    careless: log10 of how many times likelier the answers to gold are from somebody who does not look. seconds: median
    for a judgment; None where no time is known. untouched: share of annotations sent off as they were prefilled.
    """

    careless: float
    annotations: int
    seconds: float | None
    untouched: float
    flags: list[Flag]
    domains: dict[str, OfDomain]


class Work(NamedTuple):
    """How somebody works: what of it the flags are told from."""

    careless: float
    annotations: int
    seconds: float | None
    untouched: float


def annotators(
    judgments: Sequence[Judgment],
    answers: Sequence[Answer],
    queries: Mapping[str, Query],
    rules: Rules,
    quality: Quality,
) -> dict[str, Annotator]:
    """By pseudonym, everybody who judged."""
    said, given = _by(judgments), _by(answers)
    found = {}
    for who in sorted(said.keys() - {""}):
        own = given.get(who, [])
        work = _work(said[who], careless(own, rules))
        found[who] = Annotator(
            **accuracy(*_counted(own)),
            careless=round(work.careless, 2),
            annotations=work.annotations,
            seconds=None if work.seconds is None else round(work.seconds, 2),
            untouched=round(work.untouched, 4),
            flags=flags(work, quality),
            domains=_by_domain(own, queries),
        )
    return found


def flags(work: Work, quality: Quality) -> list[Flag]:
    """What speaks against an annotator: each rule alone, none of them a proof."""
    enough = work.annotations >= quality.few
    rules: dict[Flag, bool] = {
        "spam": work.careless >= log10(quality.evidence),
        "fast": enough and work.seconds is not None and work.seconds < quality.seconds,
        "untouched": enough and work.untouched > quality.untouched,
    }
    return [name for name, holds in rules.items() if holds]


def accuracy(right: int, count: int) -> Accuracy:
    """The share of right answers."""
    low, high = wilson(right, count)
    share = round(right / count, 4) if count else None
    return Accuracy(answers=count, right=right, accuracy=share, low=round(low, 4), high=round(high, 4))


def wilson(right: int, count: int) -> tuple[float, float]:
    """Wilson's score interval of a share, 95 %: never beyond 0 and 1, and honest for few answers.

    (p + z²/2n ± z · sqrt(p(1 - p)/n + z²/4n²)) / (1 + z²/n), p being the share of n and z 1.96; (0, 1) without answers.
    """
    if not count:
        return 0.0, 1.0
    share, square = right / count, _Z**2 / count
    middle, half = share + square / 2, _Z * sqrt(share * (1 - share) / count + square / count / 4)
    return max(0.0, (middle - half) / (1 + square)), min(1.0, (middle + half) / (1 + square))


def _by_domain(answers: Sequence[Answer], queries: Mapping[str, Query]) -> dict[str, OfDomain]:
    grouped: dict[str, list[Answer]] = {}
    for a in answers:
        grouped.setdefault(queries[a.query_id].domain if a.query_id in queries else "", []).append(a)
    return {
        name: OfDomain(**accuracy(*_counted(own)), confusion=_confusion(own)) for name, own in sorted(grouped.items())
    }


def _by(of: Iterable[One]) -> dict[str, list[One]]:
    """By annotator."""
    found: dict[str, list[One]] = {}
    for one in of:
        found.setdefault(one.annotator, []).append(one)
    return found


def _counted(answers: Sequence[Answer]) -> tuple[int, int]:
    return sum(a.right for a in answers), len(answers)


def _confusion(answers: Sequence[Answer]) -> dict[str, dict[str, int]]:
    """Known positives stand under all positive grades: `2|3`."""
    found: dict[str, dict[str, int]] = {}
    for (expected, grade), count in sorted(Counter((_named(a.expected), str(a.grade)) for a in answers).items()):
        found.setdefault(expected, {})[grade] = count
    return found


def _named(grades: frozenset[int]) -> str:
    return "|".join(map(str, sorted(grades)))


def _work(judgments: Sequence[Judgment], log_odds: float) -> Work:
    """The time of an annotation is shared among the judgments that it holds."""
    size = Counter(j.annotation_id for j in judgments)
    times = {j.annotation_id: j.lead_time / size[j.annotation_id] for j in judgments if j.lead_time}
    untouched = {j.annotation_id for j in judgments if j.untouched}
    seconds = median(times.values()) if times else None
    return Work(log_odds, len(size), seconds, len(untouched) / len(size) if size else 0.0)
