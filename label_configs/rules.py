"""The rules of a project: what each answer means. One versioned file; its hash stands on every exported row."""

import html
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources

import msgspec

from label_configs.errors import Mendable, Unreadable
from label_configs.records import digest

CANT_JUDGE = "cant_judge"
"""The answer of an annotator who cannot tell: neither a grade nor unjudged."""
CANT_JUDGE_LABEL = "?"
"""What stands on its button."""


class Grade(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One grade: its number, its short name, and the sentence that says what it means."""

    value: int
    label: str
    sentence: str


@dataclass(frozen=True)
class Rules:
    """What an answer means: the question, the grades from best to worst, which are positive and which negative."""

    name: str
    question: str
    grades: tuple[Grade, ...]
    positive: frozenset[int]
    negative: frozenset[int]

    def __post_init__(self) -> None:
        problems = list(_problems(self))
        if problems:
            raise Unreadable(
                f"The rules {self.name!r} contradict themselves.",
                problems=problems,
                mend="Correct rules.yaml; `ls-retrieval config graded --rules FILE` checks it.",
            )

    @cached_property
    def hash(self) -> str:
        """Hash of the meaning: grades, positives and negatives. The name and the file's layout do not count."""
        grades = [f"{g.value}\t{g.label}\t{g.sentence}" for g in self.grades]
        return digest(self.question, *grades, "+", *sorted(self.positive), "-", *sorted(self.negative))

    @cached_property
    def values(self) -> tuple[int, ...]:
        """The grades' numbers, from lowest to highest."""
        return tuple(sorted(g.value for g in self.grades))

    def guideline(self) -> str:
        """Markdown for annotators: the question, and what each grade means."""
        rows = [f"- **{g.value} {g.label}**: {g.sentence}" for g in self.grades]
        return "\n".join([f"**{self.question}**", "", *rows, "", "When you cannot tell, say *can't judge*."])

    def instruction(self) -> str:
        """The same as HTML, for the project's instructions."""
        rows = [f"<li><b>{g.value} {html.escape(g.label)}</b>: {html.escape(g.sentence)}</li>" for g in self.grades]
        return f"<p><b>{html.escape(self.question)}</b></p><ul>{''.join(rows)}</ul>"


class _File(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    question: str
    grades: list[Grade]
    positive: list[int]
    negative: list[int]


def parse(text: str, source: str = "rules.yaml") -> Rules:
    """Read the text of a rules file. Raises Unreadable with the place."""
    try:
        file = msgspec.yaml.decode(text.encode(), type=_File)
    except msgspec.ValidationError as error:
        raise Unreadable(f"{source} is not a rules file: {error}.", mend="Compare it with a preset.") from error
    except msgspec.DecodeError as error:
        raise Unreadable(f"{source} is not YAML: {error}.") from error
    return Rules(file.name, file.question, tuple(file.grades), frozenset(file.positive), frozenset(file.negative))


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
    values = [g.value for g in rules.grades]
    known = set(values)
    numbers = {str(value): value for value in values}
    ambiguous = [g.label for g in rules.grades if numbers.get(g.label, g.value) != g.value]
    ambiguous += [g.label for g in rules.grades if g.label in {CANT_JUDGE, CANT_JUDGE_LABEL}]
    checks = {
        "there must be at least two grades": len(values) < 2,
        f"a grade stands twice in {values}": len(known) < len(values),
        f"grades must be 0 or more, found {min(values, default=0)}": min(values, default=0) < 0,
        "two grades have the same label": len({g.label for g in rules.grades}) < len(values),
        f"labels read as another answer: {ambiguous}": bool(ambiguous),
        f"positive names grades that do not exist: {sorted(rules.positive - known)}": bool(rules.positive - known),
        f"negative names grades that do not exist: {sorted(rules.negative - known)}": bool(rules.negative - known),
        f"positive and negative share {sorted(rules.positive & rules.negative)}": bool(rules.positive & rules.negative),
        "there is no positive grade": not rules.positive,
    }
    return [sentence for sentence, broken in checks.items() if broken]
