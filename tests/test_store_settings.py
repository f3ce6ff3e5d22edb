"""Settings: read with every problem at once, and added to without touching what somebody wrote."""

import tomllib
from pathlib import Path

import pytest

from label_configs import rules
from label_configs.errors import Mendable, Unreadable
from store import settings
from store.settings import Gates, OpenClip, Project, Settings
from store.workspace import Workspace

PROJECT = Project(id=12, query="text", candidates="image", mode="assist", votes=3)


def written(folder: Path, text: str) -> Path:
    path = folder / "settings.toml"
    path.write_bytes(text.encode())
    return path


def refused(path: Path) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        settings.load(path)
    return caught.value


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    assert settings.load(written(tmp_path, "")) == Settings()


def test_the_starter_sets_an_encoder_and_two_gates_and_shows_the_defaults_of_the_rest(tmp_path: Path) -> None:
    expected = Settings(
        encoders={"clip": OpenClip(model="ViT-B-32", pretrained="laion2b_s34b_b79k")},
        gates=Gates(gold_accuracy=0.7, judged_at_10=0.95),
    )
    assert settings.load(written(tmp_path, settings.starter())) == expected


def test_every_problem_is_told_with_its_place(tmp_path: Path) -> None:
    text = """
colour = "red"
[pool]
depth = 1
per_screen = 21
gold_share = 1.5
dept = 3
[media]
serve = "ftp"
[negatives]
range_min = 41
[splits]
dev = 0.6
test = 0.5
[encoders.clip]
pretrained = "x"
[projects.main]
id = "one"
candidates = "smell"
"""
    problems = refused(written(tmp_path, text)).problems
    assert sorted(problem.partition(": ")[0] for problem in problems) == [
        "colour",
        "encoders.clip.model",
        "media.serve",
        "negatives",
        "pool.dept",
        "pool.depth",
        "pool.gold_share",
        "pool.per_screen",
        "projects.main.candidates",
        "projects.main.id",
        "splits",
    ]


def test_a_file_that_is_not_there_is_refused_with_the_command_that_makes_it(tmp_path: Path) -> None:
    error = refused(tmp_path / "settings.toml")
    assert f"ls-retrieval init --workspace {tmp_path}" in error.mend


@pytest.mark.parametrize("content", [b"[pool", b"# gr\xf6\xdfer\n"])
def test_what_is_not_toml_in_utf8_is_refused_by_its_path(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(content)
    assert str(refused(path)).startswith(f"{path} is not TOML")


@pytest.mark.parametrize(
    "before",
    ["", "# mine\n", "[pool]   # no line end", "[pool]\r\ndepth = 8  # Größe\r\n\r\n\r\n", settings.starter()],
)
def test_a_project_is_added_behind_every_byte_that_was_there_and_read_back(tmp_path: Path, before: str) -> None:
    path = written(tmp_path, before)
    settings.add_project(path, "main", PROJECT)
    assert path.read_bytes().startswith(before.encode())
    assert settings.load(path) == Settings.model_validate(tomllib.loads(before) | {"projects": {"main": PROJECT}})


@pytest.mark.parametrize("name", ["a-b_1", "my project", "a.b", 'quote"d', "日本 👩", "]\n[pool"])
def test_projects_of_any_name_stand_beside_each_other(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, "")
    settings.add_project(path, "first", PROJECT)
    settings.add_project(path, name, Project(id=13))
    assert settings.load(path).projects == {"first": PROJECT, name: Project(id=13)}


def test_a_workspace_without_files_says_which_is_missing_and_what_makes_it(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with pytest.raises(Mendable, match="ls-retrieval init --workspace"):
        _ = workspace.rules
    with pytest.raises(Mendable, match="ls-retrieval init --workspace"):
        _ = workspace.settings
    assert list(tmp_path.iterdir()) == []


def test_a_workspace_reads_its_rules_and_names_the_file_that_is_not_utf8(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.rules_path.write_text(rules.preset(), "utf-8")
    assert workspace.rules == rules.parse(rules.preset())
    workspace.rules_path.write_bytes(b"name: gr\xf6\xdfer\n")
    with pytest.raises(Unreadable, match=r"rules\.yaml is not UTF-8"):
        _ = workspace.rules


def test_an_unknown_project_is_refused_with_the_names_there_are(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    settings.add_project(written(tmp_path, ""), "main", PROJECT)
    assert workspace.project("main") == PROJECT
    with pytest.raises(Mendable, match=r"no project 'mian'(.|\n)*There are: main"):
        workspace.project("mian")
