"""The stack of docker-compose.yml at work: its commands and environment as plain processes, PostgreSQL included."""

import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import stack
import tiny

from label_configs.forms import envelope
from store.workspace import Workspace

PAGE = (stack.REPOSITORY / "docs" / "deploy.md").read_text("utf-8")
PREPARE, START = re.findall(r"<!-- run by the tests -->\n```bash\n(.*?)```", PAGE, re.DOTALL)
BUCKET = "training"


def wait_until(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def logs_in(url: str, email: str, password: str) -> bool:
    with requests.Session() as browser:
        browser.get(f"{url}/user/login/", timeout=30)
        form = {"email": email, "password": password, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        return browser.post(f"{url}/user/login/", data=form, allow_redirects=False, timeout=30).is_redirect


@pytest.mark.studio
def test_the_pages_way_from_nothing_to_published_answers_works_as_written(
    tmp_path: Path, label_studio: Path, s3: str, tiny_workspace: Workspace
) -> None:
    folder = stack.checkout(tmp_path / "checkout")
    subprocess.run(["/bin/bash", "-euc", PREPARE], cwd=folder, check=True)
    assert {path.stat().st_mode & 0o777 for path in (folder / "secrets").iterdir()} == {0o600}
    shutil.copytree(tiny_workspace.root, folder / "workspace" / "team", dirs_exist_ok=True)
    requests.put(f"{s3}/{BUCKET}", timeout=10).raise_for_status()
    with stack.Processes(folder, label_studio, s3) as running, requests.Session() as session:
        session.headers["Authorization"] = f"Token {running.secret('studio_token')}"

        def api(method: str, path: str, **content: Any) -> requests.Response:
            return session.request(method, running.urls["label-studio"] + path, timeout=120, **content)

        for line in START.splitlines():
            running.do(line)
        project = Workspace(folder / "workspace" / "team").project("main").id

        # people log in as the page says
        assert logs_in(running.urls["label-studio"], "admin@example.org", running.secret("studio_password"))
        assert not logs_in(running.urls["label-studio"], "admin@example.org", "another")

        # the backend is connected, and no other private address may be
        (backend,) = api("GET", f"/api/ml?project={project}").json()
        assert (backend["url"], backend["state"]) == (running.urls["backend"], "CO")
        other = api("POST", "/api/ml", json={"project": project, "url": running.urls["label-studio"]})
        assert other.status_code == 403
        assert "reserved network" in other.text
        assert requests.post(f"{running.urls['backend']}/setup", json={}, timeout=5).status_code == 401

        # a bare query that somebody imports is filled
        imported = api("POST", f"/api/projects/{project}/import?return_task_ids=true", json=[{"query": "a new thing"}])
        (bare,) = imported.json()["task_ids"]

        def tasks() -> dict[int, Any]:
            query = {"project": project, "fields": "all", "page_size": 100}
            return {task["id"]: task for task in api("GET", "/api/tasks", params=query).json()["tasks"]}

        wait_until(lambda: envelope.is_filled(tasks()[bare]))

        # its cards' pictures are served
        cards = tasks()[bare]["data"]["candidates"]
        sources = [re.findall(r'src="(/data/local-files/[^"]+)"', card["html"]) for card in cards]
        assert [len(found) for found in sources] == [1] * len(cards)
        assert api("GET", sources[0][0]).headers["Content-Type"].startswith("image/")

        # answers are published as they come: the backend hears of them, and sync of the backend
        log = folder / "sync.log"
        wait_until(lambda: "has no grades yet" in log.read_text())
        for task_id, task in tasks().items():
            result = tiny.graded_answer({n: 3 * (n < 2) for n in range(len(task["data"]["candidates"]))})
            assert api("POST", f"/api/tasks/{task_id}/annotations/", json={"result": result}).ok
        wait_until(lambda: "bytes written" in log.read_text())
        assert "are as they were written" in running.do(f"docker compose run --rm tool verify s3://{BUCKET}")

        # and learned from, whoever of the two pulled them
        models = folder / "workspace" / "team" / "models" / str(project)
        wait_until(lambda: (models / "current.json").exists())
        assert "FAIL" not in running.do("docker compose run --rm tool doctor")
