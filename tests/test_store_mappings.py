"""Mappings: judgments of earlier rules under the present ones, as somebody said, or not at all."""

from dataclasses import replace
from typing import Any

import pytest
from sync_world import RULES, grade

from label_configs import rules as rules_file
from label_configs.errors import Unreadable
from label_configs.records import Judgment
from label_configs.rules import CANT_JUDGE
from store.mappings import Mapped, bring
from store.settings import Earlier

BINARY = rules_file.parse(rules_file.preset("binary"))
"""Grades 0 and 1."""
OTHER = rules_file.parse(rules_file.preset().replace("Everything", "All"))
OLD, OLDER = RULES.hash, OTHER.hash
KNOWN = {OLD: RULES, OLDER: OTHER, BINARY.hash: BINARY}


def old(value: object, doc_id: str = "d", **more: Any) -> Judgment:
    return grade("q", doc_id, value, **more)


def now(value: object, doc_id: str = "d", **more: Any) -> Judgment:
    return grade("q", doc_id, value, **{"rules_hash": BINARY.hash, **more})


def to_binary(judgments: list[Judgment], mappings: dict[str, Earlier]) -> tuple[list[Judgment], list[Mapped]]:
    return bring(judgments, BINARY, mappings, KNOWN.get)


def refused(judgments: list[Judgment], mappings: dict[str, Earlier]) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        to_binary(judgments, mappings)
    return caught.value


def test_no_judgments_need_no_mapping_and_use_none() -> None:
    assert to_binary([], {}) == ([], [])
    assert to_binary([], {OLD: Earlier(**{"9": 9})}) == ([], [])


def test_judgments_of_the_present_rules_stay_whatever_is_mapped() -> None:
    given = [now(1, "a"), now(0, "b")]
    assert to_binary(given, {BINARY.hash: Earlier(**{"1": 0}), OLD: Earlier()}) == (given, [])


def test_grades_get_their_present_value_in_their_place_and_those_without_one_are_left_out() -> None:
    given = [old(3, "a"), now(1, "b"), old(1, "c"), old(2, "d"), old(0, "e")]
    found, mapped = to_binary(given, {OLD: Earlier(**{"0": 0, "3": 1, "2": 1})})
    assert found == [now(1, "a"), now(1, "b"), now(1, "d"), now(0, "e")]
    assert mapped == [{"rules_hash": OLD, "grades": {"0": 0, "2": 1, "3": 1}, "judgments": 3, "left_out": 1}]


def test_reasons_flags_and_everything_else_that_was_said_with_a_grade_stay() -> None:
    said = old(3, reasons=("colour",), flags=("literal",), note="seen", untouched=True, lead_time=2.5)
    assert to_binary([said], {OLD: Earlier(**{"3": 1})})[0] == [replace(said, value="1", rules_hash=BINARY.hash)]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("flag", CANT_JUDGE),
        ("flag", "skipped"),
        ("preference", "left"),
        ("ranking", ""),
        ("choice", "3"),
        ("moment", "3"),
    ],
)
def test_what_is_no_grade_needs_a_mapping_of_its_rules_but_no_line_in_it(kind: str, value: str) -> None:
    said = old(value, kind=kind)
    assert to_binary([said], {OLD: Earlier()})[0] == [replace(said, rules_hash=BINARY.hash)]
    assert refused([said], {}).problems == (
        f"project 7: 1 judgments of the rules {OLD}, for which there is no mapping",
    )


def test_every_hash_without_a_mapping_is_named_with_its_count() -> None:
    given = [now(1), old(3), old(2), old(3, rules_hash=OLDER), old(3, rules_hash="f" * 16, project=8)]
    error = refused(given, {OLDER: Earlier(**{"3": 1})})
    assert error.what == f"There are judgments of other rules than the present ones, {BINARY.hash}."
    assert error.problems == tuple(
        f"project {project}: {count} judgments of the rules {rules_hash}, for which there is no mapping"
        for rules_hash, project, count in sorted([(OLD, 7, 2), ("f" * 16, 8, 1)])
    )
    assert f'[mappings.HASH] with to = "{BINARY.hash}"' in error.mend


def test_grades_that_do_not_exist_before_or_now_are_named_together_with_what_has_no_mapping() -> None:
    given = [old(3), old(3, rules_hash="f" * 16)]
    wrong = Earlier(to=OLDER, **{"10": 1, "4": 1, "3": 2})
    assert refused(given, {OLD: wrong}).problems == (
        f"project 7: 1 judgments of the rules {'f' * 16}, for which there is no mapping",
        f"[mappings.{OLD}] leads to the rules {OLDER}, which are not the present ones",
        f"[mappings.{OLD}] maps 3 to 2, which is no grade of the present rules",
        f"[mappings.{OLD}] maps 4, which is no grade of those rules",
        f"[mappings.{OLD}] maps 10, which is no grade of those rules",
    )


def test_earlier_rules_that_nobody_remembers_are_mapped_as_it_is_said() -> None:
    forgotten = old(7, rules_hash="f" * 16)
    assert to_binary([forgotten], {"f" * 16: Earlier(**{"7": 1})})[0] == [now(1)]


def test_a_mapping_that_is_not_needed_may_lead_elsewhere() -> None:
    assert to_binary([now(1)], {OLD: Earlier(to=OLDER, **{"3": 3})}) == ([now(1)], [])
