"""Annotators in the label stream of a real Label Studio, and what it holds of theirs beside what the table holds."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import requests
from label_studio_sdk import LabelStudio

from label_configs.forms import envelope
from ls_retrieval.studio import Account
from store import pools
from store.judgments import Table
from store.workspace import Workspace
from sync.label_studio import authorization

Row = dict[str, Any]
Grades = dict[str, str]
"""doc_id to grade: what an annotation says."""

_FRESH = 200.0
"""Seconds for which an access token is used; it is good for 300."""
_TRIES = 20


class Person:
    """Somebody who annotates a project, and who tries again where Label Studio is too busy to answer."""

    def __init__(self, url: str, account: Account, project: int) -> None:
        self._url, self._account, self._project = url, account, project
        self._session = requests.Session()
        self._session.trust_env = False
        self._until = 0.0

    def next(self) -> Row | None:
        """The task that the label stream gives, as it then stands on the screen."""
        given = self._ask("GET", f"/api/projects/{self._project}/next")
        return None if given is None else self._ask("GET", f"/api/tasks/{given['id']}?project={self._project}")

    def draft(self, task_id: int, result: list[dict[str, object]]) -> None:
        """What the editor saves while somebody works."""
        draft = {"result": result, "lead_time": 1, "draft_id": 0, "project": self._project}
        self._ask("POST", f"/api/tasks/{task_id}/drafts?project={self._project}", draft)

    def answer(self, task_id: int, result: list[dict[str, object]], *, skip: bool = False) -> int:
        """Submit, or skip; the annotation's id."""
        content = {"result": result, "lead_time": 1.5, "was_cancelled": skip}
        made = self._ask("POST", f"/api/tasks/{task_id}/annotations/?project={self._project}", content)
        assert made is not None
        return int(made["id"])

    def edit(self, annotation_id: int, result: list[dict[str, object]]) -> None:
        """Say something else."""
        self._ask("PATCH", f"/api/annotations/{annotation_id}/", {"result": result, "lead_time": 2.5})

    def delete(self, annotation_id: int) -> None:
        """Take an answer back."""
        self._ask("DELETE", f"/api/annotations/{annotation_id}/")

    def close(self) -> None:
        """Leave."""
        self._session.close()

    def _ask(self, method: str, path: str, content: object = None) -> Row | None:
        """What is answered; None for what is not there, and for nothing."""
        for _ in range(_TRIES):
            self._refresh()
            given = self._session.request(method, self._url + path, json=content, timeout=60)
            if given.status_code == 404:
                return None
            if given.status_code < 500 and given.status_code != 429:
                given.raise_for_status()
                return dict(given.json()) if given.content else None
            time.sleep(0.5)
        raise AssertionError(f"{method} {path}: {given.status_code} {given.text[:200]}")

    def _refresh(self) -> None:
        if time.monotonic() < self._until:
            return
        given = self._session.post(f"{self._url}/api/token/refresh/", json={"refresh": self._account.token}, timeout=60)
        given.raise_for_status()
        self._session.headers["Authorization"] = f"Bearer {given.json()['access']}"
        self._until = time.monotonic() + _FRESH


class Team:
    """A project of Label Studio, as somebody sees it who can ask for everything."""

    def __init__(self, url: str, client: LabelStudio, project: int) -> None:
        self._url, self._client, self._project = url, client, project
        self.brought: list[str] = []

    def ask(self, method: str, path: str, **content: Any) -> Any:
        for _ in range(20):
            answer = requests.request(
                method, self._url + path, headers=authorization(self._client), timeout=120, **content
            )
            if answer.status_code < 500:
                answer.raise_for_status()
                return answer.json()
            time.sleep(0.5)
        raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text[:200]}")

    def bring(self, number: int) -> None:
        """Import that many bare queries, as a CSV."""
        queries = [f"thing number {len(self.brought) + n}" for n in range(number)]
        table = "query\n" + "".join(f"{query}\n" for query in queries)
        files = {"file": ("queries.csv", table, "text/csv")}
        made = self.ask("POST", f"/api/projects/{self._project}/import", files=files)
        assert made["task_count"] == number
        self.brought += queries

    def open(self) -> int:
        """How many tasks wait for an answer."""
        found = self.ask("GET", f"/api/projects/{self._project}/?include=task_number,finished_task_number")
        return int(found["task_number"]) - int(found["finished_task_number"])

    def tasks(self) -> list[Row]:
        """Every task with its annotations and predictions."""
        found: list[Row] = []
        for page in range(1, 1000):
            asked = {"project": self._project, "fields": "all", "page_size": 200, "page": page}
            read = self.ask("GET", "/api/tasks", params=asked)
            found += read["tasks"]
            if len(found) >= read["total"]:
                return found
        raise AssertionError("Label Studio holds no end of tasks")


def standing(tasks: Sequence[Row]) -> dict[int, Grades]:
    """What Label Studio holds: annotation to what it says."""
    found: dict[int, Grades] = {}
    for task in tasks:
        docs = list(task["meta"]["ls_retrieval"]["docs"].values()) if envelope.is_filled(task) else []
        for annotation in task["annotations"]:
            told = [] if annotation["was_cancelled"] else annotation["result"]
            marks = {r["from_name"]: r["value"]["choices"][0] for r in told if r["from_name"].startswith("rel_")}
            found[annotation["id"]] = {docs[int(name.removeprefix("rel_"))]: value for name, value in marks.items()}
    return found


def held(table: Table) -> tuple[dict[int, Grades], int]:
    """What the table holds, and how many of its rows say again what another says."""
    found: dict[int, Grades] = {}
    doubled = 0
    for judgment in table.current():
        said = found.setdefault(judgment.annotation_id, {})
        if judgment.kind == "grade":
            doubled += judgment.doc_id in said
            said[judgment.doc_id] = str(judgment.value)
    return found, doubled


def unaccounted(expected: Mapping[int, Grades], found: Mapping[int, Grades]) -> int:
    """Answers that are not there as they were given, and those there that nobody gave."""
    return sum(expected.get(one) != found.get(one) for one in expected.keys() | found.keys())


def filled_twice(tasks: Sequence[Row], workspace: Workspace) -> int:
    """Screens that stand in several tasks, and queries that have not one pool."""
    asked = Counter((task["data"]["query_id"], task["meta"]["ls_retrieval"]["part"]) for task in tasks)
    made = Counter(pool.query_id for pool in pools.load(workspace.pools).values())
    return asked.total() - len(asked) + sum(made[query_id] != 1 for query_id in {query_id for query_id, _ in asked})


def predicted_twice(tasks: Sequence[Row]) -> int:
    """Predictions of one version that a task has more than once.

    Where predictions are shown, Label Studio itself stores two when two people open a task at the same moment.
    """
    stored = Counter((task["id"], one["model_version"]) for task in tasks for one in task["predictions"])
    return stored.total() - len(stored)
