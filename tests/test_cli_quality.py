"""What the commands that look after judgments print."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sync_world import grade, make_workspace

from ls_retrieval import cli
from store.judgments import Table
from store.workspace import Workspace

Said = Callable[..., str]
SETTINGS = "[quality]\nvotes = 2\nconfidence = 0.5\nper_grade = 1\n"


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    """`said(argument, …)`: what a command that succeeds prints, on a wide terminal."""
    monkeypatch.setenv("COLUMNS", "140")

    def call(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["ls-retrieval", *map(str, arguments)])
        _done()
        return capsys.readouterr().out

    return call


def _done() -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0


def test_gold_shows_what_there_is_and_every_annotator(said: Said, tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, settings=SETTINGS)
    out = said("gold", "-w", workspace.root, "--promote", "--dry-run")
    assert "gold.tsv: 4 pairs (consensus: 4; grades 0: 1, 1: 1, 2: 1, 3: 1); 4 would be new" in out
    assert "ada" in out
    assert "100%" in out
    assert not workspace.gold.exists()
    said("gold", "-w", workspace.root, "--promote")
    assert len(workspace.gold.read_text().splitlines()) == 5


def test_gold_tells_each_domain_where_there_are_several(said: Said, tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    rows = workspace.queries.read_text().splitlines()
    workspace.queries.write_text("\n".join(rows).replace('"q1"', '"q1", "domain": "colours"') + "\n")
    workspace.gold.write_text("query_id\tdoc_id\tgrade\torigin\nq2\td2\t1\thand\n")
    found = json.loads(said("gold", "-w", workspace.root, "--json"))
    assert found["gold"] == [{"query_id": "q2", "doc_id": "d2", "grade": 1, "origin": "hand"}]
    assert list(found["annotators"]["bob"]["domains"]) == ["colours"]
    assert found["annotators"]["bob"]["domains"]["colours"]["confusion"] == {"2|3": {"0": 1}}


def test_an_unlabelled_project_has_nobody_to_show(said: Said, tmp_path: Path) -> None:
    out = said("gold", "-w", make_workspace(tmp_path, labelled=False).root)
    assert "gold.tsv: 0 pairs (none; grades none); 0 new" in out


def test_a_dry_qualification_says_how_many_tasks_it_would_have(said: Said, tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    workspace.gold.write_text("query_id\tdoc_id\tgrade\torigin\nq2\td2\t1\thand\nq1\td1\t3\thand\n")
    out = said("qualify", "-w", workspace.root, "--dry-run")
    assert "qualification would have 2 tasks; 80% have to be right" in out
    found = json.loads(said("qualify", "-w", workspace.root, "--dry-run", "--json"))
    assert found == {"project": "qualification", "tasks": 2, "pass_mark": 0.8, "annotators": {}}


def disputed(root: Path) -> Workspace:
    """Of the pairs of the small data set, q1 with d3 has a third vote: 003."""
    workspace = make_workspace(root)
    Table(workspace.judgments / "7").append([grade("q1", "d3", 3, "cleo", annotation_id=90)], {})
    return workspace


def test_a_dry_adjudication_and_a_dry_repeat_say_how_much_they_would_do(said: Said, tmp_path: Path) -> None:
    workspace = disputed(tmp_path)
    out = said("adjudicate", "-w", workspace.root, "--threshold", 0, "--dry-run")
    assert out == "1 pairs in dispute; 1 would go before a judge now, 0 tasks made\n"
    assert said("adjudicate", "-w", workspace.root, "--threshold", 0, "--apart", 4, "--dry-run").startswith("0 pairs")
    assert said("repeat", "-w", workspace.root, "--share", 1, "--dry-run") == (
        "0 queries would be asked again, 0 tasks made\n"
    )


def test_a_dry_recheck_says_how_many_of_each_side_would_go_before_a_judge(said: Said, tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, settings="[splits]\ndev = 0\ntest = 0\n")
    assert said("recheck", "-w", workspace.root, "--sample", 2, "--dry-run") == (
        "2 positives and 2 negatives would go before a judge now, 0 tasks made\n"
    )
