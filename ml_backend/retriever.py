"""What the backend knows: a workspace's pools, index and encoders, opened when first needed, reopened when replaced."""

import logging
import threading
from collections.abc import Callable, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any

from label_configs.errors import Mendable
from label_configs.forms import check
from label_configs.forms.envelope import KEY, is_filled
from label_configs.records import Modality, Pool, Query, Shown
from label_configs.rules import Rules
from ml_backend import hints, index, pooling
from ml_backend.collection import Collection
from ml_backend.encoder_service import RemoteEncoders
from ml_backend.encoders.base import NotReady
from ml_backend.kept import Kept
from ml_backend.library import encoder_settings, open_collection
from ml_backend.protocol import Closer, Predict
from ml_backend.ranker import Ranker
from ml_backend.rounds import Rounds, prepared
from store import pools
from store.media import Media
from store.settings import PoolSettings
from store.workspace import Workspace

_TOLD = 1000
"""So many reasons why predictions were left out are remembered at most."""
log = logging.getLogger(__name__)


class Retriever:
    """State of one web worker. All of it is read from files, so workers agree without talking."""

    def __init__(self, root: Path, encoders: RemoteEncoders) -> None:
        self._workspace, self._encoders = Workspace(root), encoders
        self._collections: dict[tuple[Modality, Shown], tuple[object, Collection]] = {}
        self._pools = Kept(self._workspace.pools)
        self._told: set[str] = set()
        self._opening = threading.Lock()

    @property
    def ranker(self) -> Ranker:
        """The ranker over the index in use. Reads two small files; no vectors, no weights."""
        now = index.current(self._workspace.index)
        versions = "+".join(now[name]["version"] for name in sorted(encoder_settings(self._workspace)) if name in now)
        return Ranker(self._workspace.rules, versions)

    def ready(self) -> bool:
        """Whether new queries can be encoded already."""
        return self._encoders.ready()

    def predictor(self) -> Predict:
        """What predicts tasks as things stand now.

        None for a task of others, of unknown pools or of other rules, and for one that stays blind in a project that
        assists: Label Studio would prefill it.
        """
        return self._predictor(lambda task, pool: pool)

    def closer(self) -> Closer:
        """What predicts a task anew from what its annotator has said so far: a better match in words, or cards that
        answer the query. While the weights load, or where nothing was said, it predicts as ever.
        """

        def predict(task: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any] | None:
            def rescored(task: Mapping[str, Any], pool: Pool) -> Pool:
                said = hints.read(task, context, self.ranker.rules)
                try:
                    return hints.rescored(pool, said, self._open("text", "mixed")) if said else pool
                except NotReady:
                    return pool

            return self._predictor(rescored)(task)

        return predict

    def propose(self, query: Query, candidates: Shown, arrange: Callable[[Pool], Pool] = Pool.shuffled) -> Pool:
        """The candidates for a query that came live, in the order that `arrange` gives, and kept.

        A query that was asked before keeps its first pool, as far as the corpus still holds it. For a new one it is
        one screen; its run ends before the first item that is not on it: below, nothing could ever be judged. Raises
        NotReady while weights load.
        """
        collection, run = self._open(query.modality, candidates), []
        pool = self._pools.first(query.query_id, collection.items)
        if pool is None:
            settings = self._workspace.settings
            one_screen = settings.model_copy(
                update={"pool": settings.pool.model_copy(update=_one_screen(settings.pool))}
            )
            Rounds(self._workspace.pools, collection, candidates, one_screen).keep_items()
            proposed = pooling.build(query, collection, one_screen)
            shown, pool = {candidate.doc_id for candidate in proposed.pool.candidates}, proposed.pool
            run = list(takewhile(lambda hit: hit.doc_id in shown, proposed.run))
        pool = arrange(pool)
        if pool.pool_id not in self._pools.all():
            pools.append(self._workspace.pools, [pool], run)
        return pool

    def _predictor(self, scored: Callable[[Mapping[str, Any], Pool], Pool]) -> Predict:
        ranker, known = self.ranker, self._pools.all()

        def predict(task: Mapping[str, Any]) -> dict[str, Any] | None:
            envelope = task["meta"][KEY] if is_filled(task) else {}
            if envelope.get("rules_hash") != ranker.rules.hash or envelope.get("assisted") is False:
                return None
            pool = known.get(str(envelope.get("pool_id")))
            try:
                return self._sound(task, ranker.predict(task, scored(task, pool)), ranker.rules) if pool else None
            except (LookupError, TypeError, Mendable):  # somebody changed the task
                return None

        return predict

    def _sound(self, task: Mapping[str, Any], prediction: dict[str, Any], rules: Rules) -> dict[str, Any] | None:
        """The prediction; None where something is wrong with it, which is said once."""
        problems = check.problems(task, prediction, rules)
        if not problems:
            return prediction
        said = f"task {task.get('id')} gets no prediction: {'; '.join(problems)}"
        if said not in self._told and len(self._told) < _TOLD:
            self._told.add(said)
            log.warning(said)
        return None

    def _open(self, asked: Modality, candidates: Shown) -> Collection:
        with self._opening:
            corpus = self._workspace.corpus.stat() if self._workspace.corpus.exists() else None
            version = (self.ranker.collection, corpus and (corpus.st_mtime_ns, corpus.st_size))
            opened = self._collections.get((asked, candidates))
            if opened is None or opened[0] != version:
                opened = self._collections[asked, candidates] = (version, self._opened(asked, candidates))
            return opened[1]

    def _opened(self, asked: Modality, candidates: Shown) -> Collection:
        media = Media(self._workspace.root, self._workspace.settings.media)
        fingerprints = {name: now["fingerprint"] for name, now in index.current(self._workspace.index).items()}
        encode = self._encoders.query(media, fingerprints)
        return prepared(self._workspace, open_collection(self._workspace, candidates, encode, asked=asked))


def _one_screen(pool: PoolSettings) -> dict[str, int | None]:
    """What differs in [pool] for a query that came live: one screen has no room for an audit, and few negatives."""
    depth = min(pool.depth, pool.per_screen)
    return {"depth": depth, "max_depth": None, "hard": min(pool.hard, depth // 3), "audit_near": 0, "audit_beyond": 0}
