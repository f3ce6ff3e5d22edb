"""What the backend does inside a real Label Studio: predictions stored once, bare tasks filled, others left alone."""

import dataclasses
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import lessons
import pytest
import requests
import tiny
from label_studio_sdk import LabelStudio
from people import Person

from label_configs.errors import Mendable
from label_configs.forms import FORMS, check, envelope, graded
from label_configs.records import Pool, Query
from ls_retrieval import compose, filling
from ls_retrieval.filling import Filler
from ls_retrieval.serve import running_backend
from ls_retrieval.studio import Account, Studio
from ml_backend.encoder_service import RemoteEncoders
from ml_backend.retriever import Retriever
from store import pools, settings
from store.judgments import Table
from store.settings import Project
from store.workspace import Workspace
from sync import projects
from sync.fill import fill

LOGIN = {"BASIC_AUTH_USER": "label-studio", "BASIC_AUTH_PASS": "made up here"}
SECRET = "made up here too"


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
        ("busy", "assist", "text"),
    ):
        wanted: dict[str, Any] = {"query": query, "candidates": "image", "mode": mode}
        made = projects.create(client, name, Project(id=0, **wanted), workspace.rules)
        settings.add_project(workspace.settings_path, name, Project(id=made, **wanted))
    environment = served(studio)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(filling, "POLL", 3600.0)
        with (
            running_backend(workspace, host="127.0.0.1", port=0, workers=2, environment=environment) as url,
            requests.Session() as session,
        ):
            for name in ("pushed", "opened", "silent", "woken"):
                connect(client, workspace.project(name).id, url, wakes=name in {"pushed", "woken"})
            answer = session.post(f"{studio.url}/api/token/refresh/", json={"refresh": studio.admin.token}, timeout=30)
            session.headers["Authorization"] = f"Bearer {answer.json()['access']}"

            def api(method: str, path: str, **content: Any) -> Any:
                answered = session.request(method, studio.url + path, timeout=120, **content)
                assert answered.ok, answered.text
                return answered.json()

            wait_until(lambda: requests.get(f"{url}/health", timeout=5).json()["encoders"] == "ready")
            yield Setting(api, client, workspace, url)


def served(studio: Studio) -> dict[str, str]:
    """What the processes of a backend find in their environment."""
    secret = {"LSR_WEBHOOK_SECRET": SECRET}
    return {**LOGIN, **secret, "LABEL_STUDIO_URL": studio.url, "LABEL_STUDIO_API_KEY": studio.admin.token}


def connect(client: LabelStudio, project: int, url: str, *, wakes: bool) -> None:
    """Connect the backend, and a webhook that knows the secret in place of the one that Label Studio makes."""
    user, password = LOGIN.values()
    client.ml.create(
        project=project,
        url=url,
        title="ls-retrieval",
        is_interactive=True,
        auth_method="BASIC_AUTH",
        basic_auth_user=user,
        basic_auth_pass=password,
    )
    for hook in client.webhooks.list(project=project):
        client.webhooks.delete(hook.id or 0)
    if wakes:
        headers = {"X-LS-Retrieval-Secret": SECRET}
        actions: Any = ["TASKS_CREATED"]
        client.webhooks.create(
            url=f"{url}/webhook", project=project, headers=headers, send_for_all_actions=False, actions=actions
        )


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
    screens = [presenter.screens(retriever.propose(query, "image"), query)[0] for query in queries]
    ours: list[dict[str, Any]] = [dict(task) for task in screens]
    foreign: list[dict[str, Any]] = [
        {"data": {"query": " "}},
        {"data": {"query": "", "candidates": "x"}, "meta": {"of others": {"docs": []}}},
        {"data": {**ours[0]["data"], "candidates": []}, "meta": ours[0]["meta"]},
    ]
    task_ids = setting.bring("pushed", *ours, *foreign)
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
    assert list(opened["meta"]["ls_retrieval"]["docs"].values()) == [c.doc_id for c in pool.candidates[:4]]
    assert pool.query_id in {query.query_id for query in setting.workspace.read_queries().records}
    version = Retriever(setting.workspace.root, RemoteEncoders(Path("/nowhere"))).ranker.version
    assert {p["model_version"] for p in opened["predictions"]} == {version}
    assert {len(p["result"]) for p in opened["predictions"]} == {4}


