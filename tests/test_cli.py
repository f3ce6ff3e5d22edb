"""The command line: what it prints, how it ends, and that a user never sees a traceback of his own mistake."""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import shop
import tiny
from label_studio_sdk import LabelStudio
from sync_world import make_workspace, pool

from label_configs.errors import Mendable
from label_configs.forms import FORMS as FORMS_THERE_ARE
from label_configs.rules import preset
from ls_retrieval import cli, compose
from ls_retrieval.studio import Account, Studio
from store import pools
from store.buckets import open_bucket
from store.judgments import Table
from store.workspace import Workspace
from sync.bucket.layout import manifest, newest
from sync.formats import FORMATS, Format
from sync.tasks import listing

COMMANDS = (
    "doctor",
    "status",
    "config",
    "init",
    "take",
    "index",
    "pool",
    "push",
    "serve",
    "pull",
    "gold",
    "qualify",
    "adjudicate",
    "recheck",
    "repeat",
    "learn",
    "forget",
    "report",
    "evaluate",
    "simulate",
    "export",
    "freeze",
    "sync",
    "verify",
    "demo",
)
PROGRAM = Path(sys.executable).with_name("ls-retrieval")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`run(argument, …)`: exit code, standard output and standard error, in an environment without Label Studio."""
    for name in ("LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY", "LSR_PSEUDONYM_KEY", "LSR_WEBHOOK_SECRET"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ls-retrieval", *map(str, arguments)])
        capsys.readouterr()
        try:
            cli.main()
            code: object = 0
        except SystemExit as ended:
            code = ended.code
        printed = capsys.readouterr()
        return int(str(code or 0)), printed.out, printed.err

    return call


def program(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The installed command, in a terminal of 80 columns."""
    environment = {**os.environ, "COLUMNS": "80", "TERMINAL_WIDTH": "80"}
    return subprocess.run([str(PROGRAM), *arguments], env=environment, capture_output=True, text=True, check=False)


# help


def test_help_fits_one_page_and_names_every_command() -> None:
    lines = program("--help").stdout.splitlines()
    assert len(lines) <= 70
    assert max(map(len, lines)) <= 80
    assert all(any(f" {command} " in line for line in lines) for command in COMMANDS)
    assert any("Exit codes" in line for line in lines)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(run: Run, command: str) -> None:
    code, out, _ = run(command, "--help")
    assert code == 0
    assert f"ls-retrieval {command}" in out


def test_no_arguments_show_the_help(run: Run) -> None:
    code, out, err = run()
    assert code == 2
    assert "Usage" in out + err


