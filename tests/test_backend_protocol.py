"""What the backend answers to Label Studio, as functions and over HTTP: always n results, never a traceback."""

import base64
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from label_configs.errors import Mendable, Unreadable
from label_configs.records import Query
from ml_backend import protocol
from ml_backend.app import Credentials, create_app
from ml_backend.encoder_service import RemoteEncoders
from ml_backend.encoders.base import NotReady
from ml_backend.protocol import PredictRequest, Task
from ml_backend.retriever import Retriever
from store import pools
from store.workspace import Workspace
from sync.present import Presenter

BARE: Task = {"id": 7, "data": {"query": "a red thing"}, "meta": {}}
FILLED: Task = {"id": 8, "data": {}, "meta": {"ls_retrieval": {"pool_id": "p"}}}


def predict_filled(task: Mapping[str, Any]) -> dict[str, Any] | None:
    """A prediction for every task with an envelope."""
    return {"result": [], "score": task["id"]} if task.get("meta") else None


def answer(tasks: list[Task], fill: protocol.Fill | None = None, project: str | int | None = "3.17") -> list[Any]:
    return protocol.predictions(PredictRequest(tasks, project), lambda: predict_filled, fill)["results"]


# functions


@pytest.mark.parametrize(
    ("given", "expected"),
    [("12.1700000", 12), ("12", 12), (12, 12), ("", None), (None, None), ("x.1", None), ("-1.2", None), ("²", None)],
)
def test_the_project_id_is_what_stands_before_the_dot(given: str | int | None, expected: int | None) -> None:
    assert protocol.project_id(given) == expected


def test_a_number_longer_than_any_id_is_none() -> None:
    assert protocol.project_id("9" * 5000) is None


def test_there_is_one_result_a_task_and_foreign_tasks_get_an_empty_list() -> None:
    assert answer([]) == []
    assert answer([BARE]) == [[]]
    assert answer([BARE, FILLED, BARE]) == [[], [{"result": [], "score": 8}], []]


def test_a_bare_task_that_comes_alone_is_filled() -> None:
    asked: list[tuple[int, int]] = []

    def fill(project: int, task_id: int) -> Task:
        asked.append((project, task_id))
        return {**BARE, "meta": FILLED["meta"]}

    assert answer([BARE], fill) == [[{"result": [], "score": 7}]]
    assert answer([BARE, BARE], fill) == [[], []]
    assert answer([FILLED], fill) == [[{"result": [], "score": 8}]]
    assert answer([BARE], fill, project=None) == [[]]
    assert asked == [(3, 7)]


def test_a_task_that_cannot_be_filled_stays_bare() -> None:
    assert answer([BARE], lambda project, task_id: None) == [[]]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b'{"tasks": 1}',
        b'{"tasks": [1]}',
        b'{"tasks": null}',
        b'{"tasks": [], "project": 1.5}',
        b'{"tasks": [{"id": 1, "data": "\xff"}]}',
        b'{"tasks": [' + b"[" * 100_000,
    ],
)
def test_malformed_bodies_are_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable, match="not what Label Studio sends"):
        protocol.decode_predict(body)


@pytest.mark.parametrize(
    "task_id", ["../../rules.yaml", "7", "", None, True, 7.0, 7.5, 0, -7, 2**63, 10**400, [7], {"id": 7}]
)
def test_a_task_is_named_by_a_whole_number_alone(task_id: object) -> None:
    with pytest.raises(Unreadable):
        protocol.decode_predict(json.dumps({"tasks": [BARE, {**BARE, "id": task_id}]}).encode())
    with pytest.raises(Unreadable, match="id"):
        protocol.decode_predict(json.dumps({"tasks": [BARE, {"data": BARE["data"]}]}).encode())


def test_of_a_task_only_what_is_used_is_kept() -> None:
    sent = {**BARE, "id": 2**63 - 1, "annotations": [{"completed_by": "somebody"}]}
    assert protocol.decode_predict(json.dumps({"tasks": [sent]}).encode()).tasks == [{**BARE, "id": 2**63 - 1}]


@pytest.mark.parametrize(
    ("project", "expected"),
    [({"id": 3, "token": "secret"}, 3), ({}, None), ({"id": "3"}, None), ({"id": True}, None), ({"id": 3.0}, None)],
)
def test_of_a_webhook_only_action_and_whole_project_id_are_kept(project: object, expected: int | None) -> None:
    body = json.dumps({"action": "TASKS_CREATED", "project": project, "task_data_password": "secret"})
    assert protocol.decode_webhook(body.encode()) == ("TASKS_CREATED", expected)


def test_setup_names_its_project_and_may_name_none() -> None:
    assert protocol.decode_setup(b'{"project": "12.17", "access_token": "secret"}') == 12
    assert protocol.decode_setup(b"{}") is None


# the retriever's predictions


