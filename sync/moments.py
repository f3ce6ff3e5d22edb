"""Where in a recording or a film a query is answered: from the ranges of many annotators to windows that they share."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from label_configs.records import Judgment
from label_configs.rules import CANT_JUDGE
from sync import splits
from sync.dataset import Dataset

Range = tuple[float, float]
"""Start and end in seconds."""


@dataclass(frozen=True)
class Moments:
    """Of one query and one medium. marked: each annotator's ranges, without overlap; none where they say nowhere."""

    query_id: str
    doc_id: str
    marked: Sequence[Sequence[Range]]

    @property
    def windows(self) -> list[Range]:
        """Where more than half of the annotators see the query answered, in their order in time."""
        ends = sorted({second for ranges in self.marked for one in ranges for second in one})
        parts = [(a, b) for a, b in pairwise(ends) if 2 * self._seen(a, b) > len(self.marked)]
        return union(parts)

    def share(self, start: float, end: float) -> float:
        """How much of a stretch annotators marked, from 0 to 1, in the mean."""
        seen = sum(overlap(one, (start, end)) for ranges in self.marked for one in ranges)
        return seen / len(self.marked) / (end - start)

    def _seen(self, start: float, end: float) -> int:
        return sum(any(a <= start and end <= b for a, b in ranges) for ranges in self.marked)


def overlap(one: Range, other: Range) -> float:
    """Seconds that two ranges share."""
    return max(0.0, min(one[1], other[1]) - max(one[0], other[0]))


def union(ranges: Sequence[Range]) -> list[Range]:
    """The same seconds as ranges that neither touch nor overlap, in their order in time; empty ones are gone."""
    found: list[Range] = []
    for start, end in sorted(ranges):
        if start >= end:
            continue
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


def moments(data: Dataset) -> list[Moments]:
    """What was marked, in the order of the ids, without controls, and without media that answer a later split."""
    marked = sorted(_marked(data.by_people).items())
    found = [Moments(q, d, ranges) for (q, d), ranges in marked if data.may_train(q, d)]
    answers = {query_id: set(query.positives) & data.items.keys() for query_id, query in data.queries.items()}
    for one in found:
        if one.windows:
            answers[one.query_id].add(one.doc_id)
    held = splits.held(answers, data.split, data.twins)
    return [one for one in found if data.twins.get(one.doc_id, one.doc_id) not in held[data.split(one.query_id)]]


def _marked(judgments: Sequence[Judgment]) -> dict[tuple[str, str], list[list[Range]]]:
    """By pair the ranges of each annotator's last annotation of it; who cannot judge is left out."""
    last: dict[tuple[str, str, str], tuple[str, int]] = {}
    said: dict[tuple[str, str, str], list[Judgment]] = {}
    for j in judgments:
        if j.kind == "moment" or j.value == CANT_JUDGE:
            key, time = (j.query_id, j.doc_id, j.annotator), (j.updated_at, j.annotation_id)
            if last.get(key, ("", 0)) < time:
                last[key], said[key] = time, []
            if last[key] == time:
                said[key].append(j)
    found: dict[tuple[str, str], list[list[Range]]] = {}
    for (query_id, doc_id, _), rows in sorted(said.items()):
        if any(j.kind == "moment" for j in rows):
            ranges = [(j.start, j.end) for j in rows if j.start is not None and j.end is not None]
            found.setdefault((query_id, doc_id), []).append(union(ranges))
    return found
