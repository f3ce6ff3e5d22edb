"""settings.toml changed by a program: what somebody wrote around the values stays."""

import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from label_configs.errors import Mendable, Unreadable
from store import settings, settings_file
from store.settings_file import Change, Changes

DEEPER: Changes = {"pool": {"depth": 24}}


def written(folder: Path, text: str) -> Path:
    path = folder / "settings.toml"
    path.write_bytes(text.encode())
    return path


def changed(folder: Path, text: str, changes: Changes) -> str:
    return settings_file.change(written(folder, text), changes).after


def test_no_change_changes_no_byte(tmp_path: Path) -> None:
    path = written(tmp_path, settings.starter())
    same = settings_file.change(path, {})
    assert same == Change(settings.starter(), settings.starter())
    assert same.diff == ""


def test_a_value_is_changed_where_it_stands(tmp_path: Path) -> None:
    text = "# mine\n[pool]   # of candidates\n  depth = 3 # few\nhard = 1\n"
    assert changed(tmp_path, text, DEEPER) == text.replace("depth = 3", "depth = 24")


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("", "[pool]\ndepth = 24\n"),
        ("[gates]\n", "[gates]\n\n[pool]\ndepth = 24\n"),
        ("[pool]\nhard = 1", "[pool]\nhard = 1\ndepth = 24\n"),
        ("[pool]\nhard = 1\n\n[gates]\n", "[pool]\nhard = 1\ndepth = 24\n\n[gates]\n"),
        (
            "[pool]\nhard = 1\n\n# what is wanted\n[gates]\n",
            "[pool]\nhard = 1\ndepth = 24\n\n# what is wanted\n[gates]\n",
        ),
        ("pool.hard = 1\n", "pool.hard = 1\npool.depth = 24\n"),
        ("pool = {hard = 1}\n", "pool = {hard = 1, depth = 24}\n"),
    ],
)
def test_a_new_key_goes_behind_those_of_its_section(tmp_path: Path, text: str, after: str) -> None:
    assert changed(tmp_path, text, DEEPER).replace("{hard = 1,depth", "{hard = 1, depth") == after


def test_none_takes_a_key_out_so_that_its_default_holds(tmp_path: Path) -> None:
    text = "[pool]\ndepth = 16\nmax_depth = 24 # of some\n"
    assert changed(tmp_path, text, {"pool": {"max_depth": None}}) == "[pool]\ndepth = 16\n"
    assert changed(tmp_path, "", {"pool": {"max_depth": None}}) == ""


def test_line_ends_stay_as_they_are(tmp_path: Path) -> None:
    after = changed(tmp_path, "[pool]\r\nhard = 1\r\n", {**DEEPER, "negatives": {"max_score": 0.5}})
    assert after == "[pool]\r\nhard = 1\r\ndepth = 24\r\n\r\n[negatives]\r\nmax_score = 0.5\r\n"


def test_a_number_is_written_in_its_settings_own_type(tmp_path: Path) -> None:
    after = changed(
        tmp_path, "", {"pool": {"diversity": 1, "depth": 24.0}, "negatives": {"sampling_strategy": "random"}}
    )
    assert after == '[pool]\ndiversity = 1.0\ndepth = 24\n\n[negatives]\nsampling_strategy = "random"\n'


def test_the_difference_is_a_unified_diff_without_names(tmp_path: Path) -> None:
    seen = settings_file.change(written(tmp_path, "[pool]\nhard = 1\ndepth = 16\n"), DEEPER)
    assert seen.diff.splitlines() == ["@@ -2,2 +2,2 @@", " hard = 1", "-depth = 16", "+depth = 24"]


@given(st.sampled_from([settings.starter(), "[pool]\n# x\n\n# y\n[media]\n", "pool.hard = 0\n"]), st.data())
def test_the_file_then_holds_these_values_and_the_others_as_before(
    tmp_path_factory: pytest.TempPathFactory, text: str, data: st.DataObject
) -> None:
    values: dict[str, Any] = data.draw(
        st.fixed_dictionaries(
            {},
            optional={
                "depth": st.integers(2, 99),
                "gold_share": st.floats(0, 1),
                "max_depth": st.none() | st.integers(99, 200),
                "seed": st.integers(-(2**63), 2**63 - 1),
            },
        )
    )
    before, after = tomllib.loads(text), tomllib.loads(changed(tmp_path_factory.getbasetemp(), text, {"pool": values}))
    expected = {key: value for key, value in {**before.get("pool", {}), **values}.items() if value is not None}
    assert after.get("pool", {}) == expected
    assert {**after, "pool": {}} == {**before, "pool": {}}


def test_every_problem_of_the_values_is_told_and_nothing_is_written(tmp_path: Path) -> None:
    path = written(tmp_path, "[pool]\nhard = 1\n")
    with pytest.raises(Unreadable) as raised:
        settings_file.change(
            path, {"pool": {"depth": 1, "colour": 2}, "negatives": {"range_min": 50}, "gate": {"x": 1}}
        )
    assert {problem.partition(":")[0] for problem in raised.value.problems} == {
        "pool.depth",
        "pool.colour",
        "negatives",
        "gate",
    }
    assert path.read_text() == "[pool]\nhard = 1\n"


@pytest.mark.parametrize("text", ["[pool", "[pool]\ndepth = 1\n"])
def test_a_file_that_cannot_be_used_is_not_changed(tmp_path: Path, text: str) -> None:
    with pytest.raises(Unreadable):
        settings_file.change(written(tmp_path, text), {"pool": {"depth": 24}})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="There is no"):
        settings_file.change(tmp_path / "settings.toml", DEEPER)


def test_it_is_written_whole_with_its_mode_where_a_link_leads(tmp_path: Path) -> None:
    real = written(tmp_path, "[pool]\nhard = 1\n").rename(tmp_path / "real.toml")
    real.chmod(0o640)
    link = tmp_path / "settings.toml"
    link.symlink_to(real)
    settings_file.write(link, settings_file.change(link, DEEPER))
    assert link.is_symlink()
    assert settings.load(real).pool.depth == 24
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_a_file_that_became_another_is_not_overwritten(tmp_path: Path) -> None:
    path = written(tmp_path, "")
    seen = settings_file.change(path, DEEPER)
    written(tmp_path, "[pool]\nhard = 1\n")
    with pytest.raises(Mendable, match="was changed meanwhile"):
        settings_file.write(path, seen)
    assert path.read_text() == "[pool]\nhard = 1\n"
    assert seen.base != settings_file.change(path, DEEPER).base


def test_what_keeps_it_from_being_written_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, "")
    seen = settings_file.change(path, DEEPER)
    (tmp_path / ".settings.toml.lock").mkdir()
    with pytest.raises(Mendable, match=r"cannot be written: Is a directory\."):
        settings_file.write(path, seen)
