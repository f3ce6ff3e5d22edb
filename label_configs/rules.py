"""The rules of a project: what each answer means. One versioned file; its hash stands on every exported row."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources

import msgspec

from label_configs.cards import text as inert
from label_configs.errors import Mendable, Unreadable
from label_configs.records import digest

CANT_JUDGE = "cant_judge"
"""The answer of an annotator who cannot tell: neither a grade nor unjudged."""
CANT_JUDGE_LABEL = "?"
"""What stands on its button where there is little room."""
CANT_JUDGE_NAME = "Can't judge"
_SYNTAX = re.compile(r"[,${}\t\r\n]")
_UNSHOWN = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML cannot hold, or a screen not show."""
RESERVED = frozenset({"better_match", CANT_JUDGE, "deleted", "empty", "skipped", "ungraded"})
"""Flags that the tool itself gives: a flag of the rules would be taken for them."""
LIMITS = {"grades": 7, "reasons": 20, "flags": 19, "dissonance": 10}
"""How many there may be of each: every answer has a key of its own, and there are no more keys."""


class Grade(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One grade: its number, its short name, the sentence that says what it means, and an example for annotators."""

    value: int
    label: str
    sentence: str
    example: str = ""


class Reasons(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a candidate got a grade: codes to choose from, asked for after the grades in `after`."""

    after: tuple[int, ...] = ()
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What an answer means: the question, the grades from best to worst, which are positive and which negative.

    flags: what can be said of a query. dissonance: how a text and a picture, sound or film can stand together; the
    first is the ordinary way, and what is left open.
    """

    name: str
    question: str
    grades: tuple[Grade, ...]
    positive: frozenset[int]
    negative: frozenset[int]
    reasons: Reasons = field(default_factory=Reasons)
    flags: tuple[str, ...] = ()
    dissonance: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        problems = list(_problems(self))
        if problems:
            raise Unreadable(
                f"The rules {self.name!r} cannot be used as they are.",
                problems=problems,
                mend="Correct rules.yaml; `ls-retrieval config graded --rules FILE` checks it.",
            )

    @cached_property
    def hash(self) -> str:
        """Hash of the meaning: everything but the name, the examples and the file's layout."""
        grades = [(g.value, g.label, g.sentence) for g in self.grades]
        sides = sorted(self.positive), sorted(self.negative)
        reasons = sorted(set(self.reasons.after)), self.reasons.codes
        return digest(json.dumps([self.question, grades, sides, reasons, self.flags, self.dissonance]))

    @cached_property
    def values(self) -> tuple[int, ...]:
        """The grades' numbers, from lowest to highest."""
        return tuple(sorted(g.value for g in self.grades))

    def labels(self, values: Collection[int]) -> list[str]:
        """The short names of some grades, from best to worst."""
        return [g.label for g in self.grades if g.value in values]

    def guideline(self) -> str:
        """For annotators, as HTML that Markdown leaves alone: the question, and what each answer means."""
        rows = [_row(f"{g.value} {g.label}", g.sentence, g.example) for g in self.grades]
        unsure = "You cannot tell: it does not load, or you lack the knowledge."
        rows.append(_row(f"{CANT_JUDGE_LABEL} {CANT_JUDGE_NAME}", unsure))
        if self.reasons.codes:
            asked = ", ".join(self.labels(self.reasons.after))
            rows.append(
                _row(
                    f"Why, after {asked}" if asked else "Why",
                    "What the grade hangs on: " + ", ".join(self.reasons.codes) + ".",
                )
            )
        if self.dissonance:
            rows.append(_row("Text and media", "How they go together: " + ", ".join(self.dissonance) + "."))
        return f"<p><b>{inert(self.question)}</b></p><ul>{''.join(rows)}</ul>"


def _row(name: str, sentence: str, example: str = "") -> str:
    said = f" <i>{inert(example)}</i>" if example else ""
    return f"<li><b>{inert(name)}</b>: {inert(sentence)}{said}</li>"


class _File(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    question: str
    grades: list[Grade]
    positive: list[int]
    negative: list[int]
    reasons: Reasons = Reasons()
    flags: tuple[str, ...] = ()
    dissonance: tuple[str, ...] = ()


def parse(text: str, source: str = "rules.yaml") -> Rules:
    """Read the text of a rules file. Raises Unreadable with the place."""
    try:
        file = msgspec.yaml.decode(text.encode(), type=_File)
    except msgspec.ValidationError as error:
        raise Unreadable(f"{source} is not a rules file: {error}.", mend="Compare it with a preset.") from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:  # a date that is none among them
        raise Unreadable(f"{source} is not YAML: {error}.") from error
    return Rules(
        name=file.name,
        question=file.question,
        grades=tuple(file.grades),
        positive=frozenset(file.positive),
        negative=frozenset(file.negative),
        reasons=file.reasons,
        flags=file.flags,
        dissonance=file.dissonance,
    )


def preset(name: str = "default") -> str:
    """Text of a rules file that comes with the tool."""
    found = presets()
    if name not in found:
        raise Mendable(f"There is no preset {name!r}.", mend=f"Take one of: {', '.join(sorted(found))}.")
    return found[name]


def presets() -> Mapping[str, str]:
    """Name to text of every preset."""
    folder = resources.files("label_configs") / "presets"
    return {p.name.removesuffix(".yaml"): p.read_text("utf-8") for p in folder.iterdir() if p.name.endswith(".yaml")}


def _problems(rules: Rules) -> list[str]:
    """Every sentence that is true of the rules, and must not be."""
    checks = {**_grade_checks(rules), **_word_checks(rules), **_side_checks(rules)}
    return [sentence for sentence, broken in checks.items() if broken]


def _grade_checks(rules: Rules) -> dict[str, bool]:
    values = [g.value for g in rules.grades]
    falling = sorted(set(values), reverse=True)
    mute = [g.value for g in rules.grades if not g.sentence.strip()]
    return {
        "there must be at least two grades": len(values) < 2,
        f"a grade stands twice in {values}": len(falling) < len(values),
        f"grades stand from best to worst, {values} do not": len(falling) == len(values) and values != falling,
        f"grades must be 0 or more, found {min(values, default=0)}": min(values, default=0) < 0,
        "the question says nothing": not rules.question.strip(),
        f"grades without a sentence: {mute}": bool(mute),
    }


def _word_checks(rules: Rules) -> dict[str, bool]:
    labels = [g.label for g in rules.grades]
    groups = {"grades": labels, "reasons": rules.reasons.codes, "flags": rules.flags, "dissonance": rules.dissonance}
    words = [word for group in groups.values() for word in group]
    said = [rules.name, rules.question, *(text for g in rules.grades for text in (g.sentence, g.example))]
    odd = [word for word in words if not word.strip() or _SYNTAX.search(word)]
    twice = [word for group in groups.values() for word in dict.fromkeys(group) if group.count(word) > 1]
    unshown = [text for text in (*words, *said) if _UNSHOWN.search(text)]
    reserved = [flag for flag in rules.flags if flag in RESERVED]
    many = {f"there are {len(group)} {name}, keys are for {LIMITS[name]}": name for name, group in groups.items()}
    return {
        f"labels and codes must be words without comma, $ and braces: {odd}": bool(odd),
        f"labels, codes and flags stand once each: {twice}": bool(twice),
        f"characters that cannot be shown stand in {unshown}": bool(unshown),
        f"flags have names of the tool's own: {reserved}": bool(reserved),
        **{sentence: len(groups[name]) > LIMITS[name] for sentence, name in many.items()},
    }


def _side_checks(rules: Rules) -> dict[str, bool]:
    known = {g.value for g in rules.grades}
    numbers = {str(value): value for value in known}
    ambiguous = [g.label for g in rules.grades if numbers.get(g.label, g.value) != g.value]
    ambiguous += [g.label for g in rules.grades if g.label in {CANT_JUDGE, CANT_JUDGE_LABEL, CANT_JUDGE_NAME}]
    after, positive, negative = set(rules.reasons.after), rules.positive, rules.negative
    return {
        f"reasons are asked after grades that do not exist: {sorted(after - known)}": bool(after - known),
        f"labels read as another answer: {ambiguous}": bool(ambiguous),
        f"positive names grades that do not exist: {sorted(positive - known)}": bool(positive - known),
        f"negative names grades that do not exist: {sorted(negative - known)}": bool(negative - known),
        f"positive and negative share {sorted(positive & negative)}": bool(positive & negative),
        "there is no positive grade": not positive,
    }
