"""What a table holds of each annotation, in little room, so that a million of them need some thirty megabytes."""

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ints = npt.NDArray[np.int64]


class Known(NamedTuple):
    """What the table holds of one annotation: its task, its state in Label Studio, and how often it was revised.

    deleted: nothing of it stands. there: as far as the table knows Label Studio still has it.
    """

    task_id: int
    updated_at: str
    revision: int
    deleted: bool
    there: bool


class States(Mapping[int, Known]):
    """By annotation_id. single: where those are that became known one by one; it stays up to date.

    Those that began together, in their first revision, are kept as runs of columns, each at least twice as long as the
    one after it: so there are few, and each annotation is moved seldom.
    """

    def __init__(self, single: MutableMapping[int, Known]) -> None:
        self._single = single
        self._runs: list[_Run] = []

    def __getitem__(self, annotation_id: int) -> Known:
        if annotation_id in self._single:
            return self._single[annotation_id]
        for run in self._runs:
            place = int(np.searchsorted(run.ids, annotation_id))
            if place < len(run.ids) and run.ids[place] == annotation_id:
                return run.known(place)
        raise KeyError(annotation_id)

    def __setitem__(self, annotation_id: int, known: Known) -> None:
        self._single[annotation_id] = known

    def __iter__(self) -> Iterator[int]:
        begun = chain.from_iterable(run.ids.tolist() for run in self._runs)
        return chain(self._single, (one for one in begun if one not in self._single))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def standing(self) -> int:
        """How many stand."""
        single = np.fromiter(self._single, np.int64)
        begun = sum(len(run.ids) - run.has(single) for run in self._runs)
        return begun + sum(not known.deleted for known in self._single.values())

    def begin(self, ids: Ints, tasks: Ints, times: pa.Array) -> bool:
        """Know all these in their first revision from now on; False where one was known before, or stands twice.

        times: as `times.stamp` writes them.
        """
        run = _Run(ids, tasks, np.asarray(times.cast(pa.timestamp("us", "UTC")).cast(pa.int64()))).sorted()
        if (run.ids[1:] == run.ids[:-1]).any() or any(one.has(run.ids) for one in self._runs):
            return False
        if self._single and not self._single.keys().isdisjoint(ids.tolist()):
            return False
        self._runs.append(run)
        while len(self._runs) > 1 and len(self._runs[-2].ids) < 2 * len(self._runs[-1].ids):
            self._runs[-2:] = [self._runs[-2].joined(self._runs[-1])]
        return True


@dataclass(frozen=True, slots=True)
class _Run:
    """Annotations in their first revision, by id. times: microseconds since 1970."""

    ids: Ints
    tasks: Ints
    times: Ints

    def known(self, place: int) -> Known:
        return Known(int(self.tasks[place]), f"{np.datetime64(int(self.times[place]), 'us')}Z", 1, False, True)

    def has(self, ids: Ints) -> int:
        """How many of them are here."""
        places = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return int((self.ids[places] == ids).sum())

    def joined(self, other: "_Run") -> "_Run":
        ids, tasks = np.concatenate([self.ids, other.ids]), np.concatenate([self.tasks, other.tasks])
        return _Run(ids, tasks, np.concatenate([self.times, other.times])).sorted()

    def sorted(self) -> "_Run":
        order = np.argsort(self.ids, kind="stable")
        return _Run(self.ids[order], self.tasks[order], self.times[order])
