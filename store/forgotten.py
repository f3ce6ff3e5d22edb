"""What must not come back: annotators and items that were erased from a workspace, named by keyed hashes alone.

An annotator is known by the pseudonym that the table had, an item by a hash of its doc_id, and of the query where it
was erased for that one only.
"""

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from label_configs.records import Judgment
from store import files

_NAME = "forgotten.json"


@dataclass(frozen=True)
class Forgotten:
    """Hashes of what was erased. key: the one that made them; without it they say nothing."""

    key: str = field(repr=False)
    annotators: frozenset[str] = frozenset()
    items: frozenset[str] = frozenset()

    def with_annotator(self, pseudonym: str) -> "Forgotten":
        """With one more."""
        return replace(self, annotators=self.annotators | {pseudonym})

    def with_item(self, doc_id: str, query_id: str = "") -> "Forgotten":
        """With one more; of a query where it is named, else of all."""
        return replace(self, items=self.items | {hashed(self.key, doc_id, query_id)})

    def holds(self, doc_id: str, query_id: str) -> bool:
        """Whether an item is erased, for this query or for all."""
        names = {hashed(self.key, doc_id, ""), hashed(self.key, doc_id, query_id)} if self.items and doc_id else set()
        return bool(names & self.items)

    def left(self, judgments: Sequence[Judgment]) -> Sequence[Judgment]:
        """The judgments that say nothing of what is erased."""
        if not self.items:
            return judgments
        return [j for j in judgments if not any(self.holds(d, j.query_id) for d in (j.doc_id, j.other_doc_id))]


class _Held(msgspec.Struct):
    annotators: frozenset[str]
    items: frozenset[str]


def load(folder: Path, key: str) -> Forgotten:
    """What a folder of judgments says must not come back."""
    path = folder / _NAME
    if not path.exists():
        return Forgotten(key)
    held = files.read_json(path, _Held, "Restore it from a backup: it says what must not come back.")
    return Forgotten(key, held.annotators, held.items)


def save(folder: Path, forgotten: Forgotten) -> None:
    """Keep it."""
    held = {"annotators": sorted(forgotten.annotators), "items": sorted(forgotten.items)}
    files.write(folder / _NAME, json.dumps(held, indent=1) + "\n")


def hashed(key: str, *parts: str) -> str:
    """A name for something that only the holder of the key can tell: HMAC-SHA256, 32 hex digits."""
    return hmac.new(key.encode(), "".join(f"{part}\0" for part in parts).encode(), hashlib.sha256).hexdigest()[:32]
