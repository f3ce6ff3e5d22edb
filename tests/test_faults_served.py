"""A backend beside another one, and under a Label Studio that dies: every query is filled once all the same."""

import shutil
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from label_studio_sdk import LabelStudio
from people import Row, Team, filled_twice, predicted_twice
from test_sync_faults import Mortal, mortal

from label_configs.forms import envelope
from ls_retrieval import filling
from ls_retrieval.serve import running_backend
from ls_retrieval.studio import Account, Studio
from store import settings
from store.settings import Project
from store.workspace import Workspace
from sync import projects
from sync.label_studio import connected

__all__ = ["mortal"]
SCREENS = 4
"""Tasks of a query: in a review every candidate is one."""


@pytest.fixture
def workspace(tiny_indexed: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace whose backends look for bare tasks all the time."""
    monkeypatch.setattr(filling, "POLL", 0.2)
    return Workspace(Path(shutil.copytree(tiny_indexed.root, tmp_path / "workspace")))


def team(client: LabelStudio, url: str, workspace: Workspace) -> Team:
    """A fresh project of that workspace."""
    wanted = Project(id=0, form="review", candidates="image")
    project = wanted.model_copy(update={"id": projects.create(client, "shared", wanted, workspace.rules)})
    settings.add_project(workspace.settings_path, "shared", project)
    return Team(url, client, project.id)


def filled(there: Team, seconds: float = 120) -> list[Row]:
    """All tasks, once every one is filled and nothing is to come, or time is over."""
    deadline = time.monotonic() + seconds
    while True:
        found = there.tasks()
        if all(map(envelope.is_filled, found)) or time.monotonic() > deadline:
            return found
        time.sleep(0.3)


def whole(there: Team, workspace: Workspace) -> None:
    """Every screen of every query stands once."""
    tasks = filled(there)
    assert all(map(envelope.is_filled, tasks))
    assert Counter(task["data"]["query"] for task in tasks) == Counter(there.brought * SCREENS)
    assert filled_twice(tasks, workspace) == predicted_twice(tasks) == 0


@pytest.mark.long
def test_two_backends_on_one_workspace_fill_every_screen_of_every_query_once(
    studio: Studio, sdk: Callable[[Account], LabelStudio], workspace: Workspace
) -> None:
    there = team(sdk(studio.admin), studio.url, workspace)
    environment = {"LABEL_STUDIO_URL": studio.url, "LABEL_STUDIO_API_KEY": studio.admin.token}
    with ExitStack() as backends:
        for _ in range(2):
            backends.enter_context(
                running_backend(workspace, host="127.0.0.1", port=0, workers=1, environment=environment)
            )
        for _ in range(6):
            there.bring(4)
            filled(there)
        whole(there, workspace)
    ids = [task["id"] for task in there.tasks()]
    assert max(ids) - min(ids) + 1 == len(ids)  # nor was any made twice and removed again


@pytest.mark.long
def test_label_studio_killed_and_started_again_while_a_backend_fills_leaves_every_query_filled_once(
    mortal: Mortal, workspace: Workspace
) -> None:
    token = mortal.studio.admin.token
    environment = {"LABEL_STUDIO_URL": mortal.studio.url, "LABEL_STUDIO_API_KEY": token}
    with connected(mortal.studio.url, token) as client:
        there = team(client, mortal.studio.url, workspace)
        with running_backend(workspace, host="127.0.0.1", port=0, workers=1, environment=environment):
            for wait in (0.2, 0.5, 1.0):
                there.bring(4)
                time.sleep(wait)
                mortal.kill()
                mortal.up()
                filled(there)
            whole(there, workspace)
