"""What the backend knows: a workspace's pools, index and encoders, opened when first needed, reopened when replaced."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from label_configs.errors import Mendable
from label_configs.forms import FORMS, check, plain
from label_configs.records import Modality, Pool, Query, ScoredDoc, Shown
from label_configs.rules import Rules
from ml_backend import hints, index, pooling
from ml_backend.collection import Collection
from ml_backend.encoder_service import RemoteEncoders
from ml_backend.encoders.base import Encode, NotReady, Vectors
from ml_backend.kept import Kept, Scored
from ml_backend.learning import Learned, shelf_of
from ml_backend.learning.versions import holds
from ml_backend.learning.views import Views, fingerprints, open_views
from ml_backend.library import encoder_settings, open_collection
from ml_backend.protocol import Closer, Given, Predict
from ml_backend.ranker import Corrected, Ranker, Screen, screen
from ml_backend.rounds import Rounds, prepared
from ml_backend.vectors import VectorStore, key
from store import pools
from store.media import Media
from store.workspace import Workspace

_TOLD = 1000
"""So many reasons why predictions were left out are remembered at most."""
log = logging.getLogger(__name__)


class _Shown(NamedTuple):
    task_id: int
    screen: Screen


class Retriever:
    """State of one web worker. All of it is read from files, so workers agree without talking."""

    def __init__(self, root: Path, encoders: RemoteEncoders) -> None:
        self._workspace, self._encoders = Workspace(root), encoders
        self._collections: dict[tuple[Modality, Shown], tuple[object, Collection]] = {}
        self._pools = Kept(self._workspace.pools)
        self._told: set[str] = set()
        self._opening = threading.Lock()
        self._learned: dict[int, tuple[object, Learned | None]] = {}
        self._views: tuple[object, Views] | None = None

    @property
    def ranker(self) -> Ranker:
        """The ranker over the index in use, before anybody judged. Reads two small files; no vectors, no weights."""
        now = index.current(self._workspace.index)
        versions = "+".join(now[name]["version"] for name in sorted(encoder_settings(self._workspace)) if name in now)
        return Ranker(self._workspace.rules, versions)

    def ranker_of(self, project: int | None) -> Ranker:
        """The ranker with what was learned from a Label Studio project, where that holds still."""
        ranker = self._calibrated(project)
        if ranker.learned is None or ranker.learned.adapter is None:
            return ranker
        return replace(ranker, scored=Corrected(ranker.learned.adapter, self._viewed()))

    def version_of(self, project: int | None) -> str:
        """The version of that ranker, without the vectors and queries that it ranks by: /setup has three seconds."""
        return self._calibrated(project).version

    def versions(self) -> list[str]:
        """The versions in use, of all projects of the workspace: who asks for them names none."""
        known = self._workspace.settings.projects.values()
        return sorted({self.version_of(one.id) for one in known} or {self.ranker.version})

    def _calibrated(self, project: int | None) -> Ranker:
        """The ranker of a project, as if the order were not corrected."""
        plain = self.ranker
        learned = None if project is None else self._current(project)
        if learned is None or not holds(learned, plain.rules.hash, fingerprints(self._workspace)):
            return plain
        return replace(plain, learned=learned)

    def ready(self) -> bool:
        """Whether new queries can be encoded already."""
        return self._encoders.ready()

    def predictor(self, project: int | None = None) -> Predict:
        """What predicts tasks of a Label Studio project as things stand now.

        None for a task of others, of unknown pools or of other rules, and for one that stays blind in a project that
        assists: Label Studio would prefill it.
        """
        return partial(self._predict, self.ranker_of(project))

    def closer(self, project: int | None = None) -> Closer:
        """What predicts a task anew from what its annotator has said so far: a better match in words, or cards that
        answer the query. While the weights load, or where nothing was said, it predicts as ever.
        """

        def predict(task: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any] | None:
            ranker, known = self.ranker_of(project), self._pools.all()
            try:
                said = hints.read(task, context, ranker.rules)
            except Mendable:  # it is none of ours, or somebody changed it
                return None

            def rescored(pool_id: str) -> Scored | None:
                pool = known.get(pool_id)
                with suppress(NotReady):
                    pool = hints.rescored(pool, said, self._open("text", "mixed")) if pool and said else pool
                return Scored.of(pool) if pool else None

            (prediction,) = self._predict(ranker, [task], rescored)
            problems = check.problems(task, prediction, ranker.rules) if prediction else []
            if problems:
                self._leave_out(task["id"], problems)
            return None if problems else prediction

        return predict

    def propose(self, query: Query, candidates: Shown, arrange: Callable[[Pool], Pool] = Pool.shuffled) -> Pool:
        """The candidates for a query that came live, in the order that `arrange` gives, and kept.

        A query that was asked before keeps its first pool, as far as the corpus still holds it; a new one gets what
        `pool` would make of it. Raises NotReady while weights load.
        """
        collection, run = self._open(query.modality, candidates), list[ScoredDoc]()
        pool = self._pools.first(query.query_id, collection.items)
        if pool is None:
            settings = self._workspace.settings
            Rounds(self._workspace.pools, collection, candidates, settings).keep_items()
            pool, run = pooling.build(query, collection, settings)
        pool = arrange(pool)
        if pool.pool_id not in self._pools.all():
            pools.append(self._workspace.pools, [pool], run)
        return pool

    def _predict(
        self, ranker: Ranker, tasks: Sequence[Given], pool_of: Callable[[str], Scored | None] | None = None
    ) -> list[dict[str, Any] | None]:
        """A prediction for each task that may have one. pool_of: its pool by pool_id, where not as it was kept."""
        pool_of = pool_of or self._pools.all().scored
        found = [_shown(task, ranker.rules, pool_of) for task in tasks]
        made = iter(ranker.predictions([one.screen for one in found if one]))
        return [self._sound(one.task_id, next(made)) if one else None for one in found]

    def _sound(self, task_id: int, prediction: dict[str, Any]) -> dict[str, Any] | None:
        """The prediction; None for one whose score is no number: Label Studio drops the whole batch for it.

        All else is sound as it is made: every card of the task once, and grades of the rules.
        """
        if isfinite(prediction["score"]):
            return prediction
        self._leave_out(task_id, [f"expected a finite score, found {prediction['score']}"])
        return None

    def _leave_out(self, task_id: int, problems: Sequence[str]) -> None:
        """Say once why a task gets no prediction."""
        said = f"task {task_id} gets no prediction: {'; '.join(problems)}"
        if said not in self._told and len(self._told) < _TOLD:
            self._told.add(said)
            log.warning(said)

    @property
    def workspace(self) -> Workspace:
        """The workspace that it knows."""
        return self._workspace

    def check_ready(self) -> None:
        """Raise NotReady while weights load, and Mendable where they cannot be loaded."""
        self._encoders.known()

    def collection(self, asked: Modality, candidates: Shown) -> Collection:
        """The items of one modality as they were last indexed, for queries of the modality `asked`."""
        return self._open(asked, candidates)

    def encoded(self, collection: Collection, picture: bytes) -> dict[str, Vectors]:
        """By encoder the vector of a picture that lies in no workspace. Raises NotReady while weights load."""
        return {
            name: self._encoders.encode(name, "image", [picture], space.index.fingerprint)[0]
            for name, space in collection.spaces.items()
        }

    def _open(self, asked: Modality, candidates: Shown) -> Collection:
        with self._opening:
            corpus = self._workspace.corpus.stat() if self._workspace.corpus.exists() else None
            version = (
                self.ranker.collection,
                corpus and (corpus.st_mtime_ns, corpus.st_size),
                _stat(self._workspace.gold),
            )
            opened = self._collections.get((asked, candidates))
            if opened is None or opened[0] != version:
                opened = self._collections[asked, candidates] = (version, self._opened(asked, candidates))
            return opened[1]

    def _opened(self, asked: Modality, candidates: Shown) -> Collection:
        media = Media(self._workspace.root, self._workspace.settings.media)
        encode = self._keeping(media, self._encoders.query(media))
        return prepared(self._workspace, open_collection(self._workspace, candidates, encode, asked=asked))

    def _keeping(self, media: Media, encode: Encode) -> Encode:
        """The same encoding, whose vectors are kept: what was learned corrects scores by them."""

        def kept(name: str, fingerprint: str, query: Query) -> Vectors:
            vector = encode(name, fingerprint, query)
            store = VectorStore(self._workspace.embeddings / fingerprint)
            with suppress(Mendable), store.writing():  # while somebody else writes it waits for the next `index`
                store.add([key(query.modality, media.content(query))], vector[None])
            return vector

        return kept

    def _current(self, project: int) -> Learned | None:
        """The version in use, read again when the pointer to it has changed; none, and a warning, where damaged."""
        shelf = shelf_of(self._workspace, project)
        seen = _stat(shelf.pointer_path)
        if project not in self._learned or self._learned[project][0] != seen:
            try:
                self._learned[project] = seen, shelf.current()
            except Mendable as error:
                log.warning("project %s is ranked as if nobody had judged: %s", project, error.line)
                self._learned[project] = seen, None
        return self._learned[project][1]

    def _viewed(self) -> Views:
        """The vectors, opened again when there are others."""
        there, encoders = self._workspace, fingerprints(self._workspace).values()
        sources = [there.index / "current.json", there.settings_path, there.queries]
        sources.append(there.queries.with_name("queries.live"))
        sources += [there.embeddings / fingerprint / "keys.sha256" for fingerprint in encoders]
        seen = [_stat(path) for path in sources]
        if self._views is None or self._views[0] != seen:
            self._views = seen, open_views(there)
        return self._views[1]


def _shown(task: Given, rules: Rules, pool_of: Callable[[str], Scored | None]) -> _Shown | None:
    """What a task shows; None for one that gets no prediction."""
    asked = plain.asked(task)
    envelope = asked.meta.envelope if asked else None
    if envelope is None or envelope.rules_hash != rules.hash or envelope.assisted is False:
        return None
    pool = pool_of(envelope.pool_id) if envelope.form in FORMS else None
    try:
        return _Shown(asked.id, screen(envelope.form, pool, envelope.docs.values())) if asked and pool else None
    except KeyError:  # somebody changed it
        return None


def _stat(path: Path) -> tuple[int, int, int] | None:
    """What tells that a file was replaced; None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
