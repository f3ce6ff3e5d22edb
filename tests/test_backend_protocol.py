"""What the backend answers to Label Studio, as functions and over HTTP: always n results, never a traceback."""

import base64
import json
import shutil
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from label_configs.errors import Mendable, Unreadable
from label_configs.forms import answers, graded
from label_configs.forms.envelope import is_filled
from label_configs.records import Pool, Query
from ml_backend import protocol
from ml_backend.app import create_app
from ml_backend.encoder_service import RemoteEncoders
from ml_backend.encoders.base import NotReady
from ml_backend.guard import Credentials, Guard, is_loopback
from ml_backend.protocol import Given, PredictRequest, Task
from ml_backend.retriever import Retriever
from store import pools
from store.workspace import Workspace
from sync.present import Presenter

BARE: Task = {"id": 7, "data": {"query": "a red thing"}, "meta": {}}
FILLED: Task = {"id": 8, "data": {}, "meta": {"ls_retrieval": {"pool_id": "p"}}}


def predict_filled(task: Mapping[str, Any]) -> dict[str, Any] | None:
    """A prediction for every task with an envelope."""
    return {"result": [], "score": task["id"]} if is_filled(task) else None


def predict_all(tasks: Sequence[Given]) -> list[dict[str, Any] | None]:
    """The same for many."""
    return [predict_filled(task) if isinstance(task, Mapping) else None for task in tasks]


def answer(tasks: Sequence[Given], project: int | None = 3, **acts: Any) -> list[Any]:
    return protocol.predictions(PredictRequest(tasks, project), lambda: predict_all, **acts)["results"]


def read(*tasks: object, **more: object) -> PredictRequest:
    return protocol.decode_predict(json.dumps({"tasks": tasks, **more}).encode())


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

    assert answer([BARE], fill=fill) == [[{"result": [], "score": 7}]]
    assert answer([BARE, BARE], fill=fill) == [[], []]
    assert answer([FILLED], fill=fill) == [[{"result": [], "score": 8}]]
    assert answer([BARE], None, fill=fill) == [[]]
    assert asked == [(3, 7)]


def test_a_task_that_cannot_be_filled_stays_bare() -> None:
    assert answer([BARE], fill=lambda project, task_id: None) == [[]]


def test_many_bare_tasks_are_answered_as_they_are_and_their_project_is_woken_once() -> None:
    woken: list[int] = []

    def fill(project: int, task_id: int) -> None:
        pytest.fail("nobody waits for that")

    assert answer([BARE] * 3000, fill=fill, wake=woken.append) == [[]] * 3000
    assert woken == [3]
    assert answer([FILLED, None, BARE, FILLED], fill=fill, wake=woken.append)[1:3] == [[], []]
    assert woken == [3, 3]
    assert answer([FILLED, FILLED], wake=woken.append) == [[{"result": [], "score": 8}]] * 2
    assert answer([None, None], wake=woken.append) == [[], []]
    assert answer([BARE, BARE], None, wake=woken.append) == [[], []]
    assert woken == [3, 3]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b'{"tasks": 1}',
        b'{"tasks": null}',
        b'{"tasks": [], "project": 1.5}',
        b'{"tasks": [{"id": 1},{]}',
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
    assert read(BARE, {**BARE, "id": task_id}, BARE).tasks == [BARE, None, BARE]


@pytest.mark.parametrize(
    "odd",
    [b"1", b"null", b'"x"', b"[]", b"{}", b'{"data": {}}', b'{"id": 1, "data": "\xff"}', b'{"id": 1, "meta": 1e999}'],
)
def test_a_task_that_is_none_takes_none_of_the_others_with_it(odd: bytes) -> None:
    good = json.dumps(BARE).encode()
    assert protocol.decode_predict(b'{"tasks": [%b, %b, %b]}' % (good, odd, good)).tasks == [BARE, None, BARE]
    assert answer([FILLED, None, FILLED]) == [[{"result": [], "score": 8}], [], [{"result": [], "score": 8}]]