@pytest.fixture
def retriever(tiny_workspace: Workspace) -> Retriever:
    """Without an encoder process: pools of known queries need none."""
    return Retriever(tiny_workspace.root, RemoteEncoders(Path("/nowhere/encoders")))


@pytest.fixture
def task(tiny_workspace: Workspace, retriever: Retriever) -> dict[str, Any]:
    """A task of a pool that was made and kept."""
    from ls_retrieval import compose
    from store import settings

    settings.add_project(tiny_workspace.settings_path, "main", settings.Project(id=3, candidates="image"))
    presenter: Presenter = compose.presenter(tiny_workspace, "main")
    query = presenter.queries["q-red"]
    return {"id": 1, **presenter.screens(retriever.propose(query, "image"), query)[0]}


def test_a_task_of_a_kept_pool_is_predicted_for_every_card(retriever: Retriever, task: dict[str, Any]) -> None:
    predicted = retriever.predictor()(task)
    assert predicted is not None
    assert predicted["model_version"] == retriever.ranker.version
    assert [region["from_name"] for region in predicted["result"]] == ["rel_0", "rel_1", "rel_2", "rel_3"]


def changed(task: dict[str, Any], **envelope: object) -> dict[str, Any]:
    return {**task, "meta": {"ls_retrieval": {**task["meta"]["ls_retrieval"], **envelope}}}


def test_tasks_that_are_not_ours_or_were_changed_get_no_prediction(retriever: Retriever, task: dict[str, Any]) -> None:
    predict = retriever.predictor()
    foreign: list[dict[str, Any]] = [
        {},
        {**BARE},
        {"meta": None},
        {"meta": {"ls_retrieval": "x"}},
        changed(task, pool_id="unknown"),
        changed(task, rules_hash="other"),
        changed(task, form="another"),
        changed(task, docs={}),
        changed(task, docs=[]),
        {**changed(task, docs=["x"]), "data": {"candidates": [{"id": 5}]}},
        {**task, "data": None},
        {**task, "data": {"candidates": [{"id": ["c0"]}]}},
    ]
    assert [predict(one) for one in foreign] == [None] * len(foreign)


def test_a_query_that_stays_blind_in_a_project_that_assists_gets_no_prediction(
    retriever: Retriever, task: dict[str, Any]
) -> None:
    predict = retriever.predictor()
    assert predict(changed(task, assisted=False)) is None
    assert predict(changed(task, assisted=True)) == predict(task)


def test_a_worker_sees_pools_that_another_appends_meanwhile(
    retriever: Retriever, task: dict[str, Any], tiny_workspace: Workspace
) -> None:
    predict, path = retriever.predictor, next(tiny_workspace.pools.glob("*.parquet"))
    content = path.read_bytes()
    path.unlink()
    assert predict()(task) is None
    (path.parent / f".{path.name}.half").write_bytes(content[:100])  # what `files.replacing` writes before it renames
    assert predict()(task) is None
    path.write_bytes(content)
    assert predict()(task) is not None


