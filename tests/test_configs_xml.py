"""The configs: whatever the form, the direction and the rules, XML that Label Studio reads as it is meant."""

import re
from collections import Counter
from importlib import resources
from xml.etree import ElementTree

import pytest
from asked import MODALITIES, RULES, SHOWN, directions, every_form, made
from hypothesis import given, settings
from hypothesis import strategies as st

from label_configs import rules
from label_configs.errors import Mendable, Unreadable
from label_configs.forms import FORMS, form
from label_configs.forms.template import plain
from label_configs.records import Modality
from label_configs.rules import LIMITS, Grade, Reasons, Rules

NEW_LINES = re.compile(r"\r\n|[\r\n\t]")


def config(name: str, query: Modality = "text", of: Rules = RULES) -> ElementTree.Element:
    shown = next(shown for asked, shown in directions(name) if asked == query and shown != "text")
    return ElementTree.fromstring(form(name).xml(of, query, shown))  # noqa: S314 - made here


def large(**counts: int) -> Rules:
    """Rules with so many of each, and the most that there may be of the rest."""
    many = {**LIMITS, **counts}
    best = many["grades"] - 1
    return Rules(
        name="large",
        question="How well?",
        grades=tuple(Grade(n, f"Grade {n}", "It is.") for n in range(best, -1, -1)),
        positive=frozenset({best}),
        negative=frozenset({0}),
        reasons=Reasons(after=(0,), codes=tuple(f"reason {n}" for n in range(many["reasons"]))),
        flags=tuple(f"flag {n}" for n in range(many["flags"])),
        dissonance=tuple(f"reading {n}" for n in range(many["dissonance"])),
    )


def keys(name: str, of: Rules) -> list[str]:
    """All keys of one screen with as many cards as there may be."""
    [task, *_] = made(name, 10, per_screen=10, of=of)
    offered = [
        option for candidate in task["data"]["candidates"] for option in [candidate, *candidate.get("grades", ())]
    ]
    fixed = [tag.get("hotkey") for tag in config(name, of=of).iter()]
    return [key.lower() for key in [*fixed, *(option.get("hotkey") for option in offered)] if key]


@every_form
def test_every_direction_is_xml_whose_names_stand_once_and_whose_tags_name_each_other(name: str) -> None:
    for query, shown in directions(name):
        xml = ElementTree.fromstring(form(name).xml(RULES, query, shown))  # noqa: S314 - made here
        names = Counter(tag.get("name") for tag in xml.iter() if tag.get("name") and tag.tag != "Bucket")
        assert max(names.values()) == 1, (query, shown)
        for link in ("toName", "whenTagName"):
            assert {tag.get(link) for tag in xml.iter() if tag.get(link)} <= set(names), (query, shown, link)


@every_form
def test_the_query_stands_in_the_tag_of_its_modality(name: str) -> None:
    for query in MODALITIES:
        [shown] = config(name, query).findall(".//*[@name='query']")
        assert (shown.tag, shown.get("value")) == (query.capitalize(), "$query")


def test_every_form_shows_every_direction_but_moments_which_need_time() -> None:
    every = [(query, shown) for query in MODALITIES for shown in SHOWN]
    in_time = [(query, shown) for query, shown in every if shown in {"audio", "video"}]
    assert {name: directions(name) for name in FORMS} == {**dict.fromkeys(FORMS, every), "moment": in_time}
    with pytest.raises(Mendable, match="The moment form does not show image candidates"):
        form("moment").xml(RULES, "text", "image")


@every_form
def test_a_template_says_what_it_is_and_how_to_print_it_and_the_config_is_the_form_alone(name: str) -> None:
    source = (resources.files("label_configs") / "forms" / f"{name}.xml").read_text("utf-8")
    assert f"ls-retrieval config {name} --query text --candidates " in source.partition("#}")[0]
    assert form(name).xml(RULES, *directions(name)[0]).startswith("<View>\n")


@every_form
def test_no_key_in_a_repeater_is_fixed_for_it_would_answer_for_every_card_at_once(name: str) -> None:
    inside = [tag for repeater in config(name).iter("Repeater") for tag in repeater.iter()]
    assert [tag.get("hotkey") for tag in inside if tag.get("hotkey")] == []


@every_form
@pytest.mark.parametrize("preset", rules.presets())
def test_every_preset_renders_with_keys_that_stand_once(name: str, preset: str) -> None:
    pressed = Counter(keys(name, rules.parse(rules.preset(preset))))
    assert [key for key, times in pressed.items() if times > 1] == []


@every_form
def test_rules_with_the_most_of_everything_render_with_keys_that_stand_once(name: str) -> None:
    pressed = Counter(keys(name, large()))
    assert [key for key, times in pressed.items() if times > 1] == []


@pytest.mark.parametrize("many", LIMITS)
def test_rules_with_one_more_than_there_are_keys_for_are_refused_by_name(many: str) -> None:
    with pytest.raises(Unreadable) as refused:
        large(**{many: LIMITS[many] + 1})
    assert refused.value.problems == (f"there are {LIMITS[many] + 1} {many}, keys are for {LIMITS[many]}",)


SHOWABLE = st.characters(exclude_categories=["Cs", "Cc", "Cn"])
SENTENCES = st.text(SHOWABLE, min_size=1, max_size=12).filter(str.strip) | st.sampled_from(
    [
        '"/><Choice value="x"/>',
        "]]> <!-- & &amp; &#0;",
        "'{{ 7 * 7 }}' {% raw %} {{idx}}",
        "$query $candidates[0].html ${x} $5",
        "a\tb\r\nc",
        "\u202eevil\u202c מ 🦉",
    ]
)
WORDS = SENTENCES.filter(lambda word: not re.search(r"[,${}\s]|^[01?]$", word))


@settings(deadline=None)
@given(question=SENTENCES, sentence=SENTENCES, label=WORDS, word=WORDS)
def test_whatever_rules_say_comes_back_from_the_xml_of_every_form(
    question: str, sentence: str, label: str, word: str
) -> None:
    hostile = Rules(
        name="hostile",
        question=question,
        grades=(Grade(1, label, sentence), Grade(0, "the other", "It is something else.")),
        positive=frozenset({1}),
        negative=frozenset({0}),
        reasons=Reasons(after=(1,), codes=(word,)),
        flags=(word,),
        dissonance=(word,),
    )
    for name in FORMS:
        tags = list(config(name, of=hostile).iter())
        assert word in [tag.get("value") for tag in tags if tag.tag == "Choice"]
        read = {value for tag in tags for value in re.findall(r"\$[\w[\].{}]+", tag.get("value", ""))}
        assert {re.split(r"\W", value[1:])[0] for value in read} <= {"query", "about", "guideline", "candidates"}
    review = config("review", of=hostile)
    best = next(tag for tag in review.iter("Choice") if tag.get("alias") == "1")
    assert (best.get("value"), best.get("hint")) == (label, NEW_LINES.sub(" ", sentence))
    assert review.findall(".//Header")[0].get("value") == NEW_LINES.sub(" ", plain(question))


def test_a_dollar_in_the_question_is_shown_and_names_no_field_of_the_task() -> None:
    assert plain("over $50?") == "over $\u206050?"
