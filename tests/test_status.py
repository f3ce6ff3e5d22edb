"""Where a project stands: counted by hand, from files alone and with a real Label Studio."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
import tiny
from label_studio_sdk import LabelStudio
from sync_world import grade, make_workspace

from ls_retrieval import cli, flow
from ls_retrieval.admin import Wanted, init
from ls_retrieval.status import Annotator, Status, Tasks, status
from ls_retrieval.studio import Account, Studio
from store.judgments import Table
from sync.tasks import listing

Sdk = Callable[[Account], LabelStudio]
TEXTS = {"candidates": "text", "votes": 2}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    monkeypatch.setattr("sys.argv", ["ls-retrieval", "status", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    return capsys.readouterr().out


# from files


def test_without_label_studio_it_tells_what_the_files_hold_and_why_it_knows_no_more(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    found = status(workspace, "main")
    assert (found["queries"], found["pools"], found["answers"], found["judgments"]) == (3, 3, 4, 16)
    assert found["tasks"] is None
    assert found["unasked"].startswith("LABEL_STUDIO_URL is not set.")
    assert found["next"].startswith("Make Label Studio answer: LABEL_STUDIO_URL is not set.")


def test_a_workspace_at_its_beginning_is_told_what_comes_first(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, labelled=False)
    for part in workspace.pools.rglob("*.parquet"):
        part.unlink()
    assert status(workspace, "main")["next"] == f"ls-retrieval index --workspace {tmp_path}"
    workspace.queries.write_text(json.dumps({"_id": "q1", "image": "pictures/d1.png"}) + "\n")
    assert status(workspace, "main")["next"] == "Put queries into the workspace that are text."
    workspace.queries.write_text("")
    assert status(workspace, "main")["next"].endswith("cannot be used: 1 problem. Put rows into it.")


def test_the_time_of_an_answer_is_shared_among_its_judgments_and_the_median_counts(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, labelled=False)
    given = [
        *(grade("q1", f"d{n}", 0, "ada", annotation_id=1, lead_time=8.0) for n in range(1, 5)),
        grade("q2", "d1", 0, "ada", annotation_id=2, lead_time=5.0),
        grade("q2", "d1", 0, "bob", annotation_id=3),
        grade("q2", "", "skipped", "bob", annotation_id=4, kind="flag"),
    ]
    Table(workspace.judgments / "7").append(given, {})
    assert status(workspace, "main")["annotators"] == {
        "ada": Annotator(answers=2, judgments=5, seconds=2.0),
        "bob": Annotator(answers=2, judgments=1, seconds=None),
    }


def test_it_fits_on_a_page_and_machines_get_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_workspace(tmp_path)
    page = shown(monkeypatch, capsys, "-w", str(tmp_path))
    assert len(page.splitlines()) < 40
    assert "not measured" in page
    assert page.splitlines()[-1].startswith("Next: ")
    found = json.loads(shown(monkeypatch, capsys, "-w", str(tmp_path), "--json"))
    assert found.keys() == Status.__annotations__.keys()


# with Label Studio


def test_it_counts_tasks_answers_skips_and_drafts_and_says_what_is_next(
    studio: Studio, sdk: Sdk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_URL", studio.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", studio.admin.token)
    workspace = make_workspace(tmp_path, candidates="text", labelled=False)
    list(init(tmp_path, Wanted("live", "Counted", "", TEXTS)))
    project, where = workspace.project("live").id, f"--workspace {tmp_path} --project live"
    assert status(workspace, "live")["next"] == f"ls-retrieval push {where}"
    flow.push(workspace, "live")
    client, ada, bob = (sdk(one) for one in (studio.admin, studio.annotator("ada"), studio.annotator("bob")))
    first, second, third = [task["id"] for task in listing(client, project)]
    for who in (ada, bob):
        who.annotations.create(first, result=tiny.graded_answer({0: 3}), lead_time=4.0)
    ada.annotations.create(second, result=tiny.graded_answer({0: 3}))
    ada.annotations.create(third, result=[], was_cancelled=True)
    _begin(studio, studio.annotator("bob"), third, project)
    found = status(workspace, "live")
    assert found["tasks"] == Tasks(
        pushed=3, bare=0, earlier=0, answered=2, complete=1, skipped=1, drafts=1, given=3, wanted=6
    )
    assert (found["answers"], found["pulled"]) == (0, None)
    assert found["next"] == "People label: 2 tasks want more answers"
    rules = workspace.rules_path.read_text()
    workspace.rules_path.write_text(rules.replace("negative: [0]", "negative: [0, 1]"))
    found = status(workspace, "live")
    assert found["tasks"] is not None
    assert found["tasks"]["earlier"] == 3
    assert found["next"].startswith(f"ls-retrieval push {where}: the rules have changed")
    workspace.rules_path.write_text(rules)
    for task, who in ((second, bob), (third, ada), (third, bob)):
        who.annotations.create(task, result=tiny.graded_answer({0: 3}))
    assert status(workspace, "live")["next"] == f"ls-retrieval pull {where}"
    flow.pull(workspace, "live")
    found = status(workspace, "live")
    assert found["answers"] == 7  # the skip is one
    assert found["pulled"] is not None
    assert found["next"] == f"ls-retrieval sync {where} --to BUCKET"
    client.projects.import_tasks(project, request=[{"data": {"query": "an owl", "candidates": []}}])  # type: ignore[list-item]
    assert status(workspace, "live")["next"].startswith("1 tasks wait for candidates: ls-retrieval serve")
    client.projects.delete(project)
    assert "holds no project" in status(workspace, "live")["unasked"]


def _begin(studio: Studio, account: Account, task_id: int, project: int) -> None:
    """A draft, as the editor saves it while somebody works."""
    access = requests.post(f"{studio.url}/api/token/refresh/", json={"refresh": account.token}, timeout=30).json()[
        "access"
    ]
    draft = {"result": tiny.graded_answer({0: 3}), "lead_time": 1, "draft_id": 0, "project": project}
    place = f"{studio.url}/api/tasks/{task_id}/drafts?project={project}"
    requests.post(place, json=draft, headers={"Authorization": f"Bearer {access}"}, timeout=30).raise_for_status()
