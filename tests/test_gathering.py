"""Pulling and learning while the backend serves: whoever pulled, it is learned from; what fails is told once."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny
from label_studio_sdk import LabelStudio
from lessons import PROJECT, Small
from sync_world import make_workspace

from ls_retrieval import admin, compose, flow
from ls_retrieval.gathering import REST, Gatherer
from ls_retrieval.studio import Account, Studio
from ml_backend.learning import shelf_of
from ml_backend.learning.versions import BASE
from store.judgments import Table
from store.workspace import Workspace
from sync.tasks import listing

ALONE: dict[str, str] = {}
"""An environment without a Label Studio: what others pulled is there all the same."""
NOWHERE = {"LABEL_STUDIO_URL": "http://127.0.0.1:9", "LABEL_STUDIO_API_KEY": "made up"}


@pytest.fixture
def small(tmp_path: Path) -> Small:
    made = Small(tmp_path / "workspace", queries=12)
    (tmp_path / "workspace" / "pseudonym.key").write_text("made up here")
    (tmp_path / "workspace" / "pseudonym.key").chmod(0o600)
    return made


def in_use(small: Small) -> str:
    return shelf_of(small.workspace, PROJECT).pointer().version


def test_nothing_is_learned_while_nobody_judged(small: Small) -> None:
    Gatherer(small.workspace, ALONE).look(0)
    assert not (small.workspace.root / "models").exists()


def test_what_others_pulled_is_learned_from_and_a_project_rests_between_two_lessons(small: Small) -> None:
    gatherer, start = Gatherer(small.workspace, ALONE), 5.0  # an early moment, as after a machine has started
    small.judge(small.answers(lambda q, d: 1, ["q00", "q01", "q02"]))
    gatherer.look(start)
    first = in_use(small)
    small.judge(small.answers(lambda q, d: 2, ["q03", "q04", "q05"]))
    gatherer.look(start + REST - 1)
    assert first != BASE
    assert in_use(small) == first
    gatherer.look(start + REST)
    assert in_use(small) not in (BASE, first)


def test_the_same_judgments_are_not_learned_from_again(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    learned: list[int] = []
    monkeypatch.setattr(compose, "learn", lambda _, project: learned.append(project))
    small.judge(small.answers(lambda q, d: 1, ["q00"]))
    gatherer = Gatherer(small.workspace, ALONE)
    for look in range(3):
        gatherer.look(look * REST)
    assert learned == [PROJECT]


def test_a_lesson_that_fails_is_told_once_and_tried_again(
    small: Small, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small.judge(small.answers(lambda q, d: 1, ["q00", "q01", "q02"]))
    gatherer = Gatherer(small.workspace, ALONE)
    (small.workspace.root / "models").write_text("in the way")
    for look in range(6):
        gatherer.look(look * REST / 2)
    assert capsys.readouterr().err.count(f"nothing was learned from project {PROJECT}:") == 1
    (small.workspace.root / "models").unlink()
    gatherer.look(4 * REST)
    assert in_use(small) != BASE


@pytest.mark.parametrize(
    ("lacks", "said"),
    [("key", "LSR_PSEUDONYM_KEY is not set"), ("server", "Label Studio cannot be reached")],
)
def test_what_keeps_answers_from_being_pulled_is_told_once(
    small: Small, capsys: pytest.CaptureFixture[str], lacks: str, said: str
) -> None:
    if lacks == "key":
        (small.workspace.root / "pseudonym.key").unlink()
    gatherer = Gatherer(small.workspace, NOWHERE)
    for look in range(2):
        gatherer.look(look)
    told = capsys.readouterr().err
    assert told.count(f"the answers of project {PROJECT} were not pulled: ") == 1
    assert said in told


def test_what_fails_because_all_is_being_stopped_is_not_told(
    small: Small, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stop, gatherer = threading.Event(), Gatherer(small.workspace, NOWHERE)
    look = gatherer.look

    def stopped(now: float) -> None:
        stop.set()
        look(now)

    monkeypatch.setattr(gatherer, "look", stopped)
    gatherer.gather(stop)
    assert capsys.readouterr().err == ""


def test_answers_come_once_what_kept_them_is_mended(
    studio: Studio,
    sdk: Callable[[Account], LabelStudio],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_URL", studio.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", studio.admin.token)
    root = make_workspace(tmp_path / "w", candidates="text", labelled=False).root
    for name in ("gone", "kept"):
        list(admin.init(root, admin.Wanted(name, f"gathered {name}", "", {"candidates": "text"})))
        flow.push(Workspace(root), name)
    workspace, client = Workspace(root), sdk(studio.admin)
    gone, kept = (workspace.project(name).id for name in ("gone", "kept"))
    token = tmp_path / "token"
    environment = {"LABEL_STUDIO_URL": studio.url, "LABEL_STUDIO_API_KEY_FILE": str(token)}
    gatherer = Gatherer(workspace, environment)

    def look_with(key: str) -> str:
        token.write_text(key)
        token.chmod(0o600)
        for _ in range(2):
            gatherer.look(0)
        return capsys.readouterr().err

    capsys.readouterr()
    answer(client, kept)
    client.projects.delete(gone)
    revoked = look_with("0" * 40)
    assert revoked.count(f"the answers of project {kept} were not pulled: ") == 1
    assert Table(workspace.judgments / str(kept)).current() == []
    mended = look_with(studio.admin.token)
    assert mended.count(f"the answers of project {gone} were not pulled: ") == 1
    assert f"project {kept}" not in mended
    assert Table(workspace.judgments / str(kept)).current() != []


def answer(client: LabelStudio, project: int) -> None:
    task = next(iter(listing(client, project)))
    given = tiny.graded_answer(dict.fromkeys(range(len(task["data"]["candidates"])), 3))
    client.annotations.create(task["id"], result=given)