def test_many_threads_of_a_worker_make_the_same_pool(retriever: Retriever, tiny_workspace: Workspace) -> None:
    made = []
    query = Query(query_id="q-red", text="a red thing", positives=("red-square",))
    threads = [threading.Thread(target=lambda: made.append(retriever.propose(query, "image"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [made[0]] * 4
    assert list(pools.load(tiny_workspace.pools).values()) == [made[0]]


def test_a_new_query_waits_for_the_encoders(retriever: Retriever) -> None:
    with pytest.raises(NotReady):
        retriever.propose(Query(query_id="new", text="something new"), "image")


def test_a_live_run_is_the_top_of_the_ranking_as_far_as_one_screen_can_judge_it(
    retriever: Retriever, tiny_workspace: Workspace
) -> None:
    query = Query(query_id="live", text="a red thing")  # whose vector is known
    shown = {c.rank: c.doc_id for c in retriever.propose(query, "image").candidates}
    run = pools.run(tiny_workspace.pools)
    assert [hit.doc_id for hit in run] == [shown[rank] for rank in range(1, len(run) + 1)]
    assert len(run) >= 2
    assert len(run) + 1 not in shown


# over HTTP


@pytest.fixture
def woken() -> list[int]:
    return []


@pytest.fixture
def client(retriever: Retriever, woken: list[int]) -> FlaskClient:
    def fill(project: int, task_id: int) -> Task | None:
        raise {1: NotReady("loading"), 2: Mendable("the disk is full"), 3: RuntimeError("secret detail")}[task_id]

    app = create_app(retriever, fill=fill, wake=woken.append, credentials=Credentials("ls", "pass:wörd"))
    return app.test_client()


def login(user: str = "ls", password: str = "pass:wörd") -> dict[str, str]:  # noqa: S107
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.mark.parametrize("path", ["/", "/health"])
def test_health_is_open_and_up_while_the_model_loads(client: FlaskClient, path: str) -> None:
    assert client.get(path).json == {"status": "UP", "model_class": "Retriever", "encoders": "loading"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        login(password="wrong"),
        login(user="wrong"),
        login(password=""),
        {"Authorization": "Bearer x"},
        {"Authorization": "Basic !"},
        {"Authorization": "Digest username=ls"},
    ],
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/setup"), ("POST", "/predict"), ("GET", "/versions")])
def test_everything_else_asks_for_credentials(
    client: FlaskClient, headers: dict[str, str], method: str, path: str
) -> None:
    refused = client.open(path, method=method, headers=headers)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Basic")


def test_setup_and_versions_tell_the_model_version(client: FlaskClient, retriever: Retriever) -> None:
    version = retriever.ranker.version
    assert client.post("/setup", json={"project": "1.2"}, headers=login()).json == {"model_version": version}
    assert client.get("/versions", headers=login()).json == {"versions": [version]}


def test_predict_answers_filled_and_foreign_tasks_in_order(client: FlaskClient, task: dict[str, Any]) -> None:
    body = {"tasks": [BARE, task], "project": "3.17", "label_config": "<View/>", "params": {"context": None}}
    results = (client.post("/predict", json=body, headers=login()).json or {})["results"]
    assert [len(result) for result in results] == [0, 1]


@pytest.mark.parametrize("task_id", [1, 2])
def test_a_task_that_cannot_be_filled_now_gets_an_empty_list(client: FlaskClient, task_id: int) -> None:
    body = {"tasks": [{**BARE, "id": task_id}], "project": "3.17"}
    assert client.post("/predict", json=body, headers=login()).json == {"results": [[]]}


def test_errors_are_sentences(client: FlaskClient) -> None:
    malformed = client.post("/predict", data=b"{", content_type="application/json", headers=login())
    assert malformed.status_code == 400
    assert (malformed.json or {})["error"].startswith("The body is not what Label Studio sends: ")
    failed = client.post("/predict", json={"tasks": [{**BARE, "id": 3}], "project": "3.1"}, headers=login())
    assert failed.status_code == 500
    assert failed.json == {"error": "The backend failed; its log says where."}
    for refused, status in ((client.get("/no"), 401), (client.get("/no", headers=login()), 404)):
        assert refused.status_code == status
        assert b"Traceback" not in refused.data


def test_a_workspace_that_was_moved_is_told_as_a_sentence(client: FlaskClient, tiny_workspace: Workspace) -> None:
    tiny_workspace.rules_path.unlink()
    gone = client.post("/setup", json={}, headers=login())
    assert gone.status_code == 503
    assert "There is no" in (gone.json or {})["error"]


def test_a_body_that_is_too_large_is_refused(client: FlaskClient) -> None:
    client.application.config["MAX_CONTENT_LENGTH"] = 1000
    for path in ("/predict", "/webhook"):
        refused = client.post(path, data=b"x" * 1001, content_type="application/json", headers=login())
        assert refused.status_code == 413
        assert "error" in (refused.json or {})


@pytest.mark.parametrize("path", ["/setup", "/predict", "/webhook"])
@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_what_a_page_may_send_without_asking_is_refused(
    client: FlaskClient, woken: list[int], path: str, kind: str
) -> None:
    refused = client.post(path, data=json.dumps(hook("TASKS_CREATED")), content_type=kind, headers=login())
    assert refused.status_code == 415
    assert "application/json" in (refused.json or {})["error"]
    settle()
    assert woken == []


def hook(action: str, project: object = 3) -> dict[str, object]:
    return {"action": action, "project": {"id": project, "token": "secret"}}


def settle() -> None:
    for thread in threading.enumerate():
        if thread.name.endswith("(_run)"):
            thread.join()


def test_the_webhook_wakes_for_new_tasks_of_a_project_only(client: FlaskClient, woken: list[int]) -> None:
    silent = [
        hook("ANNOTATION_CREATED"),
        hook("TASKS_DELETED"),
        hook("TASKS_CREATED", "3"),
        hook("TASKS_CREATED", True),
    ]
    for body in [*silent, hook("TASKS_CREATED")]:
        assert client.post("/webhook", json=body).json == {"status": "ok"}
    settle()
    assert woken == [3]


def test_the_start_training_button_starts_learning_and_nothing_else(retriever: Retriever) -> None:
    learned: list[int] = []
    woken: list[int] = []
    client = create_app(retriever, wake=woken.append, learn=learned.append).test_client()
    for action in ("START_TRAINING", "PROJECT_UPDATED"):
        assert client.post("/webhook", json=hook(action)).json == {"status": "ok"}
    settle()
    assert (learned, woken) == ([3], [])


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"project": {"id": 3}}', b'{"action": 1}'])
def test_a_malformed_webhook_is_refused_and_wakes_nobody(client: FlaskClient, woken: list[int], body: bytes) -> None:
    assert client.post("/webhook", data=body, content_type="application/json").status_code == 400
    settle()
    assert woken == []