@pytest.mark.parametrize("data", ["text", 5, None, [], [[]], {"query": {}}, {"candidates": "x"}])
@pytest.mark.parametrize("meta", ["text", 5, None, [], {"ls_retrieval": []}])
def test_whatever_a_task_holds_it_is_a_task(data: object, meta: object) -> None:
    assert answer(read({"id": 1, "data": data, "meta": meta}, FILLED).tasks) == [[], [{"result": [], "score": 8}]]


def test_of_a_task_only_what_is_used_is_kept() -> None:
    sent = {**BARE, "id": 2**63 - 1, "annotations": [{"completed_by": "somebody"}]}
    assert read(sent).tasks == [{**BARE, "id": 2**63 - 1}]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"context": {"result": []}}, {"result": []}),
        ({"context": None, "login": "x"}, None),
        ({"context": "x"}, None),
        ({}, None),
        ([], None),
        (None, None),
        ("x", None),
    ],
)
def test_of_the_parameters_only_the_context_is_kept(params: object, expected: object) -> None:
    assert read(BARE, params=params).context == expected


def test_an_interactive_request_gets_one_prediction_a_task_if_an_empty_one() -> None:
    asked: list[object] = []

    def closer(task: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any] | None:
        asked.append((task["id"], context))
        return predict_filled(task)

    request = PredictRequest([BARE, None, FILLED], 3, {"result": ["said"]})
    assert protocol.interactive(request, closer) == {
        "results": [{"result": []}, {"result": []}, {"result": [], "score": 8}]
    }
    assert asked == [(7, {"result": ["said"]}), (8, {"result": ["said"]})]


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
    (predicted,) = retriever.predictor()([task])
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
        {**task, "data": {**task["data"], "candidates": task["data"]["candidates"][::-1]}},
        changed(task, docs={**task["meta"]["ls_retrieval"]["docs"], "c0": "of another pool"}),
    ]
    assert predict(foreign) == [None] * len(foreign)


def test_a_query_that_stays_blind_in_a_project_that_assists_gets_no_prediction(
    retriever: Retriever, task: dict[str, Any]
) -> None:
    silent, assisted, plainly = retriever.predictor()(
        [changed(task, assisted=False), changed(task, assisted=True), task]
    )
    assert silent is None
    assert assisted == plainly is not None


def test_a_worker_sees_pools_that_another_appends_meanwhile(
    retriever: Retriever, task: dict[str, Any], tiny_workspace: Workspace
) -> None:
    predict, path = retriever.predictor, next(tiny_workspace.pools.glob("*.parquet"))
    content = path.read_bytes()
    path.unlink()
    assert predict()([task]) == [None]
    (path.parent / f".{path.name}.half").write_bytes(content[:100])  # what `files.replacing` writes before it renames
    assert predict()([task]) == [None]
    path.write_bytes(content)
    assert predict()([task]) != [None]


