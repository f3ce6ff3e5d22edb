"""A JSON export of Label Studio: one item a task, of its `data`; annotations and predictions are passed over.

Fields are taken by the names that JSONL has; a medium under another name is known by its suffix, a text as the only
text there is. Other plain values become metadata. The doc_id is `_id`, or the task's id.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from label_configs.errors import Unreadable
from store.corpus import rows
from store.corpus.rows import COLUMNS, MEDIA, Entries, Row


class _Task(msgspec.Struct):
    id: int
    data: dict[str, Any]


def read(path: Path) -> Entries:
    """The rows of an export. Raises Unreadable for a file that is no JSON list."""
    try:
        tasks = msgspec.json.decode(path.read_bytes(), type=list[msgspec.Raw])
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise Unreadable(
            f"{path} is no JSON export of Label Studio: {error}.", mend="Export the project as JSON, not as JSON-MIN."
        ) from error
    for number, task in enumerate(tasks, 1):
        try:
            read = msgspec.json.decode(task, type=_Task)
            yield f"{path.name}, task {read.id}", _row(read)
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            yield f"{path.name}, task no. {number}", error


def _row(task: _Task) -> Row | Exception:
    named = {name: value for name, value in task.data.items() if name in COLUMNS}
    others = {name: value for name, value in task.data.items() if name not in COLUMNS}
    if not {"text", *MEDIA} & set(named):
        found = _content(others)
        if isinstance(found, Exception):
            return found
        named |= {kind: others.pop(name) for kind, name in found.items()}
    plain = {name: value for name, value in others.items() if isinstance(value, str | int | float | bool)}
    given = named.get("metadata", {})
    metadata = {**plain, **given} if isinstance(given, dict) else given
    return rows.of({"_id": str(task.id), **named, "metadata": metadata})


def _content(values: Mapping[str, Any]) -> dict[str, str] | Exception:
    """Modality to the name of the value that is it."""
    texts = [name for name, value in values.items() if isinstance(value, str) and value.strip()]
    media = {name: kind for name in texts if (kind := rows.modality_of(values[name]))}
    if len(media) > 1:
        return ValueError(f"more than one medium: {', '.join(media)}")
    if media:
        return {kind: name for name, kind in media.items()}
    if len(texts) == 1:
        return {"text": texts[0]}
    return ValueError(f"none of its values is a medium, or the only text: {', '.join(texts)[:200] or 'it has none'}")
