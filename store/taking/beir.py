"""A BEIR folder: `qrels/*.tsv` with `query-id`, `corpus-id`, `score`, beside corpus.jsonl and queries.jsonl."""

import csv
from collections.abc import Mapping
from pathlib import Path

from label_configs.errors import Unreadable
from label_configs.records import Item, Query
from store.corpus import jsonl
from store.taking import rows
from store.taking.rows import Entries, Row

_HEADER = ["query-id", "corpus-id", "score"]


def files(path: Path) -> dict[str, Path]:
    """Corpus and queries, as far as they are there."""
    return {name: file for name in ("corpus", "queries") if (file := path / f"{name}.jsonl").is_file()}


def read(path: Path, queries: Mapping[str, Query], items: Mapping[str, Item]) -> Entries:
    """The rows of all splits. Raises Unreadable where there are none."""
    found = sorted((path / "qrels").glob("*.tsv"))
    if not found:
        raise Unreadable(f"{path} has no qrels/*.tsv.", mend="Give the folder that holds corpus.jsonl and qrels/.")
    for file in found:
        for number, line in jsonl.lines(file):
            try:
                cells = next(csv.reader([line.decode().rstrip("\r\n")], delimiter="\t"), [])
                if cells != _HEADER:
                    yield f"{file.name}, line {number}", _row(cells)
            except (ValueError, csv.Error) as error:
                yield f"{file.name}, line {number}", error


def _row(cells: list[str]) -> Row:
    if len(cells) != len(_HEADER):
        raise ValueError(f"it has {len(cells)} cells, not {len(_HEADER)}")
    return Row(cells[0], cells[1], rows.grade(cells[2]))
