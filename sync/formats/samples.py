"""A positive with verified negatives, as many in every sample: for readers whose rows have one shape."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from label_configs.records import Query, Relevance
from sync.dataset import Dataset
from sync.formats import base
from sync.splits import Split


class Sample(NamedTuple):
    """A query with a positive, and negatives that people verified, the hardest first."""

    query: Query
    positive: Relevance
    negatives: Sequence[Relevance]


def samples(data: Dataset, split: Split) -> Iterator[Sample]:
    """The samples of a split, each with as many negatives as the query has that has fewest of them.

    Within a query every positive and every negative is used at least once, and no more often than that takes. A query
    without a positive or without a negative gives none.
    """
    width = min((len(one.negatives) for one in base.judged(data, split) if one.positives and one.negatives), default=0)
    for query, positives, negatives, _ in base.judged(data, split):
        if positives and negatives:
            for n in range(max(len(positives), -(-len(negatives) // width))):
                drawn = [negatives[(n * width + m) % len(negatives)] for m in range(width)]
                yield Sample(query, positives[n % len(positives)], drawn)