def test_importing_bare_queries_wakes_the_backend_which_fills_them(setting: Setting) -> None:
    task_ids = setting.bring("woken", *({"data": {"query": f"a thing of colour {n}"}} for n in range(3)))
    wait_until(lambda: all(is_complete(setting.task("woken", task_id)) for task_id in task_ids), 30)


def test_a_webhook_without_the_secret_is_refused(setting: Setting) -> None:
    """Label Studio makes such a one beside every backend: it cannot authenticate."""
    hook = {"action": "TASKS_CREATED", "project": {"id": setting.project("silent").id}}
    assert requests.post(f"{setting.backend}/webhook", json=hook, timeout=5).status_code == 401


def test_in_a_blind_project_opening_a_task_asks_no_backend(setting: Setting) -> None:
    """Label Studio asks only where predictions are shown: bare tasks of blind projects wait for webhook or poll."""
    (task_id,) = setting.bring("silent", {"data": {"query": "a purple thing with wings"}})
    assert not is_complete(setting.api("GET", f"/api/tasks/{task_id}?project={setting.project('silent').id}"))
    setting.client.tasks.delete(str(task_id))


def test_bare_tasks_that_are_asked_about_together_are_stored_nothing_for_and_filled_after_the_answer(
    setting: Setting,
) -> None:
    project, queries = setting.project("silent").id, ("a round thing", "an angular thing", "a long thing")
    task_ids = setting.bring("silent", *({"data": {"query": query}} for query in queries))
    retrieve = f"/api/dm/actions?id=retrieve_tasks_predictions&project={project}"
    setting.api("POST", retrieve, json={"selectedItems": {"all": False, "included": task_ids}})

    def stored() -> list[int]:  # other tests have left bare tasks in the project
        found = setting.api("GET", f"/api/predictions/?project={project}")
        return sorted(one["task"] for one in found if one["task"] in task_ids)

    assert stored() == []
    wait_until(lambda: stored() == task_ids)  # for the Data Manager
    assert all(is_complete(setting.task("silent", task_id)) for task_id in task_ids)
    setting.api("POST", retrieve, json={"selectedItems": {"all": False, "included": task_ids}})
    assert stored() == task_ids


def test_a_context_gets_the_candidates_of_its_task_scored_by_what_was_said(setting: Setting) -> None:
    project = setting.project("silent").id
    (task_id,) = setting.bring("silent", {"data": {"query": "a thing of any colour"}})
    (backend,) = setting.client.ml.list(project=project)

    def asked(*regions: dict[str, Any]) -> Any:
        body = {"task": task_id, "context": {"result": regions}}
        return setting.api("POST", f"/api/ml/{backend.id}/interactive-annotating", json=body)

    assert asked() == {"data": {"result": []}}
    hook = {"action": "TASKS_CREATED", "project": {"id": project}}
    requests.post(f"{setting.backend}/webhook", json=hook, headers={"X-LS-Retrieval-Secret": SECRET}, timeout=5)
    wait_until(lambda: is_complete(setting.task("silent", task_id)))
    plain, liking = asked()["data"], asked(graded.answer(2, "3"))["data"]
    wording = asked({"from_name": "better", "to_name": "query", "type": "textarea", "value": {"text": ["a black bar"]}})
    for found in (plain, liking, wording["data"]):
        assert [region["from_name"] for region in found["result"]] == ["rel_0", "rel_1", "rel_2", "rel_3"]
    assert len({plain["score"], liking["score"], wording["data"]["score"]}) == 3
    assert asked({"from_name": "rel_9"}, {"nothing": 1}) == {"data": plain}
    stored = setting.api("GET", f"/api/tasks/{task_id}?project={project}")["predictions"]
    assert {p["score"] for p in stored} <= {plain["score"]}  # what was shown is not stored


CSV = dict.fromkeys(("graded", "review"), "query\n") | dict.fromkeys(
    ("buckets", "ranking", "pairwise", "selection"), "query,candidates\n"
)


