"""Preferences: columns prompt, chosen, rejected, said, margin, in Parquet with media embedded; for reward models, DPO.

said: `pairwise`, where people compared the two; margin is then by how many of the answers the chosen one is ahead, as a
share. `grades`, where nobody compared them and their grades differ; margin is then the difference of their expected
gains. Ties are left out: a comparison that ended even, equal grades. So is what was chosen and is at odds with its
text. Ids stand in `SPLIT.ids.jsonl`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Literal, NamedTuple

from label_configs.forms.pairwise import BETTER
from label_configs.records import Judgment, Query
from sync.dataset import Dataset
from sync.formats import base, parquet, rows
from sync.formats.rows import Row
from sync.splits import Split

_LABELS: Mapping[str, parquet.Kind] = {"said": "text", "margin": "float"}
Compared = Mapping[str, Mapping[tuple[str, str], Counter[str]]]
"""By query and pair, doc_ids in order, how many chose each; under the empty name, how many chose neither of the two."""


class Preference(NamedTuple):
    """Of two items of a query the better one, who says so, and by how much."""

    query: Query
    chosen: str
    rejected: str
    said: Literal["pairwise", "grades"]
    margin: float


def write(data: Dataset, folder: Path) -> None:
    """Write train and dev; what measures annotators and pools is in neither."""
    compared = comparisons(data.by_people)
    for split in rows.TRAINED:
        made = partial(_rows, data, split, compared)
        rows.write(data, folder, split, ("prompt", "chosen", "rejected"), _LABELS, made)


def comparisons(judgments: Sequence[Judgment]) -> Compared:
    """What annotators answered when two items stood before them; of each annotator the last word on a pair."""
    last: dict[tuple[str, tuple[str, str], str], Judgment] = {}
    for j in judgments:
        if j.kind == "preference":
            low, high = sorted((j.doc_id, j.other_doc_id))
            key = j.query_id, (low, high), j.annotator
            if key not in last or _time(last[key]) < _time(j):
                last[key] = j
    found: dict[str, dict[tuple[str, str], Counter[str]]] = {}
    for (query_id, pair, _), j in sorted(last.items(), key=lambda entry: entry[0]):
        votes = found.setdefault(query_id, {}).setdefault(pair, Counter())
        votes[j.doc_id if j.value == BETTER else ""] += 1
    return found


def preferences(data: Dataset, split: Split, compared: Compared) -> Iterator[Preference]:
    """Those of a split, queries in the order of their ids: what was compared, then what follows from grades."""
    for query_id in sorted(data.trainable.keys() | compared.keys()):
        if data.split(query_id) == split:
            known = compared.get(query_id, {})
            yield from _compared(data, data.queries[query_id], known)
            yield from _graded(data, data.queries[query_id], known)


def _compared(data: Dataset, query: Query, known: Mapping[tuple[str, str], Counter[str]]) -> Iterator[Preference]:
    for (low, high), votes in known.items():
        ahead = votes[low] - votes[high]
        chosen, rejected = (low, high) if ahead > 0 else (high, low)
        told = data.said.get((query.query_id, chosen))
        fit = all(data.may_train(query.query_id, doc_id) for doc_id in (low, high)) and not (told and told.dissonant)
        if ahead and fit:
            yield Preference(query, chosen, rejected, "pairwise", round(abs(ahead) / votes.total(), 4))


def _graded(data: Dataset, query: Query, known: Mapping[tuple[str, str], object]) -> Iterator[Preference]:
    rated = sorted(data.trainable.get(query.query_id, []), key=lambda r: r.doc_id)
    gains = {r.doc_id: base.expected(r, data) for r in rated}
    for pair in combinations(rated, 2):
        low, high = sorted(pair, key=lambda r: r.grade)
        margin = round(gains[high.doc_id] - gains[low.doc_id], 4)
        if low.grade < high.grade and margin > 0 and (pair[0].doc_id, pair[1].doc_id) not in known:
            yield Preference(query, high.doc_id, low.doc_id, "grades", margin)


def _rows(data: Dataset, split: Split, compared: Compared) -> Iterator[Row]:
    for one in preferences(data, split, compared):
        about = {"query_id": one.query.query_id, "chosen_id": one.chosen, "rejected_id": one.rejected}
        cells = one.query, data.items[one.chosen], data.items[one.rejected]
        yield Row(cells, (one.said, one.margin), {**about, "rules_hash": data.rules.hash})


def _time(j: Judgment) -> tuple[str, int]:
    return j.updated_at, j.annotation_id
