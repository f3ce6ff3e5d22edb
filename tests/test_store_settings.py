"""Settings: read with every problem at once, and added to without touching what somebody wrote."""

import tomllib
from pathlib import Path

import pytest

from label_configs import rules
from label_configs.errors import Mendable, Unreadable
from store import settings
from store.settings import Earlier, Gates, OpenClip, Project, Settings
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


@pytest.mark.parametrize("again", ["[encoders.clip]", '[encoders."clip"]', "[encoders]\nclip.model = 'y'"])
def test_two_encoders_of_one_name_are_refused(tmp_path: Path, again: str) -> None:
    said = refused(written(tmp_path, f"[encoders.clip]\nmodel = 'x'\n{again}\nmodel = 'y'\n"))
    assert "is not TOML" in said.what
    assert "encoders" in said.what or "clip" in said.what


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


@pytest.mark.parametrize(
    ("media", "said"),
    [
        ('allow = ["media.example.org", "https://u:p@h/"]', "media.example.org cannot be read"),
        ('allow = ["https://h/", "https://u:p@h/"]', "credentials stand in the URI"),
        ('serve = "s3"', "needs a bucket in `to`"),
        ('serve = "s3"\nto = "thumbs"', "needs a bucket in `to`"),
        ('to = "ftp://h/thumbs"', "to is a folder, or a bucket"),
        ('to = "s3://bucket/thumbs"', "needs serve = 's3', or serve = 'http'"),
        ('serve = "http"\nto = "s3://bucket/thumbs"', "needs serve = 's3', or serve = 'http'"),
        ('base = "https://cdn.example.org/"', "goes with serve = 'http'"),
        ('serve = "http"\nbase = "cdn.example.org"', "base is an http(s) URI"),
        ("total_timeout = 0", "greater than 0"),
    ],
)
def test_media_settings_that_cannot_work_are_refused(tmp_path: Path, media: str, said: str) -> None:
    [problem] = refused(written(tmp_path, f"[media]\n{media}\n")).problems
    assert problem.startswith("media")
    assert said in problem


def test_a_file_that_is_not_there_is_refused_with_the_command_that_makes_it(tmp_path: Path) -> None:
    error = refused(tmp_path / "settings.toml")
    assert f"ls-retrieval init --workspace {tmp_path}" in error.mend


TWICE = b'[encoders.clip]\nmodel = "x"\n[encoders.clip]\nmodel = "y"\n'


@pytest.mark.parametrize(
    "content", [b"[pool", b"# gr\xf6\xdfer\n", TWICE], ids=["cut off", "latin-1", "two of one name"]
)
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


CHANGED = rules.preset().replace("Everything", "All")
HASH, NEXT = rules.parse(rules.preset()).hash, rules.parse(CHANGED).hash


def test_rules_are_kept_once_byte_by_byte_and_found_by_their_hash_when_rules_yaml_has_changed(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.rules_path.write_text(f"# written by hand\n{rules.preset()}")
    assert workspace.rules_of(HASH) == workspace.rules  # not kept yet, but there
    workspace.keep_rules(workspace.rules)
    kept = workspace.kept_rules / f"{HASH}.yaml"
    assert kept.read_bytes() == workspace.rules_path.read_bytes()
    workspace.rules_path.write_text(rules.preset().replace("name: default", "name: other"))  # no change of meaning
    workspace.keep_rules(workspace.rules)
    assert kept.read_text().startswith("# written by hand\n")
    workspace.rules_path.write_text(CHANGED)
    workspace.keep_rules(workspace.rules)
    assert [path.stem for path in sorted(workspace.kept_rules.iterdir())] == sorted([HASH, NEXT])
    assert workspace.rules_of(HASH) == rules.parse(rules.preset())
    assert [one.hash for one in workspace.earlier_rules()] == [HASH]


def test_rules_that_changed_while_they_were_in_use_are_not_kept_under_a_wrong_name(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.rules_path.write_text(CHANGED)
    with pytest.raises(Mendable, match="was changed while it was in use"):
        workspace.keep_rules(rules.parse(rules.preset()))
    assert not workspace.kept_rules.exists()


@pytest.mark.parametrize("rules_hash", ["", "0" * 16, "../rules", "../../etc/passwd", f"{HASH}\n", HASH.upper()])
def test_a_hash_that_nobody_knows_has_no_rules_and_reaches_no_other_file(tmp_path: Path, rules_hash: str) -> None:
    workspace = Workspace(tmp_path)
    workspace.rules_path.write_text(rules.preset())
    workspace.keep_rules(workspace.rules)
    assert workspace.rules_of(rules_hash) is None


def test_kept_rules_that_somebody_changed_are_named_and_not_used(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.rules_path.write_text(rules.preset())
    workspace.keep_rules(workspace.rules)
    kept = workspace.kept_rules / f"{HASH}.yaml"
    kept.write_text(CHANGED)
    with pytest.raises(Unreadable, match=f"{HASH}.yaml was changed: it holds the rules {NEXT}"):
        workspace.rules_of(HASH)


def test_a_mapping_names_earlier_grades_present_ones_and_the_rules_that_it_was_written_for(tmp_path: Path) -> None:
    text = f'[mappings.{HASH}]\nto = "{NEXT}"\n3 = 3\n2 = 3\n0 = 0\n[mappings.{NEXT}]\n'
    assert settings.load(written(tmp_path, text)).mappings == {
        HASH: Earlier(to=NEXT, **{"3": 3, "2": 3, "0": 0}),
        NEXT: Earlier(),
    }


def test_everything_that_is_wrong_with_a_mapping_is_told_together(tmp_path: Path) -> None:
    text = f'[mappings.main]\n[mappings.{HASH}]\nto = "new"\n3 = "3"\nexact = 3\n02 = 2\n1 = -1\n0 = true\n'
    problems = refused(written(tmp_path, text)).problems
    assert sorted(problem.partition(": ")[0] for problem in problems) == [
        f"mappings.{HASH}.0",
        f"mappings.{HASH}.02",
        f"mappings.{HASH}.1",
        f"mappings.{HASH}.3",
        f"mappings.{HASH}.exact",
        f"mappings.{HASH}.to",
        "mappings.main.[key]",
    ]


def test_an_unknown_project_is_refused_with_the_names_there_are(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    settings.add_project(written(tmp_path, ""), "main", PROJECT)
    assert workspace.project("main") == PROJECT
    with pytest.raises(Mendable, match=r"no project 'mian'(.|\n)*There are: main"):
        workspace.project("mian")