@pytest.mark.parametrize("name", CSV)
def test_queries_that_come_as_a_csv_get_ranked_candidates_with_hard_negatives_in_every_form(
    setting: Setting, studio: Studio, name: str
) -> None:
    mode = FORMS[name].MODE
    wanted: dict[str, Any] = {"form": name, "query": "text", "candidates": "image", "mode": mode}
    made = projects.create(setting.client, f"as {name}", Project(id=0, **wanted), setting.workspace.rules)
    settings.add_project(setting.workspace.settings_path, f"as {name}", Project(id=made, **wanted))
    colours = ("red", "green", "blue", "orange", "purple", "black")
    blank = "," if "," in CSV[name] else ""
    content = CSV[name] + "".join(f"a {colour} thing{blank}\n" for colour in colours)
    imported = setting.api("POST", f"/api/projects/{made}/import", files={"file": ("q.csv", content, "text/csv")})
    assert imported["task_count"] == 6

    one = filler(setting, studio)
    for _ in range(2):
        one.project(made)
    tasks = setting.api("GET", "/api/tasks", params={"project": made, "fields": "all", "page_size": 500})["tasks"]
    screens = {"pairwise": 8, "review": 8}.get(name, 2)  # a pool of eight is a ring of eight pairs, or eight cards
    assert len(tasks) == 6 * screens
    kept, rules = pools.load(setting.workspace.pools), setting.workspace.rules
    for task, predicted in zip(tasks, one.retriever.predictor()(tasks), strict=True):
        shown = envelope.read(task, made)
        pool = kept[shown.pool_id]
        assert len(pool.candidates) == 8
        assert [c.role for c in pool.candidates].count("hard_negative") == 2
        scores = [c.score for c in pool.candidates]
        helped = task["meta"]["ls_retrieval"].get("assisted", False)
        assert (scores == sorted(scores, reverse=True)) == helped or not helped
        assert (predicted is None) == (mode == "assist" and not helped)
        assert predicted is None or check.problems(task, predicted, rules) == []
        if mode == "blind":  # in a project that assists Label Studio asks when the task is opened
            assert [p["model_version"] for p in task["predictions"]] == [one.retriever.ranker.version]
    assert any(t["meta"]["ls_retrieval"].get("assisted") for t in tasks) == (mode == "assist")
    assert {t["data"]["query"] for t in tasks} == {f"a {colour} thing" for colour in colours}


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
    place = {"LSR_WORKSPACE": str(setting.workspace.root), "LSR_ENCODER_SOCKET": str(setting.workspace.root / "none")}
    return Filler({**place, **served(studio)})


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


