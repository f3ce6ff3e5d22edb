"""Judgments of earlier rules, brought under the present ones by the mappings that settings.toml declares.

Rules give a grade its meaning, so that grades of different rules are never compared as they are. A mapping says what
each earlier grade is now; the judgments as they were given stay in the table.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypedDict

from label_configs.errors import Unreadable
from label_configs.records import Judgment
from label_configs.rules import Rules
from store.settings import Earlier

RulesOf = Callable[[str], Rules | None]
"""The rules of a hash; None where nobody remembers them."""


class Mapped(TypedDict):
    """What a mapping did: earlier grade to present one, judgments brought in, and grades left out for want of one."""

    rules_hash: str
    grades: dict[str, int]
    judgments: int
    left_out: int


def bring(
    judgments: Sequence[Judgment], rules: Rules, mappings: Mapping[str, Earlier], rules_of: RulesOf
) -> tuple[list[Judgment], list[Mapped]]:
    """All judgments under `rules`, in their order, and what each mapping did, by its hash.

    Grades get their present value or are left out; all else that was said needs no value, only that its rules have a
    mapping. Raises Unreadable with every hash that has none and everything that is wrong with those there are.
    """
    _check(judgments, rules, mappings, rules_of)
    brought = [(j.rules_hash, _brought(j, rules, mappings)) for j in judgments]
    there = Counter(rules_hash for rules_hash, now in brought if now)
    gone = Counter(rules_hash for rules_hash, now in brought if not now)
    done = [
        Mapped(rules_hash=h, grades=mappings[h].grades, judgments=there[h], left_out=gone[h])
        for h in sorted({*there, *gone} - {rules.hash})
    ]
    return [now for _, now in brought if now], done


def _check(judgments: Sequence[Judgment], rules: Rules, mappings: Mapping[str, Earlier], rules_of: RulesOf) -> None:
    found = Counter((j.rules_hash, j.project) for j in judgments if j.rules_hash != rules.hash)
    problems = [_missing(*key, count) for key, count in sorted(found.items()) if key[0] not in mappings]
    for rules_hash in sorted({rules_hash for rules_hash, _ in found} & set(mappings)):
        problems += _problems(rules_hash, mappings[rules_hash], rules, rules_of(rules_hash))
    if problems:
        raise Unreadable(
            f"There are judgments of other rules than the present ones, {rules.hash}.",
            problems=problems,
            why="A grade means what its rules say: grades of different rules are never mixed as they are.",
            mend="Say in settings.toml what each earlier grade is now, a line like 3 = 2 each, under [mappings.HASH] "
            f'with to = "{rules.hash}"; a grade without a line is left out of the data. Or restore rules.yaml.',
        )


def _brought(judgment: Judgment, rules: Rules, mappings: Mapping[str, Earlier]) -> Judgment | None:
    """The judgment under the present rules; None where it is a grade that the mapping leaves out."""
    if judgment.rules_hash == rules.hash:
        return judgment
    if judgment.kind != "grade":
        return replace(judgment, rules_hash=rules.hash)
    value = mappings[judgment.rules_hash].grades.get(judgment.value)
    return None if value is None else replace(judgment, value=str(value), rules_hash=rules.hash)


def _missing(rules_hash: str, project: int, count: int) -> str:
    return f"project {project}: {count} judgments of the rules {rules_hash}, for which there is no mapping"


def _problems(rules_hash: str, mapping: Earlier, rules: Rules, earlier: Rules | None) -> Iterator[str]:
    place = f"[mappings.{rules_hash}]"
    if mapping.to not in (None, rules.hash):
        yield f"{place} leads to the rules {mapping.to}, which are not the present ones"
    for grade, now in mapping.grades.items():
        if earlier and int(grade) not in earlier.values:
            yield f"{place} maps {grade}, which is no grade of those rules"
        if now not in rules.values:
            yield f"{place} maps {grade} to {now}, which is no grade of the present rules"
