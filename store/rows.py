"""Judgments on their way into a part, as columns: what all judgments of an annotation share is kept once for them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from itertools import chain, repeat
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from label_configs.records import Block, Judgment

_JUDGMENT = [
    ("kind", pa.string()),
    ("project", pa.int64()),
    ("task_id", pa.int64()),
    ("annotation_id", pa.int64()),
    ("updated_at", pa.string()),
    ("query_id", pa.string()),
    ("doc_id", pa.string()),
    ("value", pa.string()),
    ("annotator", pa.string()),
    ("rules_hash", pa.string()),
    ("pool_id", pa.string()),
    ("form", pa.string()),
    ("round", pa.int32()),
    ("position", pa.int32()),
    ("other_doc_id", pa.string()),
    ("rank", pa.int32()),
    ("start", pa.float64()),
    ("end", pa.float64()),
    ("reasons", pa.list_(pa.string())),
    ("flags", pa.list_(pa.string())),
    ("note", pa.string()),
    ("side", pa.string()),
    ("lead_time", pa.float64()),
    ("origin", pa.string()),
    ("untouched", pa.bool_()),
]
SCHEMA = pa.schema([*_JUDGMENT, ("revision", pa.int32()), ("deleted", pa.bool_()), ("since", pa.string())])
DISTINCT = frozenset({"doc_id"})
"""Text that differs in most rows: it is quicker written as it is."""
Counts = npt.NDArray[np.int64]
_FIELDS = tuple(field.name for field in fields(Judgment))
_PLACE = {name: place for place, name in enumerate(_FIELDS)}
_HISTORY = ("revision", "deleted", "since")
_HEAD, _WHOLE = itemgetter(*_FIELDS), attrgetter(*_FIELDS)
DEFAULTS = {field.name: None if field.default is MISSING else field.default for field in fields(Judgment)}
"""The fields of a judgment, each with what it is where nothing is said."""


class Batch(NamedTuple):
    """Rows that follow each other, each beside those that share most with it: the rows of an annotation.

    heads: one row for each such group, by field. counts: how many rows each stands for. each: by field, a value for
    each row, in place of what its head says.
    """

    heads: Mapping[str, pa.Array]
    counts: Counts
    each: Mapping[str, pa.Array]

    def __len__(self) -> int:
        return len(self.counts)

    def take(self, groups: Counts) -> "Batch":
        """Some of the groups, in the order given."""
        if np.array_equal(groups, np.arange(len(self))):
            return self
        ends = np.cumsum(self.counts)
        counts = self.counts[groups]
        rows = np.repeat(ends[groups] - np.cumsum(counts), counts) + np.arange(counts.sum())
        heads = {name: array.take(pa.array(groups)) for name, array in self.heads.items()}
        return Batch(heads, counts, {name: array.take(pa.array(rows)) for name, array in self.each.items()})

    def slice(self, first: int, end: int) -> "Batch":
        """The groups from `first` up to `end`."""
        before, within = int(self.counts[:first].sum()), int(self.counts[first:end].sum())
        return Batch(
            {name: array.slice(first, end - first) for name, array in self.heads.items()},
            self.counts[first:end],
            {name: array.slice(before, within) for name, array in self.each.items()},
        )

    @classmethod
    def joined(cls, batches: Sequence["Batch"]) -> "Batch":
        """The groups of all of them."""
        if len(batches) == 1:
            return batches[0]
        wide = {name for one in batches for name in one.each}
        heads = {name: _joined(one.heads[name] for one in batches) for name in batches[0].heads if name not in wide}
        each = {name: _joined(one.whole(name) for one in batches) for name in SCHEMA.names if name in wide}
        return cls(heads, np.concatenate([one.counts for one in batches]), each)

    def packed(self) -> tuple[bytes, bytes, bytes]:
        """As bytes, for another process."""
        return _packed(self.heads), self.counts.tobytes(), _packed(self.each)

    @classmethod
    def unpacked(cls, heads: bytes, counts: bytes, each: bytes) -> "Batch":
        """What was packed."""
        return cls(_unpacked(heads), np.frombuffer(counts, np.int64), _unpacked(each))

    def whole(self, name: str) -> pa.Array:
        """A field of every row."""
        if name in self.each:
            return self.each[name]
        return self.heads[name].take(pa.array(np.repeat(np.arange(len(self)), self.counts)))


class Rows:
    """Rows after each other, of one part to be."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._batches: list[Batch] = []
        self._clear()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, judgments: Block | Judgment, history: tuple[int, bool, str] | tuple[()] = ()) -> None:
        """Add a judgment, or those of a block. history: its revision, deleted and since, for all or for none."""
        if isinstance(judgments, Judgment):
            self._add(_WHOLE(judgments), 1, {}, history)
        else:
            self._add(_HEAD({**DEFAULTS, **judgments.same}), len(judgments), judgments.each, history)

    def extend(self, batch: Batch) -> None:
        """Add what is columns already."""
        self._close()
        self._batches.append(batch)
        self._count += int(batch.counts.sum())

    def batch(self) -> Batch:
        """All of them."""
        self._close()
        return Batch.joined(self._batches)

    def table(self) -> pa.Table:
        """All of them, as they are written. Text that repeats is kept once: it costs less to write."""
        batch = self.batch()
        place = pa.array(np.repeat(np.arange(len(batch), dtype=np.int32), batch.counts))
        made = {name: _short(name, array).take(place) for name, array in batch.heads.items()}
        made |= {name: _short(name, array) for name, array in batch.each.items()}
        return pa.table({name: made[name] for name in self._schema.names})

    def _add(
        self, head: tuple[Any, ...], count: int, each: Mapping[str, Sequence[Any]], history: tuple[Any, ...]
    ) -> None:
        for name, values in each.items():
            if name not in self._each:
                self._each[name] = list(self._spread(_PLACE[name]))
            self._each[name].extend(values)
        if len(each) < len(self._each):
            for name, kept in self._each.items():
                if name not in each:
                    kept.extend(repeat(head[_PLACE[name]], count))
        self._heads.append(head + history)
        self._counts.append(count)
        self._count += count

    def _spread(self, place: int) -> Iterator[Any]:
        """A field of every row there is, of which only heads spoke so far."""
        return chain.from_iterable(map(repeat, map(itemgetter(place), self._heads), self._counts))

    def _close(self) -> None:
        """Make columns of what was added one by one."""
        if not self._heads:
            return
        columns = dict(zip((*_FIELDS, *_HISTORY), zip(*self._heads, strict=True), strict=False))
        heads = {name: self._array(name, values) for name, values in columns.items() if name not in self._each}
        each = {name: self._array(name, values) for name, values in self._each.items()}
        self._batches.append(Batch(heads, np.array(self._counts, np.int64), each))
        self._clear()

    def _clear(self) -> None:
        self._heads: list[tuple[Any, ...]] = []
        self._counts: list[int] = []
        self._each: dict[str, list[Any]] = {}

    def _array(self, name: str, values: Sequence[Any]) -> pa.Array:
        return pa.array(values, self._schema.field(name).type)


def _joined(arrays: Iterable[pa.Array]) -> pa.Array:
    return pa.concat_arrays(list(arrays))


def _short(name: str, array: pa.Array) -> pa.Array:
    """Text that repeats as a dictionary."""
    return array.dictionary_encode() if pa.types.is_string(array.type) and name not in DISTINCT else array


def _packed(columns: Mapping[str, pa.Array]) -> bytes:
    batch = pa.record_batch(dict(columns))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _unpacked(content: bytes) -> dict[str, pa.Array]:
    with pa.ipc.open_stream(content) as stream:
        batch = stream.read_next_batch()
    return dict(zip(batch.schema.names, batch.columns, strict=True))
