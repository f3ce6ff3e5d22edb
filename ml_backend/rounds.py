"""A query's next pool: its first, or what the corpus has gained since its last and what annotators know of."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from label_configs.records import Query, Shown, digest
from ml_backend import asked, pooling
from ml_backend.collection import Collection
from ml_backend.pooling import Proposed
from store import gold, pools
from store.gold import Gold
from store.settings import Settings
from store.workspace import Workspace


def prepared(workspace: Workspace, collection: Collection) -> Collection:
    """The collection with what pools need beside items and spaces: queries that were asked before, strata, gold."""
    fingerprints = {name: space.index.fingerprint for name, space in collection.spaces.items()}
    there, strata = asked.load(workspace, fingerprints), workspace.settings.pool.strata
    return replace(collection, asked=there, strata=strata, gold=_gold(workspace))


def _gold(workspace: Workspace) -> dict[str, list[Gold]]:
    found: dict[str, list[Gold]] = {}
    if workspace.gold.exists():
        for one in gold.load(workspace.gold, workspace.rules).values():
            found.setdefault(one.query_id, []).append(one)
    return found


@dataclass(frozen=True)
class Rounds:
    """Makes pools of one collection, and knows what earlier ones were made of. folder: where pools are kept."""

    folder: Path
    collection: Collection
    candidates: Shown
    settings: Settings
    _new: dict[str, frozenset[str]] = field(default_factory=dict, repr=False)

    def keep_items(self) -> None:
        """Keep what the collection holds, before a pool is made of it: later rounds are told from it what is new."""
        pools.remember(self.folder, self._name(self.collection.version), self.collection.items)

    def next(self, query: Query, before: pools.Rounds | None, better: Sequence[str] = ()) -> Proposed | None:
        """The next pool of a query; None where it has one and nothing new belongs into it.

        better: what annotators wrote that they know to match better; each is taken up once.
        """
        if before is None:
            return pooling.build(query, self.collection, self.settings)
        new = self._since(before.version)
        fresh = [text for text in dict.fromkeys(better) if text not in before.taken_up]
        if not new and not fresh:
            return None
        return pooling.top_up(
            query,
            self.collection,
            self.settings,
            round_=before.last + 1,
            new=new,
            shown=before.named,
            better=fresh,
        )

    def _since(self, version: str) -> frozenset[str]:
        """The items that an earlier version of the index did not hold."""
        if version not in self._new:
            known = pools.remembered(self.folder, self._name(version))
            self._new[version] = frozenset(self.collection.items.keys() - known)
        return self._new[version]

    def _name(self, version: str) -> str:
        return digest(version, self.candidates)
