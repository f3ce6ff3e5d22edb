"""Answers that order items as columns: preferences between two, and rankings of a screen."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from label_configs.forms.pairwise import BETTER
from label_configs.forms.ranking import UNCHECKED
from label_configs.forms.selection import BEST, REST
from sync.votes import Given, Ints, coded, last_words, people

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Preferences:
    """Of each comparison the better item, the other one, whether it was a tie, and who said it.

    items: query_id and doc_id, of which the columns hold the places; both items are of one query.
    """

    items: Pairs
    annotators: tuple[str, ...]
    better: Ints
    other: Ints
    tie: Ints
    annotator: Ints


@dataclass(frozen=True)
class Rankings:
    """Of each ranked item its ranking, its place among `items` and its rank; equal ranks are not told apart.

    Sorted by ranking, then rank. task and annotator: of each ranking.
    """

    items: Pairs
    annotators: tuple[str, ...]
    ranking: Ints
    item: Ints
    rank: Ints
    task: Ints
    annotator: Ints


def preferences(given: Given, models: Collection[str] = ()) -> Preferences:
    """People's preferences; of two items an annotator's last word counts. Neither of them good is a tie."""
    table = people(given, models)
    table = table.filter(pc.equal(table["kind"], "preference"))
    items, codes = _items(table["query_id"], table["doc_id"], table["other_doc_id"])
    annotators, annotator = coded(table["annotator"])
    better, other = codes[: len(table)], codes[len(table) :]
    low, high = np.minimum(better, other), np.maximum(better, other)
    last = last_words((low * max(1, len(items)) + high) * max(1, len(annotators)) + annotator, table)
    tie = pc.not_equal(table["value"], BETTER).to_numpy().astype(np.int64)
    return Preferences(items, tuple(annotators), better[last], other[last], tie[last], annotator[last])


def rankings(given: Given, models: Collection[str] = (), kinds: Collection[str] = frozenset({"ranking"})) -> Rankings:
    """People's rankings of a screen; of a task an annotator's last one counts, if its order was confirmed.

    kinds: with `choice` the best of a screen is one too: it has rank 1, and the others share rank 2.
    """
    table = people(given, models)
    table = table.filter(pc.is_in(table["kind"], pa.array(sorted(kinds))))
    table = table.filter(pc.invert(pa.array(_unordered(table))))
    annotators, annotator = coded(table["annotator"])
    tasks, task = np.unique(table["task_id"].to_numpy(), return_inverse=True)
    of = task * max(1, len(annotators)) + annotator
    heads = last_words(of, table)
    final = dict(zip(of[heads].tolist(), table["annotation_id"].to_numpy()[heads].tolist(), strict=True))
    wanted = np.array([final[key] for key in of.tolist()], np.int64)
    kept = np.flatnonzero(table["annotation_id"].to_numpy() == wanted)
    table, of = table.take(pa.array(kept)), of[kept]
    items, item = _items(table["query_id"], table["doc_id"])
    keys, ranking = np.unique(of, return_inverse=True)
    rank = _ranks(table)
    order = np.lexsort((item, rank, ranking))
    task_of, who = np.divmod(keys, max(1, len(annotators)))
    return Rankings(items, tuple(annotators), ranking[order], item[order], rank[order], tasks[task_of], who)


def _ranks(table: pa.Table) -> Ints:
    best = pc.if_else(pc.equal(table["value"], BEST), 1, 2)
    return np.asarray(pc.fill_null(pc.cast(table["rank"], pa.int64()), best).to_numpy(), np.int64)


def _unordered(table: pa.Table) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Rows of rankings that nobody confirmed, and of screens where nothing was the best."""
    flags = table["flags"].combine_chunks()
    named = pc.equal(pc.list_flatten(flags), UNCHECKED).to_numpy(zero_copy_only=False).astype(bool)
    unordered = np.zeros(len(table), bool)
    unordered[pc.list_parent_indices(flags).to_numpy()[named]] = True
    chosen = pc.is_in(table["value"], pa.array([BEST, REST])).to_numpy()
    return np.asarray(unordered | (pc.equal(table["kind"], "choice").to_numpy() & ~chosen))


def _items(query: pa.ChunkedArray, *docs: pa.ChunkedArray) -> tuple[Pairs, Ints]:
    """The distinct items, and the code of each row's item: column by column of docs, one after the other."""
    query_ids, asked = coded(query)
    doc_ids, doc = coded(pa.chunked_array([chunk for column in docs for chunk in column.chunks], pa.string()))
    found, codes = np.unique(np.tile(asked, len(docs)) * max(1, len(doc_ids)) + doc, return_inverse=True)
    pairs = [divmod(code, max(1, len(doc_ids))) for code in found.tolist()]
    return tuple((query_ids[q], doc_ids[d]) for q, d in pairs), codes
