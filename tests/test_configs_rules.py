"""Rules: one meaning, one hash; contradictions are refused together."""

import pytest

from label_configs import rules
from label_configs.errors import Mendable, Unreadable
from label_configs.forms import answers
from label_configs.rules import Grade, Rules

TEXT = """\
name: cats
question: Is it a cat?
grades:
  - {value: 2, label: Cat, sentence: It is a cat.}
  - {value: 1, label: Feline, sentence: It is related to cats.}
  - {value: 0, label: Other, sentence: It is something else.}
positive: [2]
negative: [0]
"""
CATS = rules.parse(TEXT)


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(Unreadable) as caught:
        rules.parse(text)
    return caught.value.problems


def test_a_rules_file_is_read_into_its_parts() -> None:
    assert CATS.question == "Is it a cat?"
    assert CATS.grades[0] == Grade(2, "Cat", "It is a cat.")
    assert (CATS.positive, CATS.negative, CATS.values) == (frozenset({2}), frozenset({0}), (0, 1, 2))


@pytest.mark.parametrize(
    "same",
    [
        TEXT.replace("name: cats", "name: kitties"),
        "# a comment\n\n" + TEXT,
        TEXT.replace("positive: [2]", "positive:\n  - 2"),
        TEXT.replace("Is it a cat?", '"Is it a cat?"'),
        TEXT.replace("\n", "\r\n"),
        TEXT.replace("It is a cat.}", "It is a cat., example: Tom}"),
    ],
)
def test_name_comments_and_layout_do_not_change_the_hash(same: str) -> None:
    assert rules.parse(same).hash == CATS.hash


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Is it a cat?", "Is this a cat?"),
        ("It is a cat.", "It is one cat."),
        ("It is related", "It's related"),
        ("something else", "anything else"),
        ("label: Cat", "label: Tom"),
        ("value: 2", "value: 3"),
        ("positive: [2]", "positive: [2, 1]"),
        ("negative: [0]", "negative: [0, 1]"),
        ("negative: [0]", "negative: []"),
        ("negative: [0]", "negative: [0]\nflags: [vague]"),
        ("negative: [0]", "negative: [0]\ndissonance: [literal]"),
        ("negative: [0]", "negative: [0]\nreasons: {after: [1]}"),
        ("negative: [0]", "negative: [0]\nreasons: {codes: [count]}"),
    ],
)
def test_every_change_of_meaning_changes_the_hash(old: str, new: str) -> None:
    changed = TEXT.replace(old, new)
    if old == "value: 2":
        changed = changed.replace("positive: [2]", "positive: [3]")
    assert rules.parse(changed).hash != CATS.hash


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("reasons: {after: [1], codes: ['2']}", "reasons: {after: [1, 2]}"),
        ("reasons: {codes: [a, flags]}\nflags: [b]", "reasons: {codes: [a]}\nflags: [flags, b]"),
        ("flags: [a, dissonance]\ndissonance: [b]", "flags: [a]\ndissonance: [dissonance, b]"),
    ],
)
def test_where_one_part_of_the_meaning_ends_and_the_next_begins_changes_the_hash(one: str, other: str) -> None:
    assert rules.parse(f"{TEXT}{one}\n").hash != rules.parse(f"{TEXT}{other}\n").hash


def test_no_grades_at_all_are_refused() -> None:
    with pytest.raises(Unreadable) as caught:
        Rules(name="none", question="?", grades=(), positive=frozenset(), negative=frozenset())
    assert caught.value.problems == ("there must be at least two grades", "there is no positive grade")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("value: 1", "value: 2", "a grade stands twice in [2, 2, 0]"),
        ("value: 1", "value: 3", "grades stand from best to worst, [2, 3, 0] do not"),
        ("question: Is it a cat?", "question: ' '", "the question says nothing"),
        ("It is a cat.", "' '", "grades without a sentence: [2]"),
        ("name: cats", 'name: "c\\0ts"', "characters that cannot be shown stand in ['c\\x00ts']"),
        ("It is a cat.", '"\\ufffe"', "characters that cannot be shown stand in ['\\ufffe']"),
        ("label: Feline", "label: ' '", "labels and codes must be words without comma, $ and braces: [' ']"),
        ("label: Feline", 'label: "a\\tb"', "labels and codes must be words without comma, $ and braces: ['a\\tb']"),
        ("label: Feline", "label: 'a, b'", "labels and codes must be words without comma, $ and braces: ['a, b']"),
        ("label: Feline", "label: $query", "labels and codes must be words without comma, $ and braces: ['$query']"),
        ("negative: [0]", "negative: [0]\nflags: [empty]", "flags have names of the tool's own: ['empty']"),
        (
            "negative: [0]",
            "negative: [0]\nreasons: {after: [7]}",
            "reasons are asked after grades that do not exist: [7]",
        ),
        ("label: Feline", 'label: "Can\'t judge"', 'labels read as another answer: ["Can\'t judge"]'),
        ("label: Feline", "label: Cat", "labels, codes and flags stand once each: ['Cat']"),
        ("label: Feline", "label: '2'", "labels read as another answer: ['2']"),
        ("label: Feline", "label: '?'", "labels read as another answer: ['?']"),
        ("label: Feline", "label: cant_judge", "labels read as another answer: ['cant_judge']"),
        ("positive: [2]", "positive: [2, 5]", "positive names grades that do not exist: [5]"),
        ("negative: [0]", "negative: [0, 6]", "negative names grades that do not exist: [6]"),
        ("negative: [0]", "negative: [0, 2]", "positive and negative share [2]"),
        ("positive: [2]", "positive: []", "there is no positive grade"),
    ],
)
def test_each_contradiction_is_refused_by_name(old: str, new: str, problem: str) -> None:
    assert problems(TEXT.replace(old, new)) == (problem,)


