"""What the backend does inside a real Label Studio: predictions stored once, bare tasks filled, others left alone."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import lessons
import pytest
import requests
import tiny
from label_studio_sdk import LabelStudio

from label_configs.errors import Mendable
from label_configs.forms import envelope
from ls_retrieval import compose, serve
from ls_retrieval.serve import Filler, running_backend
from ls_retrieval.studio import Account, Studio
from ml_backend.encoder_service import RemoteEncoders
from ml_backend.retriever import Retriever
from store import pools, settings
from store.judgments import Table
from store.settings import Project
from store.workspace import Workspace
from sync import projects

LOGIN = {"BASIC_AUTH_USER": "label-studio", "BASIC_AUTH_PASS": "made up here"}


class Setting(NamedTuple):
    """A Label Studio, a workspace with projects in it, and the backend connected to them."""

    api: Callable[..., Any]
    client: LabelStudio
    workspace: Workspace
    backend: str

    def project(self, name: str) -> Project:
        return self.workspace.project(name)

    def bring(self, name: str, *tasks: dict[str, Any]) -> list[int]:
        """Import tasks; their ids."""
        path = f"/api/projects/{self.project(name).id}/import?return_task_ids=true"
        return list(self.api("POST", path, json=tasks)["task_ids"])

    def task(self, name: str, task_id: int) -> dict[str, Any]:
        """A task as it is stored; listing calls no backend, unlike asking for the task itself."""
        query = {"project": self.project(name).id, "fields": "all", "page_size": 500}
        return next(
            dict(task) for task in self.api("GET", "/api/tasks", params=query)["tasks"] if task["id"] == task_id
        )


@pytest.fixture(scope="module")
def setting(
    studio: Studio,
    sdk: Callable[[Account], LabelStudio],
    tiny_indexed: Workspace,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Setting]:
    workspace = Workspace(Path(shutil.copytree(tiny_indexed.root, tmp_path_factory.mktemp("studio") / "workspace")))
    client = sdk(studio.admin)
    for name, mode, query in (
        ("pushed", "blind", "text"),
        ("opened", "assist", "text"),
        ("silent", "blind", "text"),
        ("woken", "blind", "text"),
        ("polled", "blind", "text"),
        ("pictures", "blind", "image"),
    ):
        wanted: dict[str, Any] = {"query": query, "candidates": "image", "mode": mode}
        made = projects.create(client, name, Project(id=0, **wanted), workspace.rules)
        settings.add_project(workspace.settings_path, name, Project(id=made, **wanted))
    environment = {**LOGIN, "LABEL_STUDIO_URL": studio.url, "LABEL_STUDIO_API_KEY": studio.admin.token}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serve, "POLL", 3600.0)
        with (
            running_backend(workspace, host="127.0.0.1", port=0, workers=2, environment=environment) as url,
            requests.Session() as session,
        ):
            for name in ("pushed", "opened", "silent", "woken"):
                login = LOGIN.values()
                projects.ensure_backend(client, workspace.project(name), projects.Backend(url, *login))
            for name in ("opened", "silent"):
                for hook in client.webhooks.list(project=workspace.project(name).id):
                    client.webhooks.delete(hook.id or 0)  # so that nothing but opening fills there
            answer = session.post(f"{studio.url}/api/token/refresh/", json={"refresh": studio.admin.token}, timeout=30)
            session.headers["Authorization"] = f"Bearer {answer.json()['access']}"

            def api(method: str, path: str, **content: Any) -> Any:
                answered = session.request(method, studio.url + path, timeout=120, **content)
                assert answered.ok, answered.text
                return answered.json()

            wait_until(lambda: requests.get(f"{url}/health", timeout=5).json()["encoders"] == "ready")
            yield Setting(api, client, workspace, url)


def wait_until(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def is_complete(task: dict[str, Any]) -> bool:
    """Whether a task that was bare holds candidates of this tool, one card a document."""
    docs = task["meta"]["ls_retrieval"]["docs"] if envelope.is_filled(task) else {}
    return len(docs) == 4 and [card["id"] for card in task["data"]["candidates"]] == list(docs)


def test_retrieving_predictions_twice_stores_them_once_and_nothing_for_foreign_tasks(setting: Setting) -> None:
    retriever = Retriever(setting.workspace.root, RemoteEncoders(Path("/nowhere")))
    presenter = compose.presenter(setting.workspace, "pushed")
    queries = [presenter.queries[f"q-{colour}"] for colour in ("red", "blue", "green")]
    ours = [dict(presenter.screens(retriever.propose(query, "image"), query)[0]) for query in queries]
    foreign = {"data": {"query": " "}}
    task_ids = setting.bring("pushed", *ours, foreign)
    project = setting.project("pushed").id
    retrieve = f"/api/dm/actions?id=retrieve_tasks_predictions&project={project}"
    body = {"selectedItems": {"all": False, "included": task_ids}}
    for _ in range(2):
        setting.api("POST", retrieve, json=body)
        stored = setting.api("GET", f"/api/predictions/?project={project}")
        assert sorted(p["task"] for p in stored) == task_ids[:3]
        assert {p["model_version"] for p in stored} == {retriever.ranker.version}
        assert all(len(p["result"]) == 4 for p in stored)


def test_opening_a_bare_task_fills_it_at_once(setting: Setting) -> None:
    (task_id,) = setting.bring("opened", {"data": {"query": "a purple thing with wings"}})
    assert setting.task("opened", task_id)["data"] == {"query": "a purple thing with wings"}
    begun = time.monotonic()
    opened = setting.api("GET", f"/api/tasks/{task_id}?project={setting.project('opened').id}")
    assert time.monotonic() - begun < 10
    assert is_complete(opened)
    assert opened["data"]["query"] == "a purple thing with wings"
    pool = pools.load(setting.workspace.pools)[opened["meta"]["ls_retrieval"]["pool_id"]]
    assert list(opened["meta"]["ls_retrieval"]["docs"].values()) == [c.doc_id for c in pool.candidates]
    assert pool.query_id in {query.query_id for query in setting.workspace.read_queries().records}
    version = Retriever(setting.workspace.root, RemoteEncoders(Path("/nowhere"))).ranker.version
    assert {p["model_version"] for p in opened["predictions"]} == {version}
    assert {len(p["result"]) for p in opened["predictions"]} == {4}


def test_importing_bare_queries_wakes_the_backend_which_fills_them(setting: Setting) -> None:
    task_ids = setting.bring("woken", *({"data": {"query": f"a thing of colour {n}"}} for n in range(3)))
    wait_until(lambda: all(is_complete(setting.task("woken", task_id)) for task_id in task_ids), 30)


def test_in_a_blind_project_opening_a_task_asks_no_backend(setting: Setting) -> None:
    """Label Studio asks only where predictions are shown: bare tasks of blind projects wait for webhook or poll."""
    (task_id,) = setting.bring("silent", {"data": {"query": "a purple thing with wings"}})
    assert not is_complete(setting.api("GET", f"/api/tasks/{task_id}?project={setting.project('silent').id}"))


def test_only_what_label_studio_holds_is_filled_and_kept(setting: Setting, studio: Studio) -> None:
    (task_id,) = setting.bring("silent", {"data": {"query": "a thing that is there"}})
    project, other = setting.project("silent").id, setting.project("polled").id
    user, password = LOGIN.values()
    foreign = {"tasks": [{"id": task_id, "data": {"query": "a thing that is not there"}}], "project": f"{other}.1"}
    unknown = {"tasks": [{"id": 10**9, "data": {"query": "a thing that is not there"}}], "project": f"{project}.1"}
    changed = {"tasks": [{"id": task_id, "data": {"query": "a thing that is not there"}}], "project": f"{project}.1"}
    answers = [
        requests.post(f"{setting.backend}/predict", json=body, auth=(user, password), timeout=30).json()
        for body in (foreign, unknown, changed)
    ]
    assert [len(answer["results"][0]) for answer in answers] == [0, 0, 1]
    assert setting.task("silent", task_id)["data"]["query"] == "a thing that is there"
    kept = {query.text for query in setting.workspace.read_queries().records}
    assert "a thing that is there" in kept
    assert "a thing that is not there" not in kept


def test_the_start_training_button_learns_what_was_pulled_and_all_workers_follow(setting: Setting) -> None:
    project, there = setting.project("woken").id, setting.workspace
    retriever = Retriever(there.root, RemoteEncoders(Path("/nowhere")))
    before = retriever.ranker_of(project).version
    queries = {query.query_id: query for query in there.read_queries().records}
    made = [retriever.propose(queries[f"q-{colour}"], "image") for colour in ("red", "blue", "green")]
    said = [lessons.judgment(pool, c.doc_id, 1) for pool in made for c in pool.candidates]
    Table(there.judgments / str(project)).append(said, {})
    (backend,) = setting.client.ml.list(project=project)
    setting.client.ml.train(backend.id or 0)
    wait_until(lambda: retriever.ranker_of(project).version != before)
    now, (user, password) = retriever.ranker_of(project).version, LOGIN.values()
    for asked, expected in ((project, now), (setting.project("silent").id, before)):
        for _ in range(6):  # of both workers
            answer = requests.post(
                f"{setting.backend}/setup", json={"project": f"{asked}.17"}, auth=(user, password), timeout=30
            )
            assert answer.json() == {"model_version": expected}


def filler(setting: Setting, studio: Studio) -> Filler:
    """A filler that fills what needs no encoder."""
    environment = {"LABEL_STUDIO_URL": studio.url, "LABEL_STUDIO_API_KEY": studio.admin.token}
    return Filler({"LSR_WORKSPACE": str(setting.workspace.root), "LSR_ENCODER_SOCKET": "/nowhere", **environment})


def test_a_bare_task_that_cannot_be_filled_is_named_once_and_stops_no_other(
    setting: Setting, studio: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, good = setting.bring("pictures", *({"data": {"query": f"media/{c}-bar.png"}} for c in ("pink", "red")))
    project, one = setting.project("pictures").id, filler(setting, studio)
    for _ in range(2):
        one.project(project)
    assert is_complete(setting.task("pictures", good))
    said = capsys.readouterr().err
    assert said.count(f"task {bad} of project {project} was not filled: There is no file") == 1
    assert said.count("Mend: Put it there") == 1
    shutil.copy(setting.workspace.root / "media" / "red-bar.png", setting.workspace.root / "media" / "pink-bar.png")
    one.project(project)
    assert is_complete(setting.task("pictures", bad))


def test_filling_keeps_the_rules_and_waits_while_the_project_shows_earlier_ones(
    setting: Setting, studio: Studio, tmp_path: Path
) -> None:
    workspace = Workspace(Path(shutil.copytree(setting.workspace.root, tmp_path / "workspace")))
    shutil.rmtree(workspace.kept_rules, ignore_errors=True)
    (task_id,) = setting.bring("pictures", {"data": {"query": "media/blue-bar.png"}})
    project, one = setting.project("pictures").id, filler(setting._replace(workspace=workspace), studio)
    rules = workspace.rules_path.read_text()
    workspace.keep_rules(workspace.rules)
    workspace.rules_path.write_text(rules.replace("label: Exact", "label: Perfect"))
    with pytest.raises(Mendable, match="shows the config of earlier rules"):
        one.project(project)
    assert not is_complete(setting.task("pictures", task_id))
    shutil.rmtree(workspace.kept_rules)
    workspace.rules_path.write_text(rules)
    one.project(project)
    assert is_complete(setting.task("pictures", task_id))
    assert [path.read_text() for path in workspace.kept_rules.iterdir()] == [rules]


def test_a_bare_task_that_somebody_has_answered_is_not_touched(setting: Setting, studio: Studio) -> None:
    answered, open_ = setting.bring("polled", *({"data": {"query": f"a {c} thing"}} for c in ("red", "blue")))
    result = tiny.graded_answer({0: 3})
    setting.api("POST", f"/api/tasks/{answered}/annotations/", json={"result": result})
    for _ in range(2):
        filler(setting, studio).project(setting.project("polled").id)
    assert is_complete(setting.task("polled", open_))
    untouched = setting.task("polled", answered)
    assert untouched["data"] == {"query": "a red thing"}
    assert not untouched["meta"]
    assert [a["result"][0]["value"] for a in untouched["annotations"]] == [{"choices": ["3"]}]
