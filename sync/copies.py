"""Media that lie in the workspace more than once: the same bytes under several names."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from label_configs.errors import Unreadable
from label_configs.records import Item
from store.media import Media


def copies(items: Iterable[Item], media: Media) -> dict[str, str]:
    """URI to a name of its content, of those files of the workspace whose size another one has too.

    Files alone are looked at, and read where their sizes are equal; nothing is fetched, and no archive searched.
    """
    by_size: dict[int, dict[str, Item]] = {}
    for item in items:
        if item.uri and (size := _size(media.root / item.uri)):
            by_size.setdefault(size, {})[item.uri] = item
    found: dict[str, str] = {}
    for alike in by_size.values():
        if len(alike) > 1:
            found.update((uri, name) for uri, item in alike.items() if (name := _name(item, media)))
    return found


def _size(path: Path) -> int:
    """Bytes of a file; 0 of what is none."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except (OSError, ValueError):  # too long a name, a NUL
        return 0


def _name(item: Item, media: Media) -> str:
    try:
        return hashlib.sha256(media.read(item)).hexdigest()
    except Unreadable:
        return ""
