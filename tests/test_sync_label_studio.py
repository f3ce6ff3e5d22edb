"""Projects, push, pull and fill against a real Label Studio."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import faulty
import pyarrow.parquet as pq
import pytest
import requests
import tiny
from label_studio_sdk import LabelStudio
from label_studio_sdk.core.api_error import ApiError
from sync_world import RULES

from label_configs import rules as rules_file
from label_configs.errors import Mendable
from label_configs.forms import form
from label_configs.forms import graded as graded_form
from label_configs.forms.envelope import KEY, Task
from label_configs.records import Candidate, Item, Judgment, Pool, Query
from label_configs.rules import CANT_JUDGE, Rules
from ls_retrieval.admin import Wanted, init
from ls_retrieval.studio import Account, Studio
from store.corpus import bare_query_id
from store.judgments import Table
from store.mappings import RulesOf
from store.media import Media
from store.settings import Media as MediaSettings
from store.settings import Project
from store.times import BEGINNING
from store.workspace import Workspace
from sync import export_file, export_storage, projects
from sync.fill import bare_query, bare_tasks, fill
from sync.label_studio import connected
from sync.present import Presenter
from sync.pull import Pulled, pseudonym, pull
from sync.push import Pushed, push
from sync.renew import renew
from sync.tasks import broken, changed_since, listing

Sdk = Callable[[Account], LabelStudio]
DOCS = ("d1", "d2", "d3")
KEY_OF_NAMES = "test key"


@dataclass(frozen=True)
class Bench:
    """A fresh project for one test, and everything that the room needs around it."""

    client: LabelStudio
    project: Project
    presenter: Presenter
    table: Table

    def tasks(self, *queries: str) -> list[Task]:
        return list(self.presenter.tasks([pool_of(query) for query in queries]))

    def push(self, *queries: str, **more: Any) -> Pushed:
        return push(self.client, self.project, self.tasks(*queries), **more)

    def pull(self, **more: Any) -> Pulled:
        return pull(self.client, self.project, self.table, remembering(RULES), KEY_OF_NAMES, **more)

    def ids(self) -> list[int]:
        return [task["id"] for task in listing(self.client, self.project.id)]

    def parts(self) -> list[dict[str, Any]]:
        return [row for path in sorted(self.table.folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def remembering(*rules: Rules) -> RulesOf:
    return {one.hash: one for one in rules}.get


def pool_of(query_id: str) -> Pool:
    shown = tuple(Candidate(doc_id=d, source="dense") for d in DOCS)
    return Pool(query_id=query_id, candidates=shown, encoder="toy", index="i", seed=0)


def proposed(query: Query) -> Pool:
    return pool_of(query.query_id)


def predict(task: Task, pool: Pool) -> dict[str, Any]:
    return {"model_version": "toy", "score": 0.5, "result": answer(0, 0, 0)}


def answer(*grades: int) -> list[dict[str, Any]]:
    return tiny.graded_answer(dict(enumerate(grades)))


def values(judgments: list[Judgment]) -> list[tuple[str, str, str, str]]:
    return [(j.kind, j.query_id, j.doc_id, j.value) for j in judgments]


@pytest.fixture(scope="module")
def admin(studio: Studio, sdk: Sdk) -> LabelStudio:
    return sdk(studio.admin)


@pytest.fixture(scope="module")
def ada(studio: Studio, sdk: Sdk) -> LabelStudio:
    return sdk(studio.annotator("ada"))


@pytest.fixture(scope="module")
def bob(studio: Studio, sdk: Sdk) -> LabelStudio:
    return sdk(studio.annotator("bob"))


@pytest.fixture
def presenter(tmp_path: Path) -> Presenter:
    return Presenter(
        project=Project(id=0, candidates="text", votes=2),
        rules=RULES,
        per_screen=8,
        queries={f"q{n}": Query(query_id=f"q{n}", text=f"query {n}") for n in range(9)},
        items={d: Item(doc_id=d, text=f"text of {d}") for d in DOCS},
        media=Media(tmp_path, MediaSettings()),
        predict=predict,
    )


@pytest.fixture
def bench(admin: LabelStudio, presenter: Presenter, tmp_path: Path) -> Bench:
    project_id = projects.create(admin, "bench", presenter.project, RULES)
    project = presenter.project.model_copy(update={"id": project_id})
    return Bench(admin, project, replace(presenter, project=project), Table(tmp_path / "judgments"))


def drafted(studio: Studio, account: Account, task_id: int, project: int) -> None:
    """Begin an answer, as the editor does by itself while somebody works."""
    with requests.Session() as session:
        access = session.post(f"{studio.url}/api/token/refresh/", json={"refresh": account.token}).json()["access"]
        draft = {"result": answer(3), "lead_time": 1, "draft_id": 0, "project": project}
        place = f"{studio.url}/api/tasks/{task_id}/drafts?project={project}"
        session.post(place, json=draft, headers={"Authorization": f"Bearer {access}"}).raise_for_status()


# init


@pytest.fixture
def environment(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_URL", studio.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", studio.admin.token)


SETTINGS = {"form": "graded", "query": "text", "candidates": "text", "mode": "blind", "votes": 2}


def titles(client: LabelStudio) -> list[Any]:
    every: Any = client.projects.list()
    return [project.title for project in every]


WANTED = Wanted("main", "A project", "", SETTINGS)


@pytest.mark.usefixtures("environment")
def test_a_dry_init_makes_nothing(admin: LabelStudio, tmp_path: Path) -> None:
    before = titles(admin)
    lines = list(init(tmp_path / "w", WANTED, dry_run=True))
    assert lines[-1] == "would make the project main: graded, text to text, blind"
    assert not (tmp_path / "w").exists()
    assert titles(admin) == before


@pytest.mark.usefixtures("environment")
def test_init_makes_the_project_once_and_again_changes_nothing(admin: LabelStudio, tmp_path: Path) -> None:
    list(init(tmp_path, WANTED))
    project = Workspace(tmp_path).project("main")
    there = admin.projects.get(project.id)
    assert (there.title, there.maximum_annotations, there.show_collab_predictions) == ("A project", 2, False)
    assert there.expert_instruction == RULES.guideline()
    assert there.label_config == form("graded").xml(RULES, "text", "text")
    assert list(init(tmp_path, WANTED))[-1] == f"project main: {project.id}, as it was"
    assert (tmp_path / "pseudonym.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.usefixtures("environment")
def test_more_votes_reach_the_project_through_the_settings_file(admin: LabelStudio, tmp_path: Path) -> None:
    list(init(tmp_path, WANTED))
    more = Wanted("main", "A project", "", {**SETTINGS, "votes": 3})
    assert list(init(tmp_path, more))[-1].startswith("votes stay 2: change [projects.main] in settings.toml")
    settings = Workspace(tmp_path).settings_path
    settings.write_text(settings.read_text().replace("votes = 2", "votes = 3"))
    assert list(init(tmp_path, more))[-1].endswith("changed maximum_annotations")
    assert admin.projects.get(Workspace(tmp_path).project("main").id).maximum_annotations == 3


@pytest.mark.usefixtures("environment")
def test_other_settings_of_a_project_are_refused_all_together(tmp_path: Path) -> None:
    list(init(tmp_path, WANTED))
    other = Wanted("main", "A project", "", {**SETTINGS, "mode": "assist", "candidates": "image"})
    with pytest.raises(Mendable, match="other settings") as refused:
        list(init(tmp_path, other))
    assert refused.value.problems == (
        "candidates is 'text', asked for is 'image'",
        "mode is 'blind', asked for is 'assist'",
    )


def test_changed_rules_reach_a_project_without_answers_and_no_other(bench: Bench) -> None:
    changed = rules_file.parse(rules_file.preset().replace("label: Exact", "label: Perfect"))
    assert projects.update(bench.client, bench.project, changed) == ["expert_instruction", "label_config"]
    assert projects.update(bench.client, bench.project, RULES) == ["expert_instruction", "label_config"]
    bench.push("q1")
    bench.client.annotations.create(bench.ids()[0], result=answer(3, 0, 0))
    with pytest.raises(Mendable, match="holds 1 answers") as refused:
        projects.update(bench.client, bench.project, changed)
    assert "another project" in refused.value.mend
    assert projects.update(bench.client, bench.project, RULES) == []


def test_a_project_that_shows_the_config_of_earlier_rules_is_refused_and_one_of_its_own_making_is_not(
    bench: Bench,
) -> None:
    worded = rules_file.parse(rules_file.preset().replace("Everything", "All"))  # stands in no config
    labelled = rules_file.parse(rules_file.preset().replace("label: Exact", "label: Perfect"))
    projects.refuse_earlier(bench.client, bench.project, RULES, [])
    projects.refuse_earlier(bench.client, bench.project, worded, [RULES])
    projects.refuse_earlier(bench.client, bench.project, RULES, [labelled])
    with pytest.raises(Mendable, match="shows the config of earlier rules"):
        projects.refuse_earlier(bench.client, bench.project, labelled, [RULES, worded])
    config = form("graded").xml(RULES, "text", "text").replace("Guideline", "How to")
    bench.client.projects.update(bench.project.id, label_config=config)
    projects.refuse_earlier(bench.client, bench.project, labelled, [RULES, worded])


def test_a_backend_is_connected_once_and_one_that_moved_leaves_nothing_behind(bench: Bench, stand_in: str) -> None:
    for url in (stand_in, stand_in, f"{stand_in}/moved"):
        projects.ensure_backend(bench.client, bench.project, projects.Backend(url))
    assert [one.url for one in bench.client.ml.list(project=bench.project.id)] == [f"{stand_in}/moved"]
    hooks = [hook.url for hook in bench.client.webhooks.list(project=bench.project.id)]
    assert hooks == [f"{stand_in}/moved/webhook"]


# push


def test_a_task_holds_what_annotators_see_and_nothing_that_gives_a_candidate_away(bench: Bench) -> None:
    assert bench.push("q1", "q2") == (2, 0, 0)
    first, _ = listing(bench.client, bench.project.id)
    assert first["data"]["query_id"] == "q1"
    assert [set(candidate) for candidate in first["data"]["candidates"]] == [{"id", "html", "grades"}] * 3
    assert first["meta"][KEY]["pool_id"] == pool_of("q1").pool_id
    stored = bench.client.tasks.get(str(first["id"])).predictions or []
    assert [one.model_version for one in stored] == ["toy"]


def test_a_dry_push_makes_nothing(bench: Bench) -> None:
    assert bench.push("q1", "q2", dry_run=True) == (2, 0, 0)
    assert bench.ids() == []


def test_pushing_again_makes_only_what_is_new(bench: Bench) -> None:
    bench.push("q1", "q2")
    assert bench.push("q1", "q2", "q3") == (1, 2, 0)
    assert len(bench.ids()) == 3


def test_killed_between_two_chunks_the_next_push_completes_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.push._CHUNK", 2)

    def kill(done: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.push("q1", "q2", "q3", "q4", "q5", advance=kill)
    assert len(bench.ids()) == 2
    assert bench.push("q1", "q2", "q3", "q4", "q5") == (3, 2, 0)
    assert [task["data"]["query_id"] for task in listing(bench.client, bench.project.id)] == [
        f"q{n}" for n in range(1, 6)
    ]


@pytest.mark.parametrize("fault", get_args(faulty.Fault))
def test_an_import_that_fails_on_its_way_is_neither_lost_nor_doubled(
    bench: Bench, studio: Studio, monkeypatch: pytest.MonkeyPatch, fault: faulty.Fault
) -> None:
    monkeypatch.setattr("sync.push._CHUNK", 2)
    steps: list[int] = []
    with faulty.before(studio.url) as (url, faults), connected(url, studio.admin.token) as client:
        faults.hit = lambda method, path: method == "POST" and "/import" in path
        faults.todo = [fault, fault]
        through = replace(bench, client=client)
        assert through.push("q1", "q2", "q3", "q4", "q5", advance=steps.append) == (5, 0, 0)
        assert faults.todo == []
    assert sum(steps) == 5
    assert sorted(task["data"]["query_id"] for task in listing(bench.client, bench.project.id)) == [
        f"q{n}" for n in range(1, 6)
    ]


def test_a_long_push_has_patience_with_every_chunk(
    bench: Bench, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.push._CHUNK", 2)
    monkeypatch.setattr("sync.patience.PATIENCE", 5.0)
    begun = time.monotonic()
    with faulty.before(studio.url) as (url, faults), connected(url, studio.admin.token) as client:
        faults.hit = lambda method, path: method == "POST" and "/import" in path

        def wait(done: int) -> None:
            if done:
                time.sleep(max(0.0, begun + 6 - time.monotonic()))
                faults.todo = ["bad gateway"]

        assert replace(bench, client=client).push("q1", "q2", "q3", advance=wait) == (3, 0, 0)
    assert len(bench.ids()) == 3


def test_a_double_whose_removal_was_heard_and_not_answered_is_removed(bench: Bench, studio: Studio) -> None:
    for _ in range(2):
        bench.client.projects.import_tasks(bench.project.id, request=bench.tasks("q1"))  # type: ignore[arg-type]
    with faulty.before(studio.url) as (url, faults), connected(url, studio.admin.token) as client:
        faults.hit = lambda method, path: method == "DELETE"
        faults.todo = ["lost answer", "bad gateway"]
        assert replace(bench, client=client).push("q1") == (0, 1, 1)
        assert faults.todo == []
    assert len(bench.ids()) == 1


def test_doubles_of_an_import_that_timed_out_go_unless_somebody_works_on_them(
    bench: Bench, ada: LabelStudio, studio: Studio
) -> None:
    tasks = bench.tasks("q1", "q2", "q3", "q4", "q5")
    for _ in range(2):
        bench.client.projects.import_tasks(bench.project.id, request=tasks)  # type: ignore[arg-type]
    first, second = bench.ids()[:5], bench.ids()[5:]
    ada.annotations.create(second[0], result=answer(3, 0, 0))
    ada.annotations.create(second[1], result=[], was_cancelled=True)
    drafted(studio, studio.annotator("ada"), second[2], bench.project.id)
    for task_id in (first[3], second[3]):
        ada.annotations.create(task_id, result=answer(3, 0, 0))
    assert bench.push("q1", "q2", "q3", "q4", "q5", dry_run=True) == (0, 5, 4)
    assert bench.push("q1", "q2", "q3", "q4", "q5") == (0, 5, 4)
    assert bench.ids() == [first[3], first[4], *second[:4]]


def test_tasks_of_rules_that_changed_since_are_replaced_unless_somebody_works_on_them(
    bench: Bench, ada: LabelStudio
) -> None:
    bench.push("q1", "q2")
    first, _ = bench.ids()
    ada.annotations.create(first, result=answer(3, 0, 0))
    others = rules_file.parse(rules_file.preset().replace("Everything", "All"))
    changed = replace(bench, presenter=replace(bench.presenter, rules=others))
    assert changed.push("q1", "q2") == (1, 1, 1)
    assert changed.push("q1", "q2") == (0, 2, 0)
    kept, made = listing(bench.client, bench.project.id)
    assert kept["id"] == first
    assert made["meta"]["ls_retrieval"]["rules_hash"] == others.hash


def test_a_task_that_somebody_changed_is_named_before_anything_is_pushed(bench: Bench) -> None:
    bench.push("q1")
    (task,) = listing(bench.client, bench.project.id)
    bench.client.tasks.update(str(task["id"]), data={"query": "changed"})
    with pytest.raises(Mendable, match=f"project {bench.project.id}, task {task['id']}") as changed:
        bench.push("q1", "q2")
    assert "Restore its data" in changed.value.mend


# renew


def test_a_project_shows_a_later_version_once_every_open_task_is_predicted_by_it(
    bench: Bench, ada: LabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.push("q1", "q2", "q3", "q4")
    project, first = bench.project.id, bench.ids()[0]
    ada.annotations.create(first, result=answer(3, 0, 0))
    asked: list[int] = []

    def predict(task: Mapping[str, Any]) -> dict[str, Any] | None:
        asked.append(task["id"])
        if len(asked) == 2:
            raise KeyboardInterrupt
        stored = bench.client.predictions.list(task=task["id"])
        return {"model_version": "ls-retrieval-later", "score": 0.5, "result": list(stored[0].result or [])}

    def versions() -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        for one in bench.client.predictions.list(project=project):
            found.setdefault(int(one.task or 0), []).append(str(one.model_version))
        return found

    assert renew(bench.client, project, "ls-retrieval-later", predict) == 0  # it shows what somebody chose
    bench.client.predictions.create(task=first, model_version="ls-retrieval-first", score=0.5, result=[])
    bench.client.projects.update(project, model_version="ls-retrieval-first")
    with pytest.raises(KeyboardInterrupt):
        renew(bench.client, project, "ls-retrieval-later", predict)
    assert bench.client.projects.get(project).model_version == "ls-retrieval-first"
    assert renew(bench.client, project, "ls-retrieval-later", predict) == 2
    assert bench.client.projects.get(project).model_version == "ls-retrieval-later"
    later = {task_id: ["toy", "ls-retrieval-later"] for task_id in bench.ids()}
    assert versions() == {**later, first: ["toy", "ls-retrieval-first"]}
    assert renew(bench.client, project, "ls-retrieval-later", predict) == 0
    monkeypatch.setattr("sync.renew.MOST", 2)
    with pytest.raises(Mendable, match="of 3 open tasks none was predicted anew"):
        renew(bench.client, project, "ls-retrieval-last", predict)


# pull


def test_a_project_without_answers_gives_none(bench: Bench) -> None:
    assert bench.pull() == Pulled()
    bench.push("q1")
    assert bench.pull() == Pulled()
    assert bench.parts() == []


def test_grades_flags_skips_and_empty_answers_are_each_a_row(bench: Bench, ada: LabelStudio) -> None:
    bench.push("q1", "q2", "q3")
    graded, skipped, empty = bench.ids()
    ada.annotations.create(graded, result=[*answer(3, 0), graded_form.answer(2, CANT_JUDGE)], lead_time=4.5)
    ada.annotations.create(skipped, result=[], was_cancelled=True)
    ada.annotations.create(empty, result=[])
    assert bench.pull() == Pulled(new=3)
    found = bench.table.current()
    assert values(found) == [
        ("grade", "q1", "d1", "3"),
        ("grade", "q1", "d2", "0"),
        ("flag", "q1", "d3", "cant_judge"),
        ("flag", "q2", "", "skipped"),
        ("flag", "q3", "", "empty"),
    ]
    assert [(j.task_id, j.position, j.lead_time) for j in found[:2]] == [(graded, 0, 4.5), (graded, 1, 4.5)]
    assert {j.rules_hash for j in found} == {RULES.hash}


def test_edits_are_revisions_and_deletions_leave_nothing_standing(bench: Bench, ada: LabelStudio) -> None:
    bench.push("q1", "q2", "q3")
    made = [ada.annotations.create(task_id, result=answer(3, 0, 0)).id for task_id in bench.ids()]
    bench.pull()
    ada.annotations.update(made[0], result=answer(2, 1, 0))
    ada.annotations.delete(made[1])
    pulled = bench.pull()
    assert (pulled.new, pulled.edited, pulled.deleted, pulled.problems) == (0, 1, 1, [])
    standing = [(j.query_id, j.value) for j in bench.table.current()]
    assert sorted(standing) == [("q1", "0"), ("q1", "1"), ("q1", "2"), ("q3", "0"), ("q3", "0"), ("q3", "3")]
    revisions = [row["revision"] for row in bench.parts() if row["annotation_id"] == made[0]]
    assert revisions == [1, 1, 1, 2, 2, 2]
    assert bench.pull().deleted == 0


def test_a_second_pull_writes_nothing(bench: Bench, ada: LabelStudio) -> None:
    bench.push("q1", "q2")
    for task_id in bench.ids():
        ada.annotations.create(task_id, result=answer(3, 0, 0))
    bench.pull()
    files = {path.name: path.read_bytes() for path in bench.table.folder.iterdir()}
    again = bench.pull()
    assert (again.new, again.edited, again.deleted) == (0, 0, 0)
    assert {path.name: path.read_bytes() for path in bench.table.folder.iterdir()} == files


def test_annotators_leave_label_studio_under_names_that_only_the_key_explains(
    bench: Bench, ada: LabelStudio, bob: LabelStudio
) -> None:
    bench.push("q1")
    (task_id,) = bench.ids()
    users = [one.users.whoami().id for one in (ada, bob)]
    for one in (ada, bob):
        one.annotations.create(task_id, result=answer(3, 0, 0))
    bench.pull()
    rows = bench.parts()
    assert {row["annotator"] for row in rows} == {pseudonym(KEY_OF_NAMES, user) for user in users}
    assert len({row["annotator"] for row in rows}) == 2
    numbers = {
        "project",
        "task_id",
        "annotation_id",
        "round",
        "position",
        "revision",
        "lead_time",
        "updated_at",
        "value",
    }
    rest = [value for row in rows for name, value in row.items() if name not in numbers]
    assert not any(value in (user, str(user)) for value in rest for user in users)
    content = b"".join(path.read_bytes() for path in bench.table.folder.iterdir())
    assert b".invalid" not in content
    assert not any("@" in str(value) for row in rows for value in row.values())


def test_killed_between_data_and_bookmark_nothing_is_doubled(bench: Bench, ada: LabelStudio) -> None:
    bench.push("q1", "q2")
    for task_id in bench.ids():
        ada.annotations.create(task_id, result=answer(3, 0, 0))
    bench.pull()
    (bench.table.folder / "state.json").unlink()  # the data were written, the bookmark was not
    before = bench.parts()
    assert bench.pull() == Pulled(unchanged=2)
    assert bench.parts() == before
    assert bench.table.cursor() is not None


def test_pages_pass_over_nothing_where_many_tasks_changed_at_one_time(bench: Bench, ada: LabelStudio) -> None:
    queries = [f"q{n}" for n in range(7)]
    bench.push(*queries)
    ids = bench.ids()
    for task_id in ids:
        ada.annotations.create(task_id, result=answer(3, 0, 0))
    assert bench.pull(page_size=2).new == 7
    everything = {"all": True, "excluded": [ids[6]]}
    bench.client.actions.create(id="delete_tasks_annotations", project=bench.project.id, selected_items=everything)
    pages = list(changed_since(bench.client, bench.project.id, BEGINNING, page_size=2))
    times = {row["id"]: row["updated_at"] for page in pages for row in page}
    assert len({times[task_id] for task_id in ids[:6]}) == 1  # Label Studio wrote them with one time
    assert set(times) == set(ids)
    assert bench.pull(page_size=2).deleted == 6
    assert [j.query_id for j in bench.table.current()] == ["q6"] * 3


def test_light_pages_are_read_to_the_end_too(bench: Bench) -> None:
    bench.push(*[f"q{n}" for n in range(5)])
    whole = list(listing(bench.client, bench.project.id))
    assert list(listing(bench.client, bench.project.id, page_size=2)) == whole
    assert [task["data"]["query_id"] for task in whole] == [f"q{n}" for n in range(5)]


def test_an_answer_that_cannot_be_read_is_named_and_stops_no_other(bench: Bench, ada: LabelStudio) -> None:
    bench.push("q1", "q2")
    bad, good = bench.ids()
    regions = [*answer(3), {**answer(0)[0], "from_name": "mood"}, {**answer(0, 7)[1], "id": "x"}]
    broken = ada.annotations.create(bad, result=regions).id
    ada.annotations.create(good, result=answer(0, 0, 0))
    pulled = bench.pull()
    where = f"project {bench.project.id}, task {bad}, annotation {broken}"
    assert [problem.split(":")[0] for problem in pulled.problems] == [
        f"{where}, control 'mood'",
        f"{where}, control 'rel_1'",
    ]
    assert "'7' is not one of the answers" in pulled.problems[1]
    assert [(j.query_id, j.value) for j in bench.table.current()] == [("q1", "3")] + [("q2", "0")] * 3
    assert bench.pull().problems == []


def test_answers_are_read_by_the_rules_that_their_task_was_made_under(bench: Bench, ada: LabelStudio) -> None:
    fewer = rules_file.parse(rules_file.preset("binary"))
    changed = replace(bench, presenter=replace(bench.presenter, rules=fewer))
    bench.push("q1")
    ada.annotations.create(bench.ids()[0], result=answer(3, 2, 0))
    changed.push("q1", "q2")
    ada.annotations.create(bench.ids()[1], result=answer(1, 0, 3))  # there is no 3 under these rules
    both = remembering(RULES, fewer)
    pulled = pull(bench.client, bench.project, bench.table, both, KEY_OF_NAMES)
    assert (pulled.new, len(pulled.problems)) == (2, 1)
    assert "'3' is not one of the answers" in pulled.problems[0]
    assert [(j.query_id, j.value, j.rules_hash) for j in bench.table.current()] == [
        *[("q1", value, RULES.hash) for value in "320"],
        *[("q2", value, fewer.hash) for value in "10"],
    ]


def test_answers_under_rules_that_nobody_remembers_wait_until_they_are_back(bench: Bench, ada: LabelStudio) -> None:
    bench.push("q1", "q2")
    first, second = bench.ids()
    ada.annotations.create(first, result=answer(3, 0, 0))
    ada.annotations.create(second, result=answer(3, 0, 0))
    refused = pull(bench.client, bench.project, bench.table, remembering(), KEY_OF_NAMES, page_size=1)
    assert refused.new == 0
    assert [f"task {first} " in p or f"task {second} " in p for p in refused.problems] == [True, True]
    assert all(f"as rules/{RULES.hash}.yaml" in problem for problem in refused.problems)
    assert bench.pull().new == 2


def test_an_annotation_that_goes_while_the_pull_runs_is_gone_after_the_next(bench: Bench, ada: LabelStudio) -> None:
    bench.push("q1", "q2", "q3")
    made = [ada.annotations.create(task_id, result=answer(3, 0, 0)).id for task_id in bench.ids()]
    deleted: list[int | None] = []

    def meanwhile(done: int) -> None:
        if not deleted:
            ada.annotations.delete(made[0])
            deleted.append(made[0])

    pulled = bench.pull(page_size=1, advance=meanwhile)
    assert (pulled.new, pulled.deleted) == (3, 1)
    assert {j.query_id for j in bench.table.current()} == {"q2", "q3"}


def test_a_deleted_task_takes_its_answers_with_it(bench: Bench, ada: LabelStudio) -> None:
    bench.push("q1", "q2")
    gone, kept = bench.ids()
    for task_id in (gone, kept):
        ada.annotations.create(task_id, result=answer(3, 0, 0))
    bench.pull()
    bench.client.tasks.delete(str(gone))
    assert bench.pull().deleted == 1
    assert {j.task_id for j in bench.table.current()} == {kept}
    assert bench.pull().deleted == 0


def test_label_studios_own_export_gives_the_same_judgments_as_its_api(
    bench: Bench, ada: LabelStudio, bob: LabelStudio, tmp_path: Path
) -> None:
    bench.push("q1", "q2", "q3")
    graded, skipped, edited = bench.ids()
    ada.annotations.create(graded, result=answer(3, 0, 0))
    bob.annotations.create(graded, result=answer(2, 1))
    ada.annotations.create(skipped, result=[], was_cancelled=True)
    ada.annotations.update(ada.annotations.create(edited, result=answer(3)).id, result=answer(1))
    bench.pull()
    path, file = tmp_path / "export.json", Table(tmp_path / "export" / "7")
    path.write_text(json.dumps(bench.client.projects.exports.as_json(bench.project.id)), "utf-8")
    pulled = export_file.pull(path, bench.project, file, remembering(RULES), KEY_OF_NAMES)
    assert (pulled.new, pulled.problems) == (4, [])
    assert file.current() == bench.table.current()
    again = export_file.pull(path, bench.project, bench.table, remembering(RULES), KEY_OF_NAMES)
    assert again == Pulled(unchanged=4)


def test_what_label_studios_export_storage_writes_is_read(
    bench: Bench, ada: LabelStudio, document_root: Path, tmp_path: Path
) -> None:
    bench.push("q1", "q2")
    for task_id in bench.ids():
        ada.annotations.create(task_id, result=answer(3, 0, 0))
    bench.pull()
    out = document_root / f"answers-{bench.project.id}"
    out.mkdir()
    made = bench.client.export_storage.local.create(project=bench.project.id, path=str(out))
    bench.client.export_storage.local.sync(made.id or 0)
    stored = Table(tmp_path / "storage" / "7")
    pulled = export_storage.pull(str(out), bench.project, stored, remembering(RULES), KEY_OF_NAMES)
    assert (pulled.new, pulled.problems) == (2, [])
    assert stored.current() == bench.table.current()


# fill


def bare(bench: Bench, *texts: str) -> list[int]:
    bench.client.projects.import_tasks(bench.project.id, request=[{"data": {"query": text}} for text in texts])  # type: ignore[misc]
    return bench.ids()[-len(texts) :]


def test_a_bare_query_gets_its_candidates_once(bench: Bench) -> None:
    (task_id,) = bare(bench, "something red")
    assert list(bare_tasks(bench.client, bench.presenter).queries) == [task_id]
    fill(bench.client, bench.presenter, task_id, proposed)
    (filled,) = listing(bench.client, bench.project.id)
    assert filled["data"]["query"] == "something red"
    assert filled["data"]["query_id"] == bare_query_id("something red")
    assert filled["meta"][KEY]["docs"] == {"c0": "d1", "c1": "d2", "c2": "d3"}
    assert bare_tasks(bench.client, bench.presenter) == ({}, task_id)
    again = fill(bench.client, bench.presenter, task_id, proposed)
    assert again is not None
    assert (again["data"], again["meta"]) == (filled["data"], filled["meta"])


def test_a_task_that_somebody_works_on_is_never_written(bench: Bench, ada: LabelStudio, studio: Studio) -> None:
    answered, skipped, begun, free = bare(bench, "answered", "skipped", "begun", "free")
    ada.annotations.create(answered, result=answer(3))
    ada.annotations.create(skipped, result=[], was_cancelled=True)
    drafted(studio, studio.annotator("ada"), begun, bench.project.id)
    assert list(bare_tasks(bench.client, bench.presenter).queries) == [free]
    assert [fill(bench.client, bench.presenter, task_id, proposed) for task_id in (answered, skipped, begun)] == [
        None
    ] * 3
    fill(bench.client, bench.presenter, free, proposed)
    data = {task["id"]: task["data"] for task in listing(bench.client, bench.project.id)}
    assert [set(data[task_id]) for task_id in (answered, skipped, begun)] == [{"query"}] * 3
    assert "candidates" in data[free]


def test_a_task_that_says_nothing_is_left_alone(bench: Bench) -> None:
    (task_id,) = bare(bench, "  ")
    assert bare_tasks(bench.client, bench.presenter) == ({}, task_id)
    assert fill(bench.client, bench.presenter, task_id, proposed) is None


def test_only_tasks_beyond_an_id_are_looked_at_where_it_is_given(bench: Bench) -> None:
    first, second, third = bare(bench, "one", "two", "three")
    assert list(bare_tasks(bench.client, bench.presenter, after=first).queries) == [second, third]
    assert bare_tasks(bench.client, bench.presenter, after=third) == ({}, third)


@pytest.mark.parametrize(
    ("data", "query_id", "text"),
    [
        ({"query": " a  red bus "}, bare_query_id("a  red bus"), "a  red bus"),
        ({"query": 2024}, bare_query_id("2024"), "2024"),
        ({"query": 2024.0}, bare_query_id("2024"), "2024"),  # beside a blank in the column of a CSV
        ({"query": 7.5}, bare_query_id("7.5"), "7.5"),
        ({"query": "x", "query_id": 7.0}, "7", "x"),
        ({"query": "x", "query_id": ""}, bare_query_id("x"), "x"),
        ({"query": "x", "query_id": {"$ne": 1}}, bare_query_id("x"), "x"),
        ({"query": "query 1", "query_id": "q1"}, "q1", "query 1"),
        ({"query": "another", "query_id": "q1"}, bare_query_id("another"), "another"),
        ({"query": True}, None, None),
        ({"query": ["x"]}, None, None),
        ({"query_id": "q1"}, None, None),
        ({}, None, None),
        ("query 1", None, None),
        (None, None, None),
    ],
)
def test_the_query_of_a_bare_task_is_what_its_column_says(
    presenter: Presenter, data: object, query_id: str | None, text: str | None
) -> None:
    found = bare_query({"data": data}, presenter)
    assert found == (text and Query(query_id=query_id or "", text=text))


def test_a_task_that_label_studio_cannot_show_stops_no_other_and_is_named(bench: Bench, ada: LabelStudio) -> None:
    tasks = bare(bench, *(f"thing {n}" for n in range(9)))
    for task_id in (tasks[0], tasks[5]):
        with pytest.raises(ApiError):  # and yet it is done
            bench.client.tasks.update(str(task_id), data=["no object"], request_options={"max_retries": 0})  # type: ignore[arg-type]
    with pytest.raises(ApiError):
        bench.client.tasks.list(project=bench.project.id, request_options={"max_retries": 0})
    assert (
        broken(bench.client, bench.project.id)
        == broken(bench.client, bench.project.id, page_size=2)
        == [
            tasks[0],
            tasks[5],
        ]
    )
    found = bare_tasks(bench.client, bench.presenter)
    assert [task_id for task_id, query in found.queries.items() if query is None] == [tasks[0], tasks[5]]
    for task_id in found.queries:
        if task_id in (tasks[0], tasks[5]):
            with pytest.raises(Mendable, match=f"fails while reading task {task_id}") as named:
                fill(bench.client, bench.presenter, task_id, proposed)
            assert "id=delete_tasks" in named.value.mend
        else:
            assert fill(bench.client, bench.presenter, task_id, proposed) is not None
    ada.annotations.create(tasks[1], result=answer(3, 1, 0))
    assert bench.pull() == Pulled(new=1)
    gone: Any = {"all": False, "included": [tasks[0], tasks[5]]}
    with pytest.raises(ApiError):  # and yet it is done
        bench.client.actions.create(
            id="delete_tasks", project=bench.project.id, selected_items=gone, request_options={"max_retries": 0}
        )
    assert bench.ids() == [task_id for task_id in tasks if task_id not in (tasks[0], tasks[5])]


def test_a_moment_project_takes_bare_queries_with_an_empty_list_as_json_alone(
    bench: Bench, presenter: Presenter, studio: Studio
) -> None:
    """Label Studio wants a list where a tag reads its first item, and a CSV has none."""
    wanted = Project(id=0, form="moment", candidates="audio")
    made = projects.create(bench.client, "moments", wanted, RULES)
    items = {d: Item(doc_id=d, modality="audio", uri=f"https://media.invalid/{d}.wav") for d in DOCS}
    there = MediaSettings(serve="http")
    moments = replace(
        presenter,
        project=wanted.model_copy(update={"id": made}),
        items=items,
        media=Media(Path("/nowhere"), there),
    )
    for data in ({"query": "a bang"}, {"query": "a bang", "candidates": ""}):
        with pytest.raises(ApiError, match="Validation error"):
            bench.client.projects.import_tasks(made, request=[{"data": data}])  # type: ignore[list-item]
    bench.client.projects.import_tasks(made, request=[{"data": {"query": "a bang", "candidates": []}}])  # type: ignore[list-item]
    ((task_id, query),) = bare_tasks(bench.client, moments).queries.items()
    assert query == Query(query_id=bare_query_id("a bang"), text="a bang")
    filled = fill(bench.client, moments, task_id, proposed)
    assert filled is not None
    assert filled["data"]["candidates"] == [{"id": "c0", "uri": "https://media.invalid/d1.wav"}]


def test_the_answers_to_a_filled_task_are_read_like_any(bench: Bench, ada: LabelStudio) -> None:
    (task_id,) = bare(bench, "something red")
    fill(bench.client, bench.presenter, task_id, proposed)
    ada.annotations.create(task_id, result=answer(3, 1, 0))
    assert bench.pull() == Pulled(new=1)
    assert [(j.doc_id, j.value) for j in bench.table.current()] == [("d1", "3"), ("d2", "1"), ("d3", "0")]


# what people see of the model


def test_an_assist_project_keeps_a_share_of_its_queries_blind(bench: Bench) -> None:
    assisting = replace(bench.presenter, project=bench.project.model_copy(update={"mode": "assist"}))
    helped = [assisting.assisted(f"q{n}") for n in range(2000)]
    assert helped.count(False) / 2000 == pytest.approx(0.2, abs=0.03)
    for query_id in ("q1", "q2", "q3", "q4", "q5", "q6", "q7", "q8"):
        (task,) = assisting.tasks([pool_of(query_id)])
        assert bool(task["predictions"]) == task["meta"]["ls_retrieval"]["assisted"] == assisting.assisted(query_id)


# errors


def test_a_wrong_token_says_where_to_make_one(studio: Studio) -> None:
    for token in ("no token", "0123456789abcdef0123456789abcdef01234567"):
        with pytest.raises(Mendable, match="refuses the token") as refused, connected(studio.url, token):
            pass
        assert "LABEL_STUDIO_API_KEY" in refused.value.mend
        assert token not in str(refused.value)


def test_a_token_that_ran_out_says_when(studio: Studio) -> None:
    import jwt

    old = jwt.encode({"exp": 1, "token_type": "refresh"}, "a key of at least thirty-two bytes", "HS256")
    with pytest.raises(Mendable, match="token expired on 1970-01-01"), connected(studio.url, old):
        pass


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "http://nowhere.invalid", "127.0.0.1:8080", "http://127.0.0.1:port"]
)
def test_a_label_studio_that_cannot_be_reached_says_which_setting(url: str, studio: Studio) -> None:
    for token in ("wrong", studio.admin.token):
        with pytest.raises(Mendable, match="cannot be reached") as unreachable, connected(url, token):
            pass
        assert "LABEL_STUDIO_URL" in unreachable.value.mend


def test_a_private_backend_names_the_two_settings(bench: Bench) -> None:
    with pytest.raises(Mendable, match="private address") as refused:
        projects.ensure_backend(bench.client, bench.project, projects.Backend("http://10.1.2.3:9090"))
    assert "ML_BLOCK_LOCAL_IP=false and SSRF_PROTECTION_ENABLED=false" in refused.value.mend


def test_a_label_studio_that_is_too_old_says_so(stand_in: str) -> None:
    with pytest.raises(Mendable, match=r"version 1\.10\.0") as old, connected(stand_in, "token"):
        pass
    assert "1.20 or newer" in old.value.why


def test_a_project_that_is_gone_is_named(bench: Bench) -> None:
    bench.client.projects.delete(bench.project.id)
    with pytest.raises(Mendable, match="does not find what is asked for"):
        bench.pull()
    with pytest.raises(Mendable, match=f"project {bench.project.id}"):
        bench.push("q1")
    assert json.dumps(bench.parts()) == "[]"
