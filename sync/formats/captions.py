"""Media and what is said of them: pairs of a medium and a text, whichever of the two was the query."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from label_configs.errors import Mendable
from label_configs.records import Item, Modality, Query, Relevance
from sync.dataset import Dataset
from sync.formats import base, media
from sync.splits import Split


class Captioned(NamedTuple):
    """A medium, the text on its other side in one line, and what people found of the two."""

    medium: Query | Item
    text: str
    relevance: Relevance


def positives(data: Dataset, split: Split, holds: Collection[Modality]) -> Iterator[Captioned]:
    """The positive pairs of a split whose medium a format holds, in the order of the queries' ids."""
    for judged in base.judged(data, split):
        yield from pairs(data, judged.positives, holds)


def pairs(data: Dataset, rows: Sequence[Relevance], holds: Collection[Modality]) -> Iterator[Captioned]:
    """The pairs of some rows whose medium a format holds."""
    for r in rows:
        query, item = data.queries[r.query_id], data.items[r.doc_id]
        medium: Query | Item
        medium, other = (query, item) if query.modality in holds else (item, query)
        if medium.modality in holds:
            yield Captioned(medium, " ".join(media.text(other).split()), r)


def check(data: Dataset, name: str, holds: Collection[Modality], grades: Collection[int]) -> None:
    """Raise Mendable where no pair of these grades has a medium that the format holds, or some have no text beside it.

    Of two media the one that the format holds is the medium, and the text is the other's caption.
    """
    told = " or ".join(sorted(holds))
    rows = [r for judged in data.trainable.values() for r in judged if r.grade in grades]
    heard = Counter(bool(pair.text) for pair in pairs(data, rows, holds))
    if rows and not heard:
        raise Mendable(
            f"The format {name} holds pairs of {told} and text, and nobody judged one.",
            mend="Take a project that shows them, or another format.",
        )
    if heard[False]:
        mute = (pair.relevance for pair in pairs(data, rows, holds) if not pair.text)
        raise Mendable(
            f"The format {name} holds pairs of {told} and text, and {heard[False]} judged pairs have no text.",
            problems=[f"{r.query_id} and {r.doc_id}" for r in islice(mute, 20)],
            mend="Give the items captions, as `text` beside their media, or take another format.",
        )
