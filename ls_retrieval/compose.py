"""How the rooms are put together for a command: the only place that knows both the backend and sync."""

import os
import secrets as random_secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from label_configs import rules as rules_file
from label_configs.errors import Mendable, Unreadable
from label_configs.forms.answers import BETTER
from label_configs.forms.envelope import Task
from label_configs.records import Pool, Query
from ls_retrieval.progress import bar, say
from store import files, pools, secrets, settings
from store.judgments import Table
from store.media import Media
from store.settings import Project
from store.workspace import Workspace
from sync.present import Presenter

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio

    from ml_backend.pooling import Proposed
    from ml_backend.ranker import Ranker
    from ml_backend.rounds import Rounds

_KEY = "LSR_PSEUDONYM_KEY"
_PART = 500
"""Pools kept at a time: what a stopped command loses at most."""


def start_workspace(root: Path) -> Workspace:
    """A workspace's own files, made where they are missing: rules, settings, and the key of the pseudonyms."""
    workspace = Workspace(root)
    for path, content in (
        (workspace.rules_path, rules_file.preset()),
        (workspace.settings_path, settings.starter()),
    ):
        if not path.exists():
            files.write(path, content)
    if secrets.find(_KEY) is None and not (root / "pseudonym.key").exists():
        files.write(root / "pseudonym.key", random_secrets.token_hex(32) + "\n", mode=0o600)
    return workspace


def pseudonym_key(workspace: Workspace) -> str:
    """The key of the annotators' pseudonyms: from the environment, or the workspace's own file."""
    kept = workspace.root / "pseudonym.key"
    if secrets.find(_KEY) is None and kept.exists():
        return secrets.read_private(kept)
    return secrets.need(_KEY, "Annotators leave this machine under pseudonyms only.")


@contextmanager
def label_studio() -> Iterator["LabelStudio"]:
    """The Label Studio that the environment names."""
    from sync.label_studio import connected

    why = "The command talks to Label Studio."
    url = secrets.need("LABEL_STUDIO_URL", why)
    with connected(url, secrets.need("LABEL_STUDIO_API_KEY", why)) as client:
        yield client


def ranker(workspace: Workspace) -> "Ranker":
    """The ranker over the workspace's index."""
    from ml_backend.encoder_service import RemoteEncoders
    from ml_backend.retriever import Retriever

    return Retriever(workspace.root, RemoteEncoders(Path(os.devnull))).ranker


def presenter(workspace: Workspace, project: str) -> Presenter:
    """What puts a project's pools before its annotators."""
    predictor = ranker(workspace)

    def predict(task: Task, pool: Pool) -> dict[str, object]:
        return predictor.predict(task, pool)

    return Presenter(
        project=workspace.project(project),
        rules=workspace.rules,
        per_screen=workspace.settings.pool.per_screen,
        queries={q.query_id: q for q in workspace.read_queries().records},
        items={i.doc_id: i for i in workspace.read_items().records},
        media=Media(workspace.root, workspace.settings.media),
        predict=predict,
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
    """A sentence for each encoder: what its index is, and how well it finds."""
    from ml_backend import index as built

    return [f"{name}: {built.about(workspace.index, name)}" for name in workspace.settings.encoders]


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
    asked = [query for query in queries if query.modality == wanted.query]
    if not asked:
        raise Mendable(
            f"There are no queries of modality {wanted.query} in {workspace.queries}.",
            mend='One JSON object a line: {"text": "an owl at night"} or {"image": "media/owl.jpg"}',
        )
    have = pools.rounds(workspace.pools, pools.fitting(wanted, queries, items))
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
