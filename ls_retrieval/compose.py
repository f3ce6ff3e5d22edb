"""How the rooms are put together for a command: the only place that knows both the backend and sync."""

import os
import secrets as random_secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from label_configs import rules as rules_file
from label_configs.errors import Mendable, Unreadable
from label_configs.forms.answers import BETTER
from label_configs.forms.envelope import Task
from label_configs.records import Pool, Query
from ls_retrieval.progress import bar, say
from store import files, pools, secrets, settings
from store.media import Media
from store.settings import Project
from store.workspace import Workspace
from sync.present import Presenter

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio

    from ml_backend.learning import Outcome
    from ml_backend.pooling import Proposed
    from ml_backend.ranker import Ranker
    from ml_backend.retriever import Retriever
    from ml_backend.rounds import Rounds

_KEY = "LSR_PSEUDONYM_KEY"
_WEBHOOK = "LSR_WEBHOOK_SECRET"
_OWN = {_KEY: "pseudonym.key", _WEBHOOK: "webhook.secret"}
"""Secrets that a workspace makes itself where the environment has none, and their files."""
_PART = 500
"""Pools kept at a time: what a stopped command loses at most."""


def start_workspace(root: Path) -> Workspace:
    """A workspace's own files, made where they are missing: rules, settings, and the secrets of its own."""
    workspace = Workspace(root)
    for path, content in (
        (workspace.rules_path, rules_file.preset()),
        (workspace.settings_path, settings.starter()),
    ):
        if not path.exists():
            files.write(path, content)
    for name, file in _OWN.items():
        if secrets.find(name) is None and not (root / file).exists():
            files.write(root / file, random_secrets.token_hex(32) + "\n", mode=0o600)
    return workspace


def pseudonym_key(workspace: Workspace) -> str:
    """The key of the annotators' pseudonyms: from the environment, or the workspace's own file."""
    found = _own(workspace, _KEY, os.environ)
    if found is None:
        raise Mendable(
            f"There is no {workspace.root / _OWN[_KEY]}, and {_KEY} is not set.",
            why="Annotators leave this machine under pseudonyms only.",
            mend=f"`ls-retrieval init --workspace {workspace.root}` makes one; where answers were read already, "
            "restore the one that they were read with.",
        )
    return found


def webhook_secret(workspace: Workspace, environ: Mapping[str, str] = os.environ) -> str | None:
    """What Label Studio's webhook says to be known: from the environment, or the workspace's own file; None without."""
    return _own(workspace, _WEBHOOK, environ)


def _own(workspace: Workspace, name: str, environ: Mapping[str, str]) -> str | None:
    kept, given = workspace.root / _OWN[name], secrets.find(name, environ)
    return secrets.read_private(kept) if given is None and kept.exists() else given


@contextmanager
def label_studio(environ: Mapping[str, str] = os.environ) -> Iterator["LabelStudio"]:
    """The Label Studio that the environment names."""
    from sync.label_studio import connected

    why = "The command talks to Label Studio."
    url = secrets.need("LABEL_STUDIO_URL", why, environ)
    with connected(url, secrets.need("LABEL_STUDIO_API_KEY", why, environ)) as client:
        yield client


def retriever(workspace: Workspace) -> "Retriever":
    """What predicts a workspace's tasks. It encodes no new queries."""
    from ml_backend.encoder_service import RemoteEncoders
    from ml_backend.retriever import Retriever

    return Retriever(workspace.root, RemoteEncoders(Path(os.devnull)))


def ranker(workspace: Workspace, project: int) -> "Ranker":
    """The ranker over the workspace's index, with what was learned from a Label Studio project."""
    return retriever(workspace).ranker_of(project)


def learn(workspace: Workspace, project: int, *, dry_run: bool = False) -> "Outcome":
    """Learn from the judgments that were pulled of a Label Studio project. Raises Mendable while another process does.

    To be called after a pull that read something. The same judgments are not fitted again.
    """
    from ml_backend import learning

    return learning.learn(workspace, project, dry_run=dry_run)


def learned(workspace: Workspace, project: int, roll_back: str = "") -> list[str]:
    """A line for each version that was learned from a Label Studio project, after going back to one, if asked to.

    Where somebody is learning it waits: what they learn would be used instead.
    """
    from ml_backend.learning import BASE, shelf_of

    shelf = shelf_of(workspace, project)
    if roll_back:
        with files.locked(shelf.folder / ".lock", f"learning from project {project}", wait=True):
            shelf.roll_back(roll_back)
    pointer = shelf.pointer()
    lines = [f"{BASE:<16}  before anybody judged"]
    for version in pointer.learned:
        try:
            about = shelf.load(version).about
        except Mendable as error:
            lines.append(f"{version}  {error.line}")
            continue
        kept = [what for what, there in (("order", about.adapted), ("grades", about.calibrated)) if there]
        lines.append(f"{version}  {about.queries} queries, {about.lessons} pairs; kept: {', '.join(kept) or 'nothing'}")
    known = (BASE, *pointer.learned)
    marks = dict.fromkeys(pointer.withdrawn, "  rolled back from") | {pointer.version: "  in use"}
    return [line + marks.get(version, "") for line, version in zip(lines, known, strict=True)]


