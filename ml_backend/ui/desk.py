"""What the page reads of a workspace, kept for as long as its files are the same."""

import threading
from pathlib import Path

from label_configs.errors import Mendable
from label_configs.records import Item, Modality, Query, Shown
from ml_backend import index
from ml_backend.collection import Collection
from ml_backend.encoders import ENCODERS
from ml_backend.encoders.base import NotReady
from ml_backend.retriever import Retriever
from ml_backend.ui import knobs
from store import settings_file
from store.workspace import Workspace

_OFFERED = 500
"""Known queries that the page offers while somebody types."""
_KINDS: tuple[Shown, ...] = ("image", "text", "video", "audio")


class Desk:
    """The state of the page in one web worker."""

    def __init__(self, retriever: Retriever) -> None:
        self.retriever = retriever
        self._opening, self._reading = threading.Lock(), threading.Lock()
        self._queries: tuple[object, list[Query], dict[str, Query]] = (None, [], {})

    @property
    def workspace(self) -> Workspace:
        """The workspace that is looked at."""
        return self.retriever.workspace

    def collection(self, asked: Modality, candidates: Shown) -> Collection:
        """See Retriever.collection; opened once, however many ask for it at the same time."""
        with self._opening:
            return self.retriever.collection(asked, candidates)

    def item(self, asked: Modality, candidates: Shown, doc_id: str) -> Item | None:
        """An item that such pools can hold."""
        return self.collection(asked, candidates).items.get(doc_id)

    def find(self, words: str) -> Query | None:
        """The known query of this text or id."""
        return self._known()[1].get(words)

    def state(self) -> dict[str, object]:
        """What the page shows before anybody asks."""
        settings, (queries, _) = self.workspace.settings, self._known()
        return {
            "workspace": self.workspace.root.name,
            **self._service(),
            "encoders": self._encoders(),
            "projects": [{"name": name, **one.model_dump()} for name, one in settings.projects.items()],
            "candidates": self._candidates(),
            "queries": len(queries),
            "known": [_offer(query) for query in queries[:_OFFERED]],
            "settings": knobs.values(settings),
            "base": settings_file.change(self.workspace.settings_path, {}).base,
            "max_bytes": settings.media.max_bytes,
            "per_screen": settings.pool.per_screen,
        }

    def _service(self) -> dict[str, object]:
        """Whether new queries can be encoded, and why never."""
        try:
            self.retriever.check_ready()
        except NotReady:
            return {"ready": False, "failure": ""}
        except Mendable as error:
            return {"ready": False, "failure": error.what}
        return {"ready": True, "failure": ""}

    def _encoders(self) -> list[dict[str, object]]:
        return [
            {"name": name, "kind": one.kind, "model": one.model, **self._about(name)}
            for name, one in self.workspace.settings.encoders.items()
        ]

    def _about(self, name: str) -> dict[str, object]:
        try:
            return {"items": index.about(self.workspace.index, name).items}
        except Mendable as error:
            return {"items": 0, "problem": error.line}

    def _candidates(self) -> list[dict[str, str]]:
        """What candidates may be: what the projects ask for, then what else an encoder reads."""
        settings = self.workspace.settings
        reads = frozenset[str]().union(*(ENCODERS[one.kind].modalities for one in settings.encoders.values()))
        asked = {one.candidates: f"{one.candidates} · {name}" for name, one in reversed(settings.projects.items())}
        kinds = [kind for kind in _KINDS if kind in reads and kind not in asked]
        mixed = [] if "mixed" in asked else ["mixed"]
        offered = [*reversed(asked.items()), *((kind, kind) for kind in [*kinds, *mixed])]
        return [{"value": value, "label": label} for value, label in offered]

    def _known(self) -> tuple[list[Query], dict[str, Query]]:
        with self._reading:
            seen = [_stamp(path) for path in (self.workspace.queries, self.workspace.root / "queries.live")]
            if self._queries[0] != seen:
                read = self.workspace.read_queries().records
                by_text = {query.text: query for query in reversed(read) if query.modality == "text"}
                self._queries = (seen, read, by_text | {query.query_id: query for query in read})
            return self._queries[1:]


def _offer(query: Query) -> dict[str, object]:
    text = query.text if query.modality == "text" else query.query_id
    return {"text": text, "modality": query.modality, "positives": len(query.positives)}


def _stamp(path: Path) -> tuple[int, int] | None:
    return (path.stat().st_mtime_ns, path.stat().st_size) if path.exists() else None
