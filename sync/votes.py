"""Answers as columns of codes: what agreement and consensus count.

They come straight from the canonical table (`store.judgments.Table.standing`), so that a million judgments take no
record each, or from `Judgment` records, which are laid into the same columns first: there is one meaning.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from label_configs.errors import Unreadable
from label_configs.records import Judgment
from label_configs.rules import CANT_JUDGE, Rules

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Given: TypeAlias = Sequence[Judgment] | pa.Table
"""Judgments as records, or as rows of the canonical table."""

_READ = pa.schema(
    [
        ("kind", pa.string()),
        ("task_id", pa.int64()),
        ("annotation_id", pa.int64()),
        ("updated_at", pa.string()),
        ("query_id", pa.string()),
        ("doc_id", pa.string()),
        ("other_doc_id", pa.string()),
        ("value", pa.string()),
        ("annotator", pa.string()),
        ("rank", pa.int32()),
        ("start", pa.float64()),
        ("end", pa.float64()),
        ("flags", pa.list_(pa.string())),
        ("untouched", pa.bool_()),
    ]
)
READ: list[str] = _READ.names
"""The columns of the canonical table that are read here."""


@dataclass(frozen=True)
class Votes:
    """Grades as columns: for each vote its pair, its annotator and its grade as an index into the rules' grades.

    Sorted by pair, then annotator. pairs: query_id and doc_id, in their order.
    """

    pairs: tuple[tuple[str, str], ...]
    annotators: tuple[str, ...]
    pair: Ints
    annotator: Ints
    grade: Ints

    def of(self, kept: NDArray[np.bool_]) -> "Votes":
        """The votes on some of the pairs: kept says of each pair whether it stays. Pairs keep their codes."""
        chosen = kept[self.pair]
        return Votes(self.pairs, self.annotators, self.pair[chosen], self.annotator[chosen], self.grade[chosen])


class Coded(NamedTuple):
    """A column of texts: the distinct ones in their order, and for each row the place of its own among them."""

    names: list[str]
    codes: Ints


def rows(given: Given) -> pa.Table:
    """The judgments as the columns that are read here."""
    if isinstance(given, pa.Table):
        return given.select(READ)
    values = attrgetter(*READ)
    columns = zip(*map(values, given), strict=True) if given else [()] * len(_READ)
    return pa.table([pa.array(column, kind) for column, kind in zip(columns, _READ.types, strict=True)], schema=_READ)


def people(given: Given, models: Collection[str] = ()) -> pa.Table:
    """The rows of people: without those of `models`, and of whoever only ever sent off predictions as they were.

    Such an annotator is a model under a person's name; one answer of their own makes all of theirs a person's.
    """
    table = rows(given)
    names, codes = coded(table["annotator"])
    others = _programs(table, names, codes, models)
    return table.filter(pa.array(~others[codes])) if others.any() else table


def programs(given: Given, models: Collection[str] = ()) -> frozenset[str]:
    """The annotators whom `people` leaves out."""
    table = rows(given)
    names, codes = coded(table["annotator"])
    return frozenset(np.array(names, object)[_programs(table, names, codes, models)].tolist())


def _programs(table: pa.Table, names: Sequence[str], codes: Ints, models: Collection[str]) -> NDArray[np.bool_]:
    touched = ~table["untouched"].to_numpy(zero_copy_only=False).astype(bool)
    own = np.bincount(codes[touched], minlength=len(names)) > 0
    return np.asarray(~own | np.array([name in models for name in names], dtype=bool), np.bool_)


def grades(given: Given, rules: Rules, models: Collection[str] = ()) -> Votes:
    """People's grades, as votes.

    Of a pair an annotator's last word counts; where that is "can't judge", there is no vote.
    """
    table = graded(people(given, models))
    query_ids, query = coded(table["query_id"])
    doc_ids, doc = coded(table["doc_id"])
    annotators, annotator = coded(table["annotator"])
    grade = grade_codes(table, rules)
    pair = query * max(1, len(doc_ids)) + doc
    last = last_words(pair * max(1, len(annotators)) + annotator, table)
    last = last[grade[last] >= 0]
    pairs, of = np.unique(pair[last], return_inverse=True)
    who, by = np.unique(annotator[last], return_inverse=True)
    queries, docs = np.divmod(pairs, max(1, len(doc_ids)))
    named = zip(map(query_ids.__getitem__, queries.tolist()), map(doc_ids.__getitem__, docs.tolist()), strict=True)
    return Votes(tuple(named), tuple(annotators[a] for a in who), of, by, grade[last])


def graded(table: pa.Table) -> pa.Table:
    """The rows that give a grade, or say that there can be none."""
    said = pc.or_(pc.equal(table["kind"], "grade"), pc.equal(table["value"], CANT_JUDGE))
    return table if pc.all(said).as_py() else table.filter(said)


def coded(column: pa.ChunkedArray) -> Coded:
    """A column of texts as codes, in the order of the texts."""
    whole = column.combine_chunks().dictionary_encode()
    if isinstance(whole, pa.ChunkedArray):
        whole = whole.unify_dictionaries().combine_chunks()
    order = pc.array_sort_indices(whole.dictionary)
    place = np.empty(len(order), np.int64)
    place[order.to_numpy()] = np.arange(len(order))
    codes = whole.indices.to_numpy(zero_copy_only=False)
    return Coded(whole.dictionary.take(order).to_pylist(), place[codes] if len(codes) else np.zeros(0, np.int64))


def grade_codes(table: pa.Table, rules: Rules) -> Ints:
    """For each row its grade as an index into the rules' grades; -1 for "can't judge"."""
    index = {str(value): n for n, value in enumerate(rules.values)} | {CANT_JUDGE: -1}
    names, codes = coded(table["value"])
    if unknown := [name for name in names if name not in index]:
        raise Unreadable(
            f"There are grades that the rules {rules.hash} do not have: {', '.join(unknown)}.",
            mend="Say in settings.toml, under [mappings], what grades of earlier rules are now.",
        )
    return np.array([index[name] for name in names], np.int64)[codes] if names else codes


def last_words(key: Ints, table: pa.Table) -> Ints:
    """The rows, in the order of their keys, that are the last said of their key: by time, then annotation."""
    order = np.argsort(key, kind="stable")
    same = key[order][1:] == key[order][:-1]
    if not same.any():
        return order
    again = np.append(same, False) | np.insert(same, 0, False)
    said = order[again]
    times = coded(table["updated_at"].take(pa.array(said))).codes
    annotation = table["annotation_id"].to_numpy()[said]
    said = said[np.lexsort((-said, annotation, times, key[said]))]
    final = said[np.append(key[said][1:] != key[said][:-1], True)]
    left = np.concatenate([order[~again], final])
    return np.asarray(left[np.argsort(key[left], kind="stable")])