def test_busy_annotators_lose_nothing_while_their_tasks_are_filled_from_all_sides(
    setting: Setting, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Webhook, /predict and poll of a backend of two workers fill 40 tasks that three people are working through."""
    project = setting.project("busy").id
    seen: list[dict[str, Any]] = []
    people = [Person(studio.url, studio.annotator(name), project) for name in ("ada", "bob", "cyd")]

    def work(person: Person) -> None:
        for number in range(6):
            while (task := person.next()) is None:
                time.sleep(0.2)
            cards = len(task["data"].get("candidates") or [])
            result = tiny.graded_answer({n: (n + task["id"]) % 4 for n in range(cards)})
            if number % 3 == 0 and cards:
                person.draft(task["id"], result)
            made = person.answer(task["id"], result)
            seen.append({"id": made, "task": task["id"], "result": result, "docs": _docs(task)})
        person.close()

    monkeypatch.setattr(filling, "POLL", 0.3)
    with running_backend(setting.workspace, host="127.0.0.1", port=0, workers=2, environment=served(studio)) as url:
        connect(setting.client, project, url, wakes=True)
        wait_until(lambda: requests.get(f"{url}/health", timeout=5).json()["encoders"] == "ready")
        task_ids = setting.bring("busy", *({"data": {"query": f"thing number {n}"}} for n in range(8)))
        threads = [threading.Thread(target=work, args=(person,)) for person in people]
        for thread in threads:
            thread.start()
        for start in range(8, 40, 8):
            task_ids += setting.bring("busy", *({"data": {"query": f"thing number {start + n}"}} for n in range(8)))
        for thread in threads:
            thread.join(240)
        query = {"project": project, "fields": "all", "page_size": 500}

        def tasks() -> dict[int, dict[str, Any]]:
            return {task["id"]: task for task in setting.api("GET", "/api/tasks", params=query)["tasks"]}

        answered = {one["task"] for one in seen}
        wait_until(lambda: all(is_complete(t) for t in tasks().values() if t["id"] not in answered), 120)
        now = tasks()
    assert len(seen) == 18
    assert set(task_ids) <= set(now)  # none lost
    screens = [(one["data"]["query_id"], one["meta"]["ls_retrieval"]["part"]) for one in now.values() if _docs(one)]
    assert len(screens) == len(set(screens))  # none doubled: each pool is of two screens
    assert {part for _, part in screens} == {0, 1}
    for task_id, task in now.items():
        assert is_complete(task) or task["data"] == {"query": task["data"]["query"]}  # never in between
        assert is_complete(task) or task_id in answered
    for one in seen:
        there = {annotation["id"]: annotation["result"] for annotation in now[one["task"]]["annotations"]}
        assert [region["value"] for region in there[one["id"]]] == [region["value"] for region in one["result"]]
        assert one["docs"] in ({}, _docs(now[one["task"]]))  # what was judged is what stands there
    assert any(one["docs"] for one in seen)
    made = list(pools.load(setting.workspace.pools).values())
    live = [now[task_id]["data"]["query_id"] for task_id in now if is_complete(now[task_id])]
    assert all(sum(pool.query_id == query_id for pool in made) == 1 for query_id in live)


def _docs(task: dict[str, Any]) -> dict[str, str]:
    return dict(task["meta"]["ls_retrieval"]["docs"]) if envelope.is_filled(task) else {}


def test_a_look_is_at_what_is_new_and_a_thorough_one_at_everything(setting: Setting, studio: Studio) -> None:
    project, one = setting.project("polled").id, filler(setting, studio)
    (first,) = setting.bring("polled", {"data": {"query": "a green thing"}})
    one.project(project)
    setting.client.tasks.update(str(first), data={"query": "a green thing"}, meta={})  # as if it had been lost
    (second,) = setting.bring("polled", {"data": {"query": "a purple thing"}})
    one.project(project)
    assert [is_complete(setting.task("polled", task_id)) for task_id in (first, second)] == [False, True]
    one.project(project, thorough=True)
    assert is_complete(setting.task("polled", first))
    assert len(setting.task("polled", first)["predictions"]) == 1


def test_of_two_backends_that_fill_one_task_the_first_has_it(setting: Setting) -> None:
    presenter = compose.presenter(setting.workspace, "polled")
    (task_id,) = setting.bring("polled", {"data": {"query": presenter.queries["q-red"].text}})
    pool = Retriever(setting.workspace.root, RemoteEncoders(Path("/nowhere"))).propose(
        presenter.queries["q-red"], "image"
    )
    other = dataclasses.replace(pool, candidates=pool.candidates[::-1])
    first: list[Any] = []

    def beaten(query: Query) -> Pool:
        first.append(fill(setting.client, presenter, task_id, lambda _: other))
        return pool

    second = fill(setting.client, presenter, task_id, beaten)
    assert second is not None
    assert (second["data"], second["meta"]) == (first[0]["data"], first[0]["meta"])
    assert setting.task("polled", task_id)["meta"]["ls_retrieval"]["pool_id"] == other.pool_id


def test_predictions_that_are_stored_with_live_tasks_are_of_what_was_learned(setting: Setting, studio: Studio) -> None:
    project, there = setting.project("polled").id, setting.workspace
    base, made = Retriever(there.root, RemoteEncoders(Path("/nowhere"))), filler(setting, studio)
    made._presenter("polled")  # as it was before anybody judged
    queries = {query.query_id: query for query in there.read_queries().records}
    pool, *others = (base.propose(queries[f"q-{colour}"], "image") for colour in ("red", "blue", "green"))
    said = [lessons.judgment(one, c.doc_id, 1) for one in (pool, *others) for c in one.candidates]
    Table(there.judgments / str(project)).append(said, {})
    made.learn(project)
    now = base.ranker_of(project).version
    assert now != base.ranker.version
    (task_id,) = setting.bring("polled", {"data": {"query": queries["q-red"].text}})
    made.project(project)
    assert [one["model_version"] for one in setting.task("polled", task_id)["predictions"]] == [now]
    (pushed, *_) = made._presenter("polled").predicted(pool, queries["q-red"])
    assert pushed["predictions"][0]["model_version"] == now


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
