"""Filling bare tasks: of the one that somebody opens, of a project that the webhook tells of, of all now and again."""

import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from label_configs.forms.envelope import Task
from label_configs.records import Pool, Query
from ls_retrieval import compose
from ls_retrieval.telling import Teller
from ml_backend.encoders.base import NotReady
from store import corpus, files, secrets
from store.workspace import Workspace
from sync import projects
from sync.fill import bare_tasks, fill, keep_prediction
from sync.present import Presenter
from sync.push import push

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio

    from sync.tasks import Row

POLL = 5.0
"""Seconds between two looks for bare tasks that are new."""
_THOROUGH = 120
"""Of so many looks one is at all tasks: what was given back meanwhile may be bare again."""
_AT_ONCE = 50
"""Bare tasks whose candidates are proposed before the first of them is filled."""
_TASK_LOCKS = 4096


class _Looked(NamedTuple):
    """Up to which task a project was looked at, and the bare ones of them that could not be filled."""

    last: int = 0
    left: Mapping[int, Query] = {}


class Filler:
    """Fills bare tasks of the workspace's projects, where the environment names a Label Studio.

    environment: holds LSR_WORKSPACE, LSR_ENCODER_SOCKET, and for filling LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        from ml_backend.encoder_service import RemoteEncoders
        from ml_backend.retriever import Retriever

        self._workspace = Workspace(Path(environment["LSR_WORKSPACE"]))
        self.retriever = Retriever(self._workspace.root, RemoteEncoders(Path(environment["LSR_ENCODER_SOCKET"])))
        self._locks = self._workspace.root / ".filling"
        self._environment = environment
        self._looked: dict[int, _Looked] = {}
        self._presenters: dict[str, tuple[object, Presenter]] = {}
        self._teller = Teller()

    @property
    def workspace(self) -> Workspace:
        """The workspace that it fills from."""
        return self._workspace

    def learn(self, project: int) -> None:
        """Learn from the judgments of a project as they were last pulled; those of no project of ours teach nothing."""
        if self._name(project) is not None:
            compose.learn(self._workspace, project)

    @property
    def able(self) -> bool:
        """Whether there is a Label Studio to write to."""
        return all(secrets.find(name, self._environment) for name in ("LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"))

    def task(self, project: int, task_id: int) -> "Row | None":
        """Fill the one task that somebody is opening; None while it is being filled already.

        Label Studio asks about a task whenever it is read through its API, by the filling itself too.
        """
        name = self._name(project)
        if name is None:
            return None
        presenter = self._presenter(name)
        with ExitStack() as stack:
            stack.enter_context(suppress(files.Held))
            stack.enter_context(self._lock_task(task_id))
            client = stack.enter_context(compose.label_studio(self._environment))
            self._check(client, presenter)
            return fill(client, presenter, task_id, partial(self._propose_all, client, presenter))
        return None

    def project(self, project: int, *, thorough: bool = False) -> None:
        """Fill the bare tasks of a project that nobody works on; one that cannot be filled stops no other.

        Looked at is what is new since the last time and what could not be filled then, or everything.
        """
        name = self._name(project)
        if name is None:
            return
        presenter = self._presenter(name)
        with (
            self._lock(f"project-{project}", wait=True),
            compose.label_studio(self._environment) as client,
        ):
            self._check(client, presenter)
            looked = _Looked() if thorough else self._looked.get(project, _Looked())
            bare = bare_tasks(client, presenter, after=looked.last)
            remaining, left = iter({**looked.left, **bare.queries}.items()), dict[int, Query]()
            while some := dict(islice(remaining, _AT_ONCE)):
                left |= self._fill_some(client, presenter, some)
            self._looked[project] = _Looked(bare.last, left)

    def poll(self, stop: threading.Event) -> None:
        """Fill all projects, now and again, until told to stop."""
        self._teller.until(stop)
        looks = 0
        while not stop.wait(POLL):
            with self._teller.telling("no project was looked at"):
                for project in self._workspace.settings.projects.values():
                    with self._teller.telling(f"project {project.id} was not filled"):
                        self.project(project.id, thorough=looks % _THOROUGH == 0)
            looks += 1

    def _fill_some(
        self, client: "LabelStudio", presenter: Presenter, some: Mapping[int, Query | None]
    ) -> dict[int, Query]:
        """Fill bare tasks, once the candidates of all of them are known; gives back those that could not be."""
        where, proposed = f"of project {presenter.project.id} was not filled", self._proposed(client, presenter, some)
        left, filled = {task_id: query for task_id, query in some.items() if query is not None}, list["Row"]()

        def pool(query: Query) -> Pool:  # of one that was changed meanwhile nothing is known yet
            return proposed[query] if query in proposed else self._propose_all(client, presenter, query)

        for task_id, query in some.items():
            if query is None or query in proposed:
                with (
                    self._teller.telling(f"task {task_id} {where}"),
                    suppress(files.Held),
                    self._lock_task(task_id),
                ):
                    task = fill(client, presenter, task_id, pool)
                    filled += [task] if task is not None else []
                    left.pop(task_id, None)
        with self._teller.telling(f"predictions of project {presenter.project.id} were not stored"):
            self._keep_predictions(client, presenter, filled)
        return left

    def _proposed(
        self, client: "LabelStudio", presenter: Presenter, some: Mapping[int, Query | None]
    ) -> dict[Query, Pool]:
        """The pools of bare tasks' queries, as far as there can be any; all screens but their first are pushed."""
        proposed: dict[Query, Pool] = {}
        for task_id, query in some.items():
            if query is not None and query not in proposed:
                with self._teller.telling(
                    f"task {task_id} of project {presenter.project.id} was not filled", but=NotReady
                ):
                    proposed[query] = self._propose(presenter, query)
        rest = {query: tasks for query, pool in proposed.items() if (tasks := _rest(presenter, query, pool))}
        if rest:
            with self._teller.telling(f"the further screens of project {presenter.project.id} were not made"):
                push(client, presenter.project, [task for tasks in rest.values() for task in tasks])
                rest.clear()
        return {query: pool for query, pool in proposed.items() if query not in rest}

    def _keep_predictions(self, client: "LabelStudio", presenter: Presenter, filled: Sequence["Row"]) -> None:
        """Store what is predicted for tasks of a blind project, for the Data Manager: nobody else asks for it there."""
        predict = self.retriever.predictor(presenter.project.id)
        bare = [task for task in filled if not task["total_predictions"]] if presenter.project.mode == "blind" else []
        for task, prediction in zip(bare, predict(bare), strict=True):
            if prediction is not None:
                keep_prediction(client, int(task["id"]), prediction)

    def _propose_all(self, client: "LabelStudio", presenter: Presenter, query: Query) -> Pool:
        """The pool of a query whose first screen is about to be filled; the others become tasks of their own."""
        pool = self._propose(presenter, query)
        rest = _rest(presenter, query, pool)
        if rest:
            with self._lock(f"project-{presenter.project.id}"):
                push(client, presenter.project, rest)
        return pool

    def _lock(self, name: str, *, wait: bool = False) -> AbstractContextManager[None]:
        """A lock among the processes that fill from this workspace, of other backends too."""
        return files.locked(self._locks / name, "filling this", wait=wait)

    def _lock_task(self, task_id: int) -> AbstractContextManager[None]:
        """That of a task, shared with few others: a file a task would fill a machine that runs for months."""
        return self._lock(f"task-{task_id % _TASK_LOCKS}")

    def _check(self, client: "LabelStudio", presenter: Presenter) -> None:
        projects.refuse_earlier(client, presenter.project, presenter.rules, self._workspace.earlier_rules())

    def _propose(self, presenter: Presenter, query: Query) -> Pool:
        """Candidates for a query that Label Studio holds; it is kept with the others, and the rules for its answers.

        Two queries that were imported under one id are told apart by their contents.
        """
        self._workspace.keep_rules(presenter.rules)
        if query.query_id not in presenter.queries:
            kept = corpus.live(self._workspace.queries, query.query_id)
            if kept is not None and kept.content != query.content:
                query = replace(query, query_id=corpus.bare_query_id(query.content))
            corpus.add_live(self._workspace.queries, query)
        return self.retriever.propose(query, presenter.project.candidates, presenter.arrange)

    def _presenter(self, name: str) -> Presenter:
        """The project's presenter, made anew when a file that it was made from has changed."""
        there = self._workspace
        sources = (there.rules_path, there.settings_path, there.corpus, there.queries, there.index / "current.json")
        seen = [(path.stat().st_mtime_ns, path.stat().st_size) if path.exists() else None for path in sources]
        kept = self._presenters.get(name)
        if kept is None or kept[0] != seen:
            project = there.project(name).id
            presenter = compose.presenter(there, name, lambda: self.retriever.ranker_of(project))
            kept = self._presenters[name] = (seen, presenter)
        return kept[1]

    def _name(self, project: int) -> str | None:
        projects = self._workspace.settings.projects
        return next((name for name, one in projects.items() if one.id == project), None)


def _rest(presenter: Presenter, query: Query, pool: Pool) -> list[Task]:
    """All screens but the first. They are pushed before that one is filled: who is stopped in between does it again."""
    return list(presenter.predicted(pool, query))[1:]
