"""A JSON array read in stretches: the same elements as a JSON parser finds in the whole, wherever the cuts fall."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from label_configs.errors import Unreadable
from store import json_array

AWKWARD = st.text('abz"\\[]{},: \n\té\u2028', max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | AWKWARD,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(AWKWARD, inner, max_size=4),
    max_leaves=12,
)
TASKS = st.fixed_dictionaries({"id": st.integers(0, 99), "annotations": VALUES, "data": VALUES})


def elements(path: Path, stretch: int) -> list[Any]:
    return [msgspec.json.decode(raw) for some in json_array.read(path, stretch=stretch) for raw in some]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("arrays") / "array.json"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TASKS | VALUES, max_size=8), st.integers(1, 80), st.sampled_from([None, 1]), st.booleans())
def test_an_array_has_the_elements_that_json_finds(
    path: Path, array: list[Any], stretch: int, indent: int | None, ascii_: bool
) -> None:
    path.write_text(json.dumps(array, indent=indent, ensure_ascii=ascii_), "utf-8")
    assert elements(path, stretch) == array


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(AWKWARD, VALUES, max_size=4), min_size=1, max_size=8), st.integers(1, 80))
def test_lines_have_their_elements(path: Path, rows: list[Any], stretch: int) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    assert elements(path, stretch) == rows


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TASKS, min_size=1, max_size=5), st.integers(1, 80), st.data())
def test_a_file_that_was_cut_off_is_never_taken_for_a_whole_one(
    path: Path, array: list[Any], stretch: int, data: st.DataObject
) -> None:
    whole = json.dumps(array)
    path.write_text(whole[: data.draw(st.integers(1, len(whole) - 1))], "utf-8")
    found: list[Any] = []
    with pytest.raises(Unreadable, match="no JSON array"):
        found.extend(msgspec.json.decode(raw) for some in json_array.read(path, stretch=stretch) for raw in some)
    assert found == array[: len(found)]


def test_what_looks_like_the_next_element_inside_a_string_or_deeper_down_is_no_cut(path: Path) -> None:
    sham = '{"id": 1, "annotations": 2}, {"id": 3, "annotations": 4}, {"id": 5, "annotations": 6}'
    array = [{"id": n, "annotations": [{"id": 1, "annotations": 0}] * 9, "note": f"[{sham},{sham}"} for n in range(9)]
    path.write_text(json.dumps(array), "utf-8")
    for stretch in (10, 100, 1000, 3000):
        assert elements(path, stretch) == array


def test_elements_come_before_the_whole_is_read(path: Path) -> None:
    path.write_text(json.dumps([{"id": n, "annotations": []} for n in range(1000)])[:-1] + ", broken", "utf-8")
    some = json_array.read(path, stretch=1000)
    assert msgspec.json.decode(next(some)[0]) == {"id": 0, "annotations": []}
    with pytest.raises(Unreadable):
        list(some)


@pytest.mark.parametrize(
    "content",
    ["", "  ", "id,query\n1,red\n", "nothing", "[1, 2]]", "[1 2]", "[1,]", "[,1]", "[1,,2]", "[,{}]", "[1}", "[{]"],
)
def test_what_is_neither_says_so(path: Path, content: str) -> None:
    path.write_text(content)
    with pytest.raises(Unreadable, match="no JSON array, nor JSON lines"):
        elements(path, 10)


def test_an_element_that_is_too_long_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_array, "LIMIT", 1000)
    path.write_text(json.dumps(["a" * 5000]))
    with pytest.raises(Unreadable, match="longer than 1000 bytes"):
        elements(path, 100)


def test_a_byte_order_mark_is_passed_over(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf [1, 2]")
    assert elements(path, 10) == [1, 2]


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="cannot be read: No such file"):
        elements(tmp_path / "none.json", 10)