def test_a_grade_below_0_is_refused() -> None:
    grades = (Grade(1, "Yes", "It is."), Grade(-1, "No", "It is not."))
    with pytest.raises(Unreadable) as caught:
        Rules(name="low", question="?", grades=grades, positive=frozenset({1}), negative=frozenset())
    assert caught.value.problems == ("grades must be 0 or more, found -1",)


def test_flags_that_the_tool_itself_gives_are_not_for_rules() -> None:
    assert {answers.BETTER, rules.CANT_JUDGE, "skipped", "empty", "deleted", "ungraded"} == rules.RESERVED


def test_a_label_that_is_its_own_number_contradicts_nothing() -> None:
    assert rules.parse(TEXT.replace("label: Feline", "label: '1'")).grades[1].label == "1"


def test_all_contradictions_are_told_together() -> None:
    text = TEXT.replace("value: 1", "value: 0").replace("[2]", "[0, 9]").replace("label: Other", "label: Cat")
    assert problems(text) == (
        "a grade stands twice in [2, 0, 0]",
        "labels, codes and flags stand once each: ['Cat']",
        "positive names grades that do not exist: [9]",
        "positive and negative share [0]",
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is not a rules file"),
        ("[unclosed", "is not YAML"),
        (TEXT + "gains: [1]\n", "gains"),
        (TEXT.replace("value: 2", "value: two"), "$.grades[0].value"),
        (TEXT.replace("negative: [0]\n", ""), "negative"),
    ],
)
def test_what_is_no_rules_file_is_refused_with_file_and_place(text: str, told: str) -> None:
    with pytest.raises(Unreadable) as caught:
        rules.parse(text, "mine.yaml")
    assert str(caught.value).startswith("mine.yaml ")
    assert told in str(caught.value)


@pytest.mark.parametrize("name", rules.presets())
def test_every_preset_is_a_rules_file_of_its_own_name(name: str) -> None:
    assert rules.parse(rules.preset(name)).name == name


def test_an_unknown_preset_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(Mendable, match="Take one of: binary, default, esci"):
        rules.preset("defualt")


def test_annotators_read_every_sentence_and_every_example_in_the_guideline() -> None:
    told = rules.parse(TEXT.replace("It is a cat.}", "It is a cat., example: Tom}"))
    assert told.guideline() == (
        "<p><b>Is it a cat?</b></p><ul>"
        "<li><b>2 Cat</b>: It is a cat&#46; <i>Tom</i></li>"
        "<li><b>1 Feline</b>: It is related to cats&#46;</li>"
        "<li><b>0 Other</b>: It is something else&#46;</li>"
        "<li><b>? Can&#x27;t judge</b>: You cannot tell&#58; it does not load, or you lack the knowledge&#46;</li></ul>"
    )


@pytest.mark.parametrize(("after", "asked"), [("[2, 1]", "Why, after Cat, Feline"), ("[]", "Why")])
def test_the_guideline_says_after_which_grades_reasons_are_asked(after: str, asked: str) -> None:
    told = rules.parse(f"{TEXT}reasons: {{after: {after}, codes: [fur, tail]}}\n").guideline()
    assert f"<li><b>{asked}</b>: What the grade hangs on&#58; fur, tail&#46;</li>" in told


def test_the_guideline_escapes_what_html_and_markdown_would_read() -> None:
    text = rules.parse(TEXT.replace("It is a cat.", "<script>x</script> & **cats**"))
    assert "&lt;script&gt;x&lt;&#47;script&gt; &amp; &#42;&#42;cats&#42;&#42;" in text.guideline()
