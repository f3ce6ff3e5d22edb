"""A positive with verified negatives, as many in every sample: for readers whose rows have one shape."""

from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from typing import NamedTuple

from label_configs.records import Query, Relevance
from sync.dataset import Dataset
from sync.formats import base
from sync.formats.base import Judged
from sync.splits import TRAINED, Split


class Sample(NamedTuple):
    """A query with a positive, and negatives that people verified, the hardest first."""

    query: Query
    positive: Relevance
    negatives: Sequence[Relevance]


def width(data: Dataset) -> int:
    """How many negatives a sample has: `[export] negatives`, or what the query with most of them has, where that is
    less.
    """
    found = (len(one.negatives) for split in TRAINED for one in base.judged(data, split) if one.positives)
    return min(max(found, default=0), data.settings.export.negatives)


def samples(data: Dataset, split: Split, width: int) -> Iterator[Sample]:
    """The samples of a split, each with `width` negatives.

    Within a query every positive and every negative is used at least once, and in no more samples than that takes;
    where there are fewer than `width`, they repeat. A query without a positive or without a negative gives none.
    """
    for one in base.judged(data, split):
        if one.positives and one.negatives:
            yield from _of(one, width)


def _of(one: Judged, width: int) -> Iterator[Sample]:
    negatives = cycle(one.negatives)
    wanted = max(len(one.positives), -(-len(one.negatives) // width))
    for positive in islice(cycle(one.positives), wanted):
        yield Sample(one.query, positive, list(islice(negatives, width)))