def test_a_prediction_that_label_studio_would_not_survive_is_left_out_and_said_once(
    retriever: Retriever, task: dict[str, Any], tiny_workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    (pool,) = pools.load(tiny_workspace.pools).values()
    shutil.rmtree(tiny_workspace.pools)
    odd = replace(pool.candidates[0], score=float("nan"))
    pools.append(tiny_workspace.pools, [replace(pool, candidates=(odd, *pool.candidates[1:]))])
    assert [retriever.predictor()([task]) for _ in range(3)] == [[None]] * 3
    assert [record.message for record in caplog.records] == [
        "task 1 gets no prediction: expected a finite score, found nan"
    ]


def test_a_context_scores_the_cards_by_those_that_answer(retriever: Retriever, task: dict[str, Any]) -> None:
    (plain,), closer = retriever.predictor()([task]), retriever.closer()
    assert closer(task, {}) == closer(task, {"result": []}) == plain
    liked = closer(task, {"result": [graded.answer(2, "3"), graded.answer(0, "0")]})
    assert liked is not None
    grades = [int(region["value"]["choices"][0]) for region in liked["result"]]
    assert grades[2] == max(grades)
    assert liked["score"] != (plain or {})["score"]


@pytest.mark.parametrize(
    "context",
    [
        {"result": [answers.region("better", "text", ["in words"])]},  # while no encoder answers
        {"result": [{"from_name": "rel_9"}, 5, None, {}]},
        {"result": "x"},
        {"result": {"x": []}},
        {"other": [1]},
    ],
)
def test_a_context_that_cannot_be_taken_up_gets_what_is_predicted_anyway(
    retriever: Retriever, task: dict[str, Any], context: dict[str, Any]
) -> None:
    assert [retriever.closer()(task, context)] == retriever.predictor()([task])
    assert retriever.closer()({"id": 1, "data": {}, "meta": {}}, context) is None
    assert retriever.closer()(changed(task, assisted=False), context) is None


def test_a_query_that_has_a_pool_keeps_it(retriever: Retriever, tiny_workspace: Workspace) -> None:
    """Whoever imports a query that was pooled already gets the first screen of that pool."""
    from ls_retrieval import compose
    from store import settings

    settings.add_project(tiny_workspace.settings_path, "main", settings.Project(id=3, candidates="image"))
    compose.make_pools(tiny_workspace, "main")
    before = pools.load(tiny_workspace.pools)
    query = Query(query_id="q-red", text="a red thing")
    proposed = retriever.propose(query, "image")
    assert len(proposed.candidates) == 8
    assert before[proposed.pool_id] == proposed
    assert pools.load(tiny_workspace.pools) == before


def test_the_order_that_a_project_shows_is_the_order_of_the_kept_pool(
    retriever: Retriever, tiny_workspace: Workspace
) -> None:
    query = Query(query_id="q-red", text="a red thing")

    def best_first(pool: Pool) -> Pool:
        return replace(pool, candidates=tuple(sorted(pool.candidates, key=lambda c: -c.score)))

    shuffled, ranked = retriever.propose(query, "image"), retriever.propose(query, "image", best_first)
    assert shuffled.pool_id != ranked.pool_id
    assert sorted(c.doc_id for c in shuffled.candidates) == sorted(c.doc_id for c in ranked.candidates)
    assert set(pools.load(tiny_workspace.pools)) == {shuffled.pool_id, ranked.pool_id}


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


def test_a_query_that_came_live_gets_the_pool_and_the_run_that_would_have_been_made_ahead_of_time(
    retriever: Retriever, tiny_workspace: Workspace, tmp_path: Path
) -> None:
    from ls_retrieval import compose
    from store import settings

    ahead = Workspace(Path(shutil.copytree(tiny_workspace.root, tmp_path / "ahead")))
    settings.add_project(ahead.settings_path, "main", settings.Project(id=3, candidates="image"))
    compose.make_pools(ahead, "main")
    (query,) = (one for one in tiny_workspace.read_queries().records if one.query_id == "q-red")
    pool = retriever.propose(query, "image")
    assert pools.load(ahead.pools)[pool.pool_id] == pool
    assert len(pool.candidates) == 8  # two screens
    assert pools.run(tiny_workspace.pools) == [hit for hit in pools.run(ahead.pools) if hit.query_id == "q-red"]


# over HTTP


SECRET = "made up for this test"
CREDENTIALS = Credentials("ls", "pass:wörd")


@pytest.fixture
def woken() -> list[int]:
    return []


@pytest.fixture
def trained() -> list[int]:
    return []


@pytest.fixture
def client(retriever: Retriever, woken: list[int], trained: list[int]) -> FlaskClient:
    def fill(project: int, task_id: int) -> Task | None:
        raise {1: NotReady("loading"), 2: Mendable("the disk is full"), 3: RuntimeError("secret detail")}[task_id]

    app = create_app(
        retriever, fill=fill, wake=woken.append, train=trained.append, credentials=CREDENTIALS, secret=SECRET
    )
    return app.test_client()


def login(user: str = "ls", password: str = "pass:wörd") -> dict[str, str]:  # noqa: S107
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


BY_SECRET = {"X-LS-Retrieval-Secret": SECRET}
STRANGERS: list[dict[str, str]] = [
    {},
    login(password="wrong"),
    login(user="wrong"),
    login(password=""),
    {"Authorization": "Bearer x"},
    {"Authorization": "Basic !"},
    {"Authorization": "Digest username=ls"},
    {"X-LS-Retrieval-Secret": ""},
    {"X-LS-Retrieval-Secret": SECRET[:-1]},
    {"X-LS-Retrieval-Secret": "mäde up"},
]
PAGE = [("GET", f"/ui{place}") for place in ("/", "/state", "/thumb", "/media", "/static/<path:filename>")]
PAGE += [("POST", "/ui/pool"), ("POST", "/ui/settings")]
PROTOCOL = [("GET", "/"), ("POST", "/setup"), ("POST", "/predict"), ("GET", "/versions")]
ENDPOINTS = [*PROTOCOL, *PAGE, ("POST", "/webhook")]


def test_health_is_open_and_up_while_the_model_loads(client: FlaskClient) -> None:
    answer = client.get("/health", headers={"Host": "somewhere.else"})
    assert answer.json == {"status": "UP", "model_class": "Retriever", "encoders": "loading"}


@pytest.mark.parametrize("headers", STRANGERS)
@pytest.mark.parametrize(("method", "path"), [*ENDPOINTS, ("GET", "/no-such-page")])
def test_everything_else_asks_for_credentials(
    client: FlaskClient, woken: list[int], headers: dict[str, str], method: str, path: str
) -> None:
    body = json.dumps(hook("TASKS_CREATED"))
    refused = client.open(path, method=method, data=body, content_type="application/json", headers=headers)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Basic")
    settle()
    assert woken == []


def test_every_endpoint_there_is_has_been_asked(client: FlaskClient) -> None:
    rules = {(rule.rule) for rule in client.application.url_map.iter_rules() if rule.endpoint != "static"}
    assert rules == {path for _, path in ENDPOINTS} | {"/health"}


def test_the_secret_opens_the_webhook_and_nothing_else(client: FlaskClient) -> None:
    assert client.post("/webhook", json=hook("TASKS_CREATED"), headers=BY_SECRET).status_code == 200
    assert client.post("/webhook", json=hook("TASKS_CREATED"), headers=login()).status_code == 200
    for method, path in ENDPOINTS[:-1]:
        assert client.open(path, method=method, json={}, headers=BY_SECRET).status_code == 401


def test_a_secret_alone_closes_the_webhook_alone(retriever: Retriever) -> None:
    client = create_app(retriever, secret=SECRET).test_client()
    assert client.post("/webhook", json=hook("TASKS_CREATED")).status_code == 401
    assert client.post("/webhook", json=hook("TASKS_CREATED"), headers=BY_SECRET).status_code == 200
    assert client.get("/versions").status_code == 200


def test_credentials_alone_close_the_webhook_too(retriever: Retriever) -> None:
    client = create_app(retriever, credentials=CREDENTIALS).test_client()
    assert client.post("/webhook", json=hook("TASKS_CREATED"), headers=BY_SECRET).status_code == 401
    assert client.post("/webhook", json=hook("TASKS_CREATED"), headers=login()).status_code == 200


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9090", "127.8.9.10", "[::1]:9090"])
def test_without_credentials_only_this_machine_is_answered(retriever: Retriever, host: str) -> None:
    """A page of somebody else's, whose name leads to 127.0.0.1, would be of the backend's own origin."""
    client = create_app(retriever).test_client()
    assert client.get("/versions", headers={"Host": host}).status_code == 200
    for other in ("evil.example", "localhost.evil.example", "192.168.0.7", "[fe80::1]:9090"):
        assert client.get("/versions", headers={"Host": other}).status_code == 403
    known = create_app(retriever, credentials=CREDENTIALS).test_client()
    assert known.get("/versions", headers={"Host": "backend:9090", **login()}).status_code == 200


@pytest.mark.parametrize(
    ("host", "alone"),
    [
        *((host, True) for host in ("127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost")),
        *((host, False) for host in ("", "0.0.0.0", "::", "10.0.0.1", "backend", "127.0.0.1.example")),  # noqa: S104
    ],
)
def test_which_addresses_are_this_machines_alone(host: str, alone: bool) -> None:
    assert is_loopback(host) is alone


def test_who_guesses_passwords_is_not_listened_to_for_a_minute() -> None:
    now = [100.0]
    guard = Guard(CREDENTIALS, SECRET, clock=lambda: now[0])

    def status(headers: dict[str, str], address: str = "10.0.0.9") -> int | None:
        asked = Request(EnvironBuilder(headers=Headers(headers), environ_base={"REMOTE_ADDR": address}).get_environ())
        try:
            guard.check(asked, webhook=True)
        except HTTPException as error:
            return error.code
        return 200

    assert [status({}) for _ in range(50)] == [401] * 50  # Label Studio's own webhook, which knows nothing
    assert status(login()) == 200
    assert [status(login(password=str(n))) for n in range(20)] == [401] * 20
    assert status(login()) == status(BY_SECRET) == 429
    assert status(login(), "10.0.0.8") == 200
    now[0] += 61
    assert status(login()) == 200


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
    missing = client.get("/no", headers=login())
    assert missing.status_code == 404
    assert b"Traceback" not in missing.data


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
        if thread.name in {"waking", "training"}:
            thread.join()


def test_the_webhook_wakes_for_new_tasks_of_a_project_only(
    client: FlaskClient, woken: list[int], trained: list[int]
) -> None:
    silent = [
        hook("ANNOTATION_CREATED"),
        hook("TASKS_DELETED"),
        hook("TASKS_CREATED", "3"),
        hook("TASKS_CREATED", True),
    ]
    for body in [*silent, hook("TASKS_CREATED")]:
        assert client.post("/webhook", json=body, headers=BY_SECRET).json == {"status": "ok"}
    settle()
    assert (woken, trained) == ([3], [])


def test_start_training_comes_to_the_webhook_with_the_credentials(
    client: FlaskClient, woken: list[int], trained: list[int]
) -> None:
    assert client.post("/webhook", json=hook("START_TRAINING"), headers=login()).json == {"status": "ok"}
    settle()
    assert (woken, trained) == ([], [3])


def test_the_webhook_is_answered_before_anything_is_done_and_what_comes_meanwhile_is_done_once_more(
    retriever: Retriever,
) -> None:
    done: list[int] = []
    begun, go_on = threading.Event(), threading.Event()

    def wake(project: int) -> None:
        begun.set()
        assert go_on.wait(10)
        done.append(project)

    client = create_app(retriever, wake=wake).test_client()
    assert client.post("/webhook", json=hook("TASKS_CREATED")).status_code == 200
    assert begun.wait(10)
    for _ in range(5):
        assert client.post("/webhook", json=hook("TASKS_CREATED")).status_code == 200
    assert done == []
    go_on.set()
    settle()
    settle()  # the second thread is started by the first
    assert done == [3, 3]


@pytest.mark.parametrize("error", [Mendable("the disk is full"), RuntimeError("unexpected")])
def test_a_project_that_could_not_be_filled_is_woken_again(retriever: Retriever, error: Exception) -> None:
    asked: list[int] = []

    def wake(project: int) -> None:
        asked.append(project)
        raise error

    client = create_app(retriever, wake=wake).test_client()
    for _ in range(2):
        assert client.post("/webhook", json=hook("TASKS_CREATED")).status_code == 200
        settle()
    assert asked == [3, 3]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"project": {"id": 3}}', b'{"action": 1}'])
def test_a_malformed_webhook_is_refused_and_wakes_nobody(client: FlaskClient, woken: list[int], body: bytes) -> None:
    answer = client.post("/webhook", data=body, content_type="application/json", headers=BY_SECRET)
    assert answer.status_code == 400
    settle()
    assert woken == []
