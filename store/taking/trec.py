"""TREC qrels: `query_id 0 doc_id grade` a line; a folder is read for its qrels.txt.

Ids that `ids.tsv` beside it maps (written id, tab, id as a JSON string) are taken as what they stand for.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from label_configs.errors import Unreadable
from label_configs.records import Item, Query
from store.corpus import jsonl
from store.taking import rows
from store.taking.rows import Entries, Row

_FIELDS = 4


def read(path: Path, queries: Mapping[str, Query], items: Mapping[str, Item]) -> Entries:
    """The rows of a file. Raises Unreadable where a folder has no qrels.txt, or the map of ids cannot be read."""
    file = path / "qrels.txt" if path.is_dir() else path
    if not file.is_file():
        raise Unreadable(f"There is no {file}.", mend="Give the file with the qrels.")
    names = _names(file.with_name("ids.tsv"))
    for number, line in jsonl.lines(file):
        try:
            yield f"{file.name}, line {number}", _row(line.decode(), names)
        except ValueError as error:
            yield f"{file.name}, line {number}", error


def _row(line: str, names: Mapping[str, str]) -> Row:
    fields = line.split()
    if len(fields) != _FIELDS:
        raise ValueError(f"it has {len(fields)} fields, not query_id, 0, doc_id, grade")
    query_id, _, doc_id, grade = fields
    return Row(names.get(query_id, query_id), names.get(doc_id, doc_id), rows.grade(grade))


def _names(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    try:
        pairs = (line.decode().split("\t", 1) for _, line in jsonl.lines(path))
        return {written: str(json.loads(name)) for written, name in pairs}
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{path} is no map of ids: {error}.", mend="Restore it, or take it away.") from error