def test_help_loads_no_heavy_library() -> None:
    script = (
        "import sys; sys.argv = ['ls-retrieval', '--help']\nfrom ls_retrieval.cli import main\n"
        "heavy = {'torch', 'faiss', 'label_studio_sdk', 'pyarrow', 'numpy'}\n"
        "try: main()\nfinally: print(sorted(heavy & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-1] == "[]"


# exit codes


@pytest.mark.parametrize("arguments", [["nothing"], ["push", "--wrong"], ["sync"], ["init", "--overlap", "0"]])
def test_wrong_usage_ends_with_2(run: Run, arguments: list[str]) -> None:
    assert run(*arguments)[0] == 2


@pytest.mark.parametrize("command", ["index", "pool", "push", "pull", "report", "export", "serve", "status"])
def test_a_missing_workspace_is_a_sentence(run: Run, tmp_path: Path, command: str) -> None:
    code, out, err = run(command, "-w", tmp_path / "nowhere")
    assert code == 1
    assert out == ""
    assert err.splitlines()[-1].startswith("Mend: `ls-retrieval init")
    assert "Traceback" not in err
    assert not (tmp_path / "nowhere").exists()


def test_a_limit_of_the_disk_is_a_sentence_and_leaves_no_half_data_set(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "w", candidates="text")
    limited = f"ulimit -f 1; exec {PROGRAM} export -w {workspace.root} --formats judgments"
    done = subprocess.run(["/bin/bash", "-c", limited], text=True, capture_output=True, check=False)
    assert done.returncode == 1
    assert "File too large.\nMend: Make room there" in done.stderr
    assert not (workspace.exports / "judgments").exists()


def test_an_unknown_project_lists_those_there_are(run: Run, tmp_path: Path) -> None:
    code, _, err = run("report", "-w", make_workspace(tmp_path).root, "-p", "other")
    assert code == 1
    assert "no project 'other'" in err
    assert "There are: main." in err


@pytest.mark.parametrize("command", ["push", "pull"])
def test_what_talks_to_label_studio_says_how_to_name_it(run: Run, tmp_path: Path, command: str) -> None:
    code, _, err = run(command, "-w", make_workspace(tmp_path, candidates="text").root)
    assert code == 1
    assert "LABEL_STUDIO_URL is not set" in err


def test_an_init_that_reaches_no_label_studio_leaves_no_files(run: Run, tmp_path: Path) -> None:
    code, out, err = run("init", "-w", tmp_path / "mistyped")
    assert (code, out) == (1, "")
    assert "LABEL_STUDIO_URL is not set" in err
    assert not (tmp_path / "mistyped").exists()


def test_an_unknown_format_or_form_lists_those_there_are(run: Run, tmp_path: Path) -> None:
    root = make_workspace(tmp_path).root
    for arguments in (["export", "-w", root, "--formats", "csv"], ["config", "stars"]):
        code, _, err = run(*arguments)
        assert code == 1
        assert "Take " in err


def test_a_failed_gate_ends_with_3_and_publishes_nothing(run: Run, tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "w", settings="[gates]\ngold_accuracy = 0.7\njudged_at_10 = 0.95\n")
    code, _, err = run("sync", "-w", workspace.root, "--to", tmp_path / "bucket", "--dry-run")
    assert code == 3
    assert err.startswith("Gate failed: 2 of 2 gates do not pass; nothing is published.")
    assert "gold_accuracy is 0.5, at least 0.7 is wanted." in err
    assert not (tmp_path / "bucket").exists()


def test_a_defect_of_ours_ends_with_70_and_its_traceback(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr("sync.formats.FORMATS", {"trec": Format(fail, "", "")})
    code, _, err = run("export", "-w", make_workspace(tmp_path).root, "--formats", "trec")
    assert code == 70
    assert "ZeroDivisionError: of ours" in err
    assert err.splitlines()[-1].startswith("This is a defect of ls-retrieval")


# what the commands print


@pytest.mark.parametrize("query", ["text", "image", "audio", "video"])
@pytest.mark.parametrize("candidates", ["text", "image", "audio", "video", "mixed"])
def test_config_prints_a_config_to_paste(run: Run, query: str, candidates: str) -> None:
    code, out, err = run("config", "graded", "--query", query, "--candidates", candidates)
    assert (code, err) == (0, "")
    root = ElementTree.fromstring(out)  # noqa: S314
    assert root.find(".//*[@name='query']") is not None
    legend = [header.get("value") for header in root.findall(".//Header")]
    assert legend[:4] == ["Exact: 1 to 8", "Partial: q to i", "Related: a to k", "Unrelated: z to ,"]


@pytest.mark.parametrize("form", list(FORMS_THERE_ARE))
def test_a_project_assists_only_where_its_form_does_or_somebody_says_so(run: Run, tmp_path: Path, form: str) -> None:
    mode = "assist" if form == "ranking" else "blind"
    asked = ["init", "-w", tmp_path, "--form", form, "--dry-run"]
    assert run(*asked)[1].endswith(f"the project main: {form}, text to image, {mode}\n")
    assert run(*asked, "--mode", "assist")[1].endswith(f"the project main: {form}, text to image, assist\n")


def test_config_of_missing_rules_is_a_sentence(run: Run, tmp_path: Path) -> None:
    code, _, err = run("config", "graded", "--rules", tmp_path / "rules.yaml")
    assert code == 1
    assert "cannot be read" in err


def test_export_lists_its_formats(run: Run) -> None:
    code, out, _ = run("export", "--list")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == list(FORMATS)


def test_export_prints_the_files_that_it_wrote(run: Run, tmp_path: Path) -> None:
    root = make_workspace(tmp_path / "w").root
    code, out, _ = run("export", "-w", root, "--formats", "trec", "--out", tmp_path / "out")
    assert code == 0
    assert out.splitlines() == [str(tmp_path / "out" / "trec" / name) for name in ("README.md", "qrels.txt", "run.txt")]
    assert not (root / "exports").exists()


def test_take_makes_a_workspace_of_judgments_that_a_team_has(run: Run, tmp_path: Path) -> None:
    world = make_workspace(tmp_path / "w", settings="[splits]\ndev = 0\ntest = 0\n")
    assert run("export", "-w", world.root, "--formats", "beir", "--out", tmp_path)[0] == 0
    arguments = ("take", tmp_path / "beir", "--from", "beir", "-w", tmp_path / "fresh")
    code, out, err = run(*arguments)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "corpus taken: there was none",
        "queries taken: there was none",
        "6 pairs taken: 2 of grade 3, 1 of grade 2, 1 of grade 1, 2 of grade 0; 0 left out",
        "3 known positives of 1 queries",
    ]
    assert run(*arguments, "--grades", "1=2", "--dry-run")[1].splitlines()[-1] == "4 known positives of 2 queries"
    assert run(*arguments)[1].splitlines() == out.splitlines()[2:]
    assert Workspace(tmp_path / "fresh").known.exists()
    assert run(*arguments, "--grades", "high=3")[0] == 2


def test_report_shows_the_figures_and_writes_them(run: Run, tmp_path: Path) -> None:
    root = make_workspace(tmp_path / "w").root
    code, out, _ = run("report", "-w", root, "--json", tmp_path / "figures.json")
    assert code == 0
    assert "16 by 2 annotators" in out
    assert "3 judged: 2 confirmed, 1 found positive" in out
    assert "Who answers hidden controls how" in out
    assert json.loads((tmp_path / "figures.json").read_text())["gold_accuracy"] == 0.5


def test_report_writes_a_page_all_figures_and_corrected_grades_where_it_is_told(run: Run, tmp_path: Path) -> None:
    root, paths = make_workspace(tmp_path / "w").root, [tmp_path / name for name in ("r.html", "r.json", "g.tsv")]
    code, out, _ = run("report", "-w", root, "--out", paths[0], "--json", paths[1], "--corrected", paths[2])
    assert code == 0
    assert out.splitlines()[-3:] == [str(path) for path in paths]
    assert {"missed", "effects", "proposers", "gates", "alpha"} <= json.loads(paths[1].read_text()).keys()


def test_simulate_writes_floors_values_and_seeds_and_ends_with_3_where_a_floor_is_missed(
    run: Run, tmp_path: Path
) -> None:
    small = ("simulate", "--seeds", 2, "--documents", 200, "--queries", 4, "--json", tmp_path / "s.json")
    code, out, _ = run(*small, "--criteria", "M5")
    assert code == 0
    assert "gold" in out
    (name, one), *rest = json.loads((tmp_path / "s.json").read_text()).items()
    assert (name, rest, one["met"], len(one["seeds"])) == ("M5", [], True, 2)
    assert one["floor"] == {"AUC": "at least 0.98", "good ones flagged": "at most 0.02"}
    code, _, err = run(*small, "--criteria", "M5", "--noise", 3)
    assert (code, "M5 are not met" in err) == (3, True)
    code, _, err = run(*small, "--criteria", "M99")
    assert (code, "There is no criterion M99" in err) == (1, True)


def test_earlier_answers_are_refused_until_a_mapping_says_what_they_are_and_the_report_says_so(
    run: Run, tmp_path: Path
) -> None:
    workspace = make_workspace(tmp_path)
    earlier = workspace.rules.hash
    workspace.keep_rules(workspace.rules)
    workspace.rules_path.write_text(preset("binary"))
    for command in ("report", "export"):
        code, out, err = run(command, "-w", tmp_path)
        assert (code, out) == (1, "")
        assert f"project 7: 16 judgments of the rules {earlier}, for which there is no mapping" in err
    with workspace.settings_path.open("a") as file:
        file.write(f'[mappings.{earlier}]\nto = "{workspace.rules.hash}"\n3 = 1\n2 = 1\n0 = 0\n')
    code, out, _ = run("report", "-w", tmp_path)
    assert code == 0
    assert f"of the rules {earlier}" in out
    assert "14 by a mapping, 2 left out" in out
    assert run("export", "-w", tmp_path)[0] == 0


def test_a_dry_sync_says_the_version_and_writes_nothing(run: Run, tmp_path: Path) -> None:
    root = make_workspace(tmp_path / "w").root
    before = sorted(root.rglob("*"))
    code, out, _ = run("sync", "-w", root, "--to", tmp_path / "bucket", "--dry-run")
    assert code == 0
    assert out.endswith("bytes would be written\n")
    assert sorted(root.rglob("*")) == before
    assert not (tmp_path / "bucket").exists()


def test_verify_of_a_bucket_without_a_version_is_a_sentence(run: Run, tmp_path: Path) -> None:
    code, _, err = run("verify", tmp_path / "bucket")
    assert code == 1
    assert "holds no version yet" in err
    assert not (tmp_path / "bucket").exists()


def test_the_webhooks_secret_is_the_environments_or_the_workspaces_own(run: Run, tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    assert compose.webhook_secret(workspace, {}) is None
    compose.start_workspace(tmp_path)
    kept = tmp_path / "webhook.secret"
    assert compose.webhook_secret(workspace, {}) == kept.read_text().strip()
    assert compose.webhook_secret(workspace, {"LSR_WEBHOOK_SECRET": "given"}) == "given"
    kept.chmod(0o644)
    with pytest.raises(Mendable, match="can be read by others"):
        compose.webhook_secret(workspace, {})


def test_doctor_finds_everything_that_is_wrong_at_once(run: Run, tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    (tmp_path / "pictures" / "d1.png").unlink()
    workspace.rules_path.write_text("name: [")
    (tmp_path / "pseudonym.key").chmod(0o644)
    code, out, _ = run("doctor", "-w", tmp_path)
    assert code == 1
    assert [line for line in out.splitlines() if line.startswith("ok")] == [
        "ok    settings with 1 projects",
        "ok    6 items, 3 queries",
        "ok    pools of 3 queries",
    ]
    for wrong in ("is not YAML", "1 media are missing", "no index", "can be read by others", "LABEL_STUDIO_URL"):
        assert wrong in out


def test_doctor_says_once_what_keeps_several_checks_from_being_made(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("doctor", "-w", tmp_path)
    assert code == 1
    assert out.count("settings.toml") == 1
    assert f"There is no {tmp_path / 'pseudonym.key'}" in out
    found = json.loads(run("doctor", "-w", tmp_path, "--json")[1])
    assert {"settings", "corpus", "media", "index", "pools"} <= {one["topic"] for one in found}


def test_doctor_names_broken_rows_and_tries_each_place_that_media_come_from(run: Run, tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    with shop.opened() as server, workspace.settings_path.open("a") as file, workspace.corpus.open("a") as corpus:
        server.answers["/a.mp3"] = lambda handler: handler.send(body=b"sound")
        uris = [f"{server.url}/a.mp3", f"{server.url}/b.mp3", "https://media.example.org/c.mp3"]
        corpus.writelines(json.dumps({"_id": uri[-5:], "audio": uri}) + "\n" for uri in uris)
        corpus.write("{\n")
        file.write(f'[corpus]\nmax_broken = 0.5\n[media]\nallow = ["{server.url}/"]\n')
        corpus.flush()
        file.flush()
        code, out, _ = run("doctor", "-w", tmp_path)
        assert code == 1
        assert "FAIL  1 rows are left out\n      corpus.jsonl, line 10: " in out
        assert f"ok    media of {server.url}/" in out
        assert "FAIL  media of https://media.example.org/: https://media.example.org/c.mp3 may not be fetched" in out
        assert f'allow = ["{server.url}/", "https://media.example.org/"]' in out
        assert [path for path, _ in server.asked] == ["/a.mp3"]


# the whole way, with a real Label Studio


def show_pictures(workspace: Workspace) -> None:
    """A query and a pool of another project, which asks for pictures by pictures."""
    for path, name in ((workspace.corpus, "picture"), (workspace.queries, "alike")):
        with path.open("a") as file:
            file.write(json.dumps({"_id": name, "image": "picture.png"}) + "\n")
    pools.append(workspace.pools, [pool("alike", [("picture", "candidate", "dense", 1.0)])])


def test_init_push_pull_sync_and_verify_from_the_command_line(
    run: Run, studio: Studio, sdk: Callable[[Account], LabelStudio], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, bucket = make_workspace(tmp_path / "w", candidates="text", labelled=False).root, tmp_path / "bucket"
    live = ("-w", root, "-p", "live")
    monkeypatch.setenv("LABEL_STUDIO_URL", studio.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", studio.admin.token)
    assert run("init", *live, "--candidates", "text")[0] == 0
    show_pictures(Workspace(root))
    assert run("push", *live, "--dry-run")[1] == "3 tasks would be made, 0 were there, 0 removed\n"
    assert run("push", *live)[1] == "3 tasks made, 0 were there, 0 removed\n"
    assert run("push", *live)[1] == "0 tasks made, 3 were there, 0 removed\n"
    pools.append(root / "pools", [replace(pool("q3", [("d6", "candidate", "dense", 2.0)]), round=2)])
    assert run("push", *live)[1] == "1 tasks made, 3 were there, 0 removed\n"
    client, project = sdk(studio.admin), Workspace(root).project("live").id
    for task in listing(client, project):
        count = len(task["data"]["candidates"])
        client.annotations.create(task["id"], result=tiny.graded_answer(dict.fromkeys(range(count), 3)))
    assert run("pull", *live)[1] == "4 new answers, 0 edited, 0 deleted, 0 as they were; 0 unreadable; 4 held in all\n"
    first = run("sync", *live, "--to", bucket)
    assert first[0] == 0
    second = run("sync", *live, "--to", bucket)[1].splitlines()[-1]
    assert (
        second == f"version {json.loads((bucket / 'latest.json').read_text())['version']} in {bucket}: 0 bytes written"
    )
    assert run("verify", bucket)[1].startswith("7 parts of 1 versions are as they were written")
    (root / "pseudonym.key").write_text("another key\n")
    code, _, err = run("sync", *live, "--to", bucket)
    assert code == 1
    assert "pseudonym key is not the one" in err


def answer_all(client: LabelStudio, project: int) -> None:
    """Every open task gets a 3 for its first candidate and a 1 for the others."""
    for task in listing(client, project):
        if not task["total_annotations"]:
            grades = {n: 1 if n else 3 for n in range(len(task["data"]["candidates"]))}
            client.annotations.create(task["id"], result=tiny.graded_answer(grades))


def test_rules_that_change_on_the_way_lose_no_answer_and_mix_none_unsaid(
    run: Run, studio: Studio, sdk: Callable[[Account], LabelStudio], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, bucket = make_workspace(tmp_path / "w", candidates="text", labelled=False), tmp_path / "bucket"
    live = ("-w", workspace.root, "-p", "live")
    monkeypatch.setenv("LABEL_STUDIO_URL", studio.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", studio.admin.token)
    run("init", *live, "--candidates", "text")
    assert run("push", *live)[1] == "3 tasks made, 0 were there, 0 removed\n"
    client, project = sdk(studio.admin), workspace.project("live").id

    # another label stands in the config: push waits for init, and replaces what nobody has answered
    workspace.rules_path.write_text(preset().replace("label: Exact", "label: Perfect"))
    code, _, err = run("push", *live)
    assert code == 1
    assert "still shows the config of earlier rules" in err
    assert run("init", *live, "--candidates", "text")[0] == 0
    assert run("push", *live)[1] == "3 tasks made, 0 were there, 3 removed\n"
    first, *others = (task["id"] for task in listing(client, project))
    for task_id in others:
        client.tasks.delete(str(task_id))
    answer_all(client, project)
    earlier = workspace.rules.hash

    # another meaning: the answered task stays, those that are pushed now are of the new rules
    changed = workspace.rules_path.read_text().replace("negative: [0]", "negative: [0, 1]")
    workspace.rules_path.write_text(changed)
    assert run("push", *live)[1] == "2 tasks made, 1 were there, 0 removed\n"
    answer_all(client, project)
    assert run("pull", *live)[1] == "3 new answers, 0 edited, 0 deleted, 0 as they were; 0 unreadable; 3 held in all\n"
    given = Table(workspace.judgments / str(project)).current()
    assert {(j.task_id == first, j.rules_hash) for j in given} == {(True, earlier), (False, workspace.rules.hash)}
    old = [j.value for j in given if j.task_id == first]

    code, _, err = run("export", *live)
    assert code == 1
    assert f"project {project}: {len(old)} judgments of the rules {earlier}, for which there is no mapping" in err
    with workspace.settings_path.open("a") as file:
        file.write(f'[mappings.{earlier}]\nto = "{workspace.rules.hash}"\n3 = 3\n1 = 0\n')
    assert run("export", *live, "--formats", "trec", "--out", tmp_path / "out")[0] == 0
    qrels = (tmp_path / "out" / "trec" / "qrels.txt").read_text().splitlines()
    assert len(qrels) == len(given)
    assert [sum(line.endswith(f" {n}") for line in qrels) for n in (3, 0)] == [3, old.count("1")]
    assert f"{len(old)} by a mapping, 0 left out" in run("report", *live)[1]

    assert run("sync", *live, "--to", bucket, "--formats", "trec")[0] == 0
    assert run("sync", *live, "--to", bucket, "--formats", "trec")[1].endswith(": 0 bytes written\n")
    opened = open_bucket(str(bucket))
    published = manifest(opened, newest(opened))
    mapped = {"rules_hash": earlier, "grades": {"1": 0, "3": 3}, "judgments": len(old), "left_out": 0}
    assert published["rules"]["hash"] == workspace.rules.hash
    assert published["figures"]["mapped"] == [mapped]


# exports


def test_a_frozen_test_split_stays(run: Run, tmp_path: Path) -> None:
    root = make_workspace(tmp_path, settings="[splits]\ndev = 0\ntest = 1\n").root
    assert run("freeze", "-w", root, "--dry-run")[1] == "2 queries would be the test split for good\n"
    assert run("freeze", "-w", root)[1] == "2 queries are the test split for good\n"
    assert (root / "test-queries.txt").read_text() == "q1\nq2\n"
    code, _, err = run("freeze", "-w", root)
    assert code == 1
    assert "Delete it to freeze anew" in err


def test_nothing_to_freeze_is_a_sentence(run: Run, tmp_path: Path) -> None:
    code, _, err = run("freeze", "-w", make_workspace(tmp_path, settings="[splits]\ndev = 0\ntest = 0\n").root)
    assert code == 1
    assert "No query of the test split is judged yet" in err


def test_an_export_holds_media_as_asked_and_states_as_of(run: Run, tmp_path: Path) -> None:
    root = make_workspace(tmp_path / "w", settings="[splits]\ndev = 0\ntest = 0\n").root
    options = ("--formats", "triplets", "--out", tmp_path / "out", "--media", "copied", "--pictures", "thumbnails")
    assert run("export", "-w", root, *options)[0] == 0
    copied = sorted(path.suffix for path in (tmp_path / "out" / "triplets" / "media").iterdir())
    assert copied == [".webp"] * 4
    code, _, err = run("export", "-w", root, "--as-of", "2001-01-01")
    assert code == 1
    assert "no grades yet" in err