def presenter(workspace: Workspace, project: str, now: "Callable[[], Ranker] | None" = None) -> Presenter:
    """What puts a project's pools before its annotators.

    now: gives what predicts at that moment, for who goes on for days; without it one predicts for all of them.
    """
    current = now or cache(lambda: ranker(workspace, workspace.project(project).id))

    def predict(task: Task, pool: Pool) -> dict[str, object]:
        return current().predict(task, pool)

    def scores(pool: Pool) -> Sequence[float]:
        ranking = current()
        return ranking.scores(pool.query_id, pool.candidates)

    return Presenter(
        project=workspace.project(project),
        rules=workspace.rules,
        per_screen=workspace.settings.pool.per_screen,
        queries={q.query_id: q for q in workspace.read_queries().records},
        items={i.doc_id: i for i in workspace.read_items().records},
        media=Media(workspace.root, workspace.settings.media),
        predict=predict,
        scores=scores,
    )


def index(workspace: Workspace) -> list[str]:
    """Encode what is new and switch to an index that holds it; returns what could not be read."""
    from ml_backend import library

    total = library.totals(workspace)
    with bar("Loading the model"):
        encoders = {name: library.load_encoder(workspace, name) for name in library.encoder_settings(workspace)}
    for name, encoder in encoders.items():
        say(f"{name}: {encoder}")
    with bar("Encoding corpus and queries", total) as advance:
        return library.build(workspace, encoders, advance).broken


def indexes(workspace: Workspace) -> list[str]:
    """A sentence for each encoder: what its index is, and how well it finds; or that there was nothing to read."""
    from ml_backend import index as built

    there = built.current(workspace.index)
    told = {name: str(built.about(workspace.index, name)) for name in workspace.settings.encoders if name in there}
    return [
        f"{name}: {told.get(name, 'no index, since it reads nothing here')}" for name in workspace.settings.encoders
    ]


class Made(NamedTuple):
    """Pools made now, pools that were there already, and a sentence for each query that is left without one.

    makeup: candidates by role and source; near-duplicates that are not shown count as the role `folded`.
    """

    made: int
    there: int
    left_out: list[str]
    makeup: Mapping[tuple[str, str], int]


def make_pools(
    workspace: Workspace,
    project: str,
    given: Mapping[str, int | None] | None = None,
    *,
    top_up: bool = False,
    dry_run: bool = False,
) -> Made:
    """Make the pools of a project's queries that have none yet: queries and candidates of its modalities alone.

    given: settings of [pool] that differ this time. top_up: another round as well, of what the corpus has gained and of
    what annotators know to match better, for the queries that have pools. dry_run: write nothing.
    Who is stopped goes on where the last whole part ended.
    """
    from ml_backend import library
    from ml_backend.rounds import Rounds, prepared

    chosen = workspace.settings.model_copy(update={"pool": workspace.settings.pool.model_copy(update=given)})
    wanted = workspace.project(project)
    items, queries = library.records(workspace)
    fits = pools.fitting(wanted, queries, items)
    asked = [query for query in queries if query.query_id in fits.asked]
    if not asked:
        of_domain = f" and domain {wanted.domain}" if wanted.domain else ""
        raise Mendable(
            f"There are no queries of modality {wanted.query}{of_domain} in {workspace.queries}.",
            mend='One JSON object a line: {"text": "an owl at night"} or {"image": "media/owl.jpg"}',
        )
    have = pools.rounds(workspace.pools, fits)
    todo = [query for query in asked if top_up or query.query_id not in have]
    there = len(have.keys() & {query.query_id for query in asked})
    if not todo:
        return Made(0, there, [], {})
    better = _better(workspace, wanted) if top_up else {}
    encode = library.encoding(workspace) if better else library.not_indexed
    opened = library.open_collection(workspace, wanted.candidates, encode, asked=wanted.query)
    rounds = Rounds(workspace.pools, prepared(workspace, opened), wanted.candidates, chosen)
    made = _pool(rounds, todo, have, better, dry_run=dry_run)
    if len(made.left_out) == len(asked):
        raise Mendable("No query has a pool.", problems=made.left_out[:20])
    return made._replace(there=there)


def _better(workspace: Workspace, project: Project) -> dict[str, list[str]]:
    """By query_id what the project's annotators wrote that they know to match better, in the order of the answers."""
    from store.judgments import Table

    found: dict[str, list[str]] = {}
    for judgment in Table(workspace.judgments / str(project.id)).current():
        if judgment.kind == "flag" and judgment.value == BETTER and judgment.note.strip():
            found.setdefault(judgment.query_id, []).append(" ".join(judgment.note.split()))
    return found


def _pool(
    rounds: "Rounds",
    queries: Sequence[Query],
    have: Mapping[str, pools.Rounds],
    better: Mapping[str, Sequence[str]],
    *,
    dry_run: bool,
) -> Made:
    """Make the next pool of each query, and keep them part by part; a sentence for each query that cannot be read."""
    made, left_out, makeup = 0, list[str](), Counter[tuple[str, str]]()
    if not dry_run:
        rounds.keep_items()
    with bar("Making pools", len(queries)) as advance:
        for start in range(0, len(queries), _PART):
            proposed: list[Proposed] = []
            for query in queries[start : start + _PART]:
                try:
                    found = rounds.next(query, have.get(query.query_id), better.get(query.query_id, ()))
                    proposed += [found] if found else []
                except Unreadable as error:
                    left_out.append(f"{query.query_id}: {error.line}")
                advance(1)
            if not dry_run:
                pools.append(rounds.folder, [p.pool for p in proposed], [hit for p in proposed for hit in p.run])
            made += len(proposed)
            makeup.update((c.role, c.source) for p in proposed for c in p.pool.candidates)
            makeup.update(("folded", c.source) for p in proposed for c in p.pool.folded)
    return Made(made, 0, left_out, makeup)
