"""Judgments on their way into a part, as columns: what all judgments of an annotation share is kept once for them."""

from collections.abc import Sequence
from dataclasses import MISSING, fields
from itertools import repeat
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa

from label_configs.records import Block, Judgment

SHARED = (
    "project",
    "task_id",
    "annotation_id",
    "updated_at",
    "query_id",
    "annotator",
    "rules_hash",
    "pool_id",
    "form",
    "round",
    "lead_time",
    "untouched",
)
"""Fields that the judgments of an annotation share."""
OWN = tuple(field.name for field in fields(Judgment) if field.name not in SHARED)
"""Fields that each judgment has for itself, or a block for all of its own."""
_HISTORY = ("revision", "deleted", "since")
_HEAD = itemgetter(*SHARED)
_DEFAULT = {field.name: field.default for field in fields(Judgment) if field.default is not MISSING}


class Rows:
    """Blocks after each other, of one part to be."""

    def __init__(self) -> None:
        self._heads: list[tuple[Any, ...]] = []
        self._counts: list[int] = []
        self._each: dict[str, list[Any]] = {name: [] for name in OWN}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, block: Block, history: tuple[int, bool, str]) -> None:
        """Add a block. history: revision, deleted and since of all its rows."""
        same, each, count = {**_DEFAULT, **block.same}, block.each, len(block)
        self._heads.append((*_HEAD(same), *history))
        self._counts.append(count)
        self._count += count
        for name, values in self._each.items():
            values.extend(each[name] if name in each else repeat(same[name], count))

    def table(self, schema: pa.Schema) -> pa.Table:
        """All of them. Text that repeats is kept once: it costs less to write."""
        heads = dict(zip((*SHARED, *_HISTORY), zip(*self._heads, strict=True), strict=True))
        place = pa.array(np.repeat(np.arange(len(self._heads)), self._counts))
        made = {name: _array(values, schema.field(name).type).take(place) for name, values in heads.items()}
        made |= {name: _array(values, schema.field(name).type) for name, values in self._each.items()}
        return pa.table({name: made[name] for name in schema.names})


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    array = pa.array(values, kind)
    return array.dictionary_encode() if pa.types.is_string(kind) else array
