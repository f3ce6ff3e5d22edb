"""Tabs of the Data Manager: a domain's tasks by themselves, and an annotator's."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from label_studio_sdk import LabelStudio
from sync_world import make_workspace
from test_sync_adjudication import answer_all

from ls_retrieval import flow, quality
from ls_retrieval.admin import Wanted, init
from ls_retrieval.studio import Account, Studio
from store.workspace import Workspace
from sync import views
from sync.dataset import load

Sdk = Callable[[Account], LabelStudio]


def test_where_there_is_one_domain_or_none_no_tab_is_wanted() -> None:
    assert views.of_domains([]) == views.of_domains([""]) == views.of_domains(["birds", "birds"]) == []


def test_each_of_several_domains_has_a_tab_and_queries_without_one_have_none() -> None:
    found = views.of_domains(["hats", "", "birds", "hats"])
    assert [tab.title for tab in found] == ["birds", "hats"]
    assert found[0].data["filters"]["items"] == [
        {"filter": "filter:tasks:data.domain", "operator": "equal", "type": "String", "value": "birds"}
    ]


def test_annotators_are_called_by_pseudonym_and_tags_and_who_is_not_there_has_no_tab() -> None:
    found = views.of_annotators({"a1": 5, "a2": 6}, {"a2": ["spam", "fast"], "a1": [], "gone": []})
    assert [(tab.title, tab.value) for tab in found] == [("a1", 5), ("a2 spam fast", 6)]


@pytest.fixture
def workspace(studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """q1 and q2 are of two domains, q3 of none; pushed to a real Label Studio."""
    monkeypatch.setenv("LABEL_STUDIO_URL", studio.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", studio.admin.token)
    made = make_workspace(tmp_path, candidates="text", labelled=False)
    made.settings_path.write_text('[encoders.toy]\nmodel = "toy"\n')
    rows = [json.loads(line) for line in made.queries.read_text().splitlines()]
    for row, domain in zip(rows, ("colours", "seas", ""), strict=True):
        row["domain"] = domain
    made.queries.write_text("".join(json.dumps(row) + "\n" for row in rows))
    texts = {"form": "graded", "query": "text", "candidates": "text", "votes": 2}
    list(init(made.root, Wanted("main", "Domains", "", texts)))
    return made


def test_people_work_through_the_tasks_of_a_domains_tab_alone(workspace: Workspace, studio: Studio, sdk: Sdk) -> None:
    for _ in range(2):  # once more, and nothing is doubled
        flow.push(workspace, "main")
    project = workspace.project("main").id
    client = sdk(studio.admin)
    there = {_title(view): view for view in client.views.list(project=project)}
    assert sorted(there) == ["colours", "seas"]

    seas = there["seas"]
    client.views.update(str(seas.id), project=project, data={**seas.data, "title": "Ada's seas"})
    flow.push(workspace, "main")
    assert sorted(_title(view) for view in client.views.list(project=project)) == ["Ada's seas", "colours"]

    ada = sdk(studio.annotator("ada"))
    served = [_next(ada, project, there[domain]) for domain in ("seas", "colours")]
    assert [task["data"]["query_id"] for task in served] == ["q2", "q1"]

    (control,) = (c for c in load(workspace, "main").pools[0].candidates if c.role == "control")
    assert control.doc_id in served[1]["meta"]["ls_retrieval"]["docs"].values()  # q1 shows gold, and nothing says so
    shown = [{**task, "data": {**task["data"], "guideline": ""}} for task in served]
    assert not re.search("gold|control|planted|hard_negative|near-miss|known", json.dumps(shown))


def test_the_tab_of_an_annotator_holds_what_they_answered_and_is_renamed_with_their_flags(
    workspace: Workspace, studio: Studio, sdk: Sdk
) -> None:
    flow.push(workspace, "main")
    project, client = workspace.project("main").id, sdk(studio.admin)
    answer_all(sdk(studio.annotator("ada")), workspace, "main", lambda q, d: 0, only="q1")
    flow.pull(workspace, "main")
    people = quality.measure(workspace, "main").annotators
    (name,) = people
    assert quality.tabs(workspace, "main", people) == (1, 0)
    people[name]["flags"] = ["fast"]
    assert quality.tabs(workspace, "main", people) == (0, 1)
    assert quality.tabs(workspace, "main", people) == (0, 0)

    (tab,) = [view for view in client.views.list(project=project) if _title(view).startswith(name)]
    assert _title(tab) == f"{name} fast"
    shown: list[Any] = list(client.tasks.list(project=project, view=tab.id))
    assert [task.data["query_id"] for task in shown] == ["q1"]


def _title(view: Any) -> str:
    return str(view.data["title"])


def _next(client: LabelStudio, project: int, tab: Any) -> Any:
    """The task that "Label Tasks As Displayed" shows first in a tab: the page sends the tab's filters and order."""
    wrapper = client._client_wrapper
    answer = httpx.post(
        f"{wrapper.get_base_url()}/api/dm/actions",
        params={"id": "next_task", "tabID": tab.id, "project": project},
        headers=wrapper.get_headers(),
        json={"project": project, "filters": tab.data["filters"], "ordering": tab.data["ordering"]},
    )
    assert answer.status_code == 200, answer.text
    return answer.json()
