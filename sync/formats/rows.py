"""Rows of training tables: records first, in the order that trainers go by, then labels; beside them where each row
comes from.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

from label_configs.records import Item, Modality, Query, Relevance
from store import files
from sync.dataset import Dataset
from sync.formats import base, media, parquet, told
from sync.splits import Split

Cell = Query | Item | Sequence[Item]
"""What a column of media or texts holds: a record, or a list of them."""


class Row(NamedTuple):
    """cells and labels in the order of their columns; about: the row's line in `SPLIT.ids.jsonl`."""

    cells: Sequence[Cell]
    labels: Sequence[object]
    about: Mapping[str, object]


def write(
    data: Dataset,
    folder: Path,
    split: Split,
    columns: Sequence[str],
    labels: Mapping[str, parquet.Kind],
    rows: Callable[[], Iterator[Row]],
) -> None:
    """Write `SPLIT.parquet` and, line by line beside it, `SPLIT.ids.jsonl`; without rows, nothing.

    rows: gives the same rows each time, so that none is kept: for the kinds of the columns, then for both files. Ids
    stand apart because trainers take a further column for a further input.
    """
    kinds = _kinds(columns, rows())
    if not kinds:
        return
    with files.replacing(folder / f"{split}.ids.jsonl") as temporary, temporary.open("w", encoding="utf-8") as ids:
        made = (_cells(row, data, folder, ids) for row in rows())
        parquet.write(folder / f"{split}.parquet", {**kinds, **labels}, made)


def _cells(row: Row, data: Dataset, folder: Path, ids: TextIO) -> list[object]:
    """The cells of a row, as its ids are written beside."""
    ids.write(base.line(row.about))
    return [*(_cell(cell, data, folder) for cell in row.cells), *row.labels]


def about(data: Dataset, r: Relevance, name: str = "") -> dict[str, object]:
    """What is to be said of a judged item: its id, grade, source, and the reasons with how many named each.

    name: `positive_`, where a row holds more items than one.
    """
    return {
        f"{name or 'doc_'}id": r.doc_id,
        f"{name}grade": r.grade,
        f"{name}source": data.candidates[r.query_id, r.doc_id].source,
        f"{name}reasons": told.counted(r.query_id, r.doc_id, data),
    }


def _kinds(columns: Sequence[str], rows: Iterator[Row]) -> dict[str, parquet.Kind]:
    found: dict[str, set[Modality]] = {}
    lists = set()
    for row in rows:
        for name, cell in zip(columns, row.cells, strict=True):
            if isinstance(cell, Query | Item):
                found.setdefault(name, set()).add(cell.modality)
            else:
                found.setdefault(name, set()).update(record.modality for record in cell)
                lists.add(name)
    return {name: parquet.kind(of, name, listed=name in lists) for name, of in found.items()}


def _cell(cell: Cell, data: Dataset, folder: Path) -> object:
    if isinstance(cell, Query | Item):
        return media.cell(cell, data, folder)
    return [media.cell(one, data, folder) for one in cell]
