"""Does an annotator say the same again? Pairs that came to one person in several tasks."""

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from label_configs.rules import Rules
from sync.agreement.cohen import quadratic
from sync.votes import Given, coded, grade_codes, graded, last_words, people


class Repeats(NamedTuple):
    """First against last answer of one person on one pair: share of the same grade, quadratic kappa, how many pairs."""

    same: float
    kappa: float
    pairs: int


def repeats(given: Given, rules: Rules, models: Collection[str] = ()) -> dict[str, Repeats]:
    """By annotator. A corrected answer to the same task is a correction, and no repeat."""
    table = graded(people(given, models))
    annotators, annotator = coded(table["annotator"])
    (_, query), (doc_ids, doc) = coded(table["query_id"]), coded(table["doc_id"])
    _, task = np.unique(table["task_id"].to_numpy(), return_inverse=True)
    said = (annotator * (query.max(initial=0) + 1) + query) * max(1, len(doc_ids)) + doc
    _, said = np.unique(said, return_inverse=True)
    last = last_words(said * (task.max(initial=0) + 1) + task, table)
    grade, times = grade_codes(table, rules), coded(table["updated_at"].take(pa.array(last))).codes
    last = last[np.lexsort((table["annotation_id"].to_numpy()[last], times, said[last]))]
    last = last[grade[last] >= 0]
    starts = np.flatnonzero(np.append(True, said[last][1:] != said[last][:-1])) if len(last) else last
    ends = np.append(starts[1:], len(last)) - 1 if len(last) else last
    again = ends > starts
    first, final = last[starts[again]], last[ends[again]]
    size = len(rules.values)
    cells = (annotator[first] * size + grade[first]) * size + grade[final]
    tables = np.bincount(cells, minlength=len(annotators) * size**2).reshape(-1, size, size).astype(float)
    counts, same = tables.sum(axis=(1, 2)), np.trace(tables, axis1=1, axis2=2)
    rows = zip(annotators, same.tolist(), quadratic(tables).tolist(), counts.astype(int).tolist(), strict=True)
    return {name: Repeats(alike / n, value, n) for name, alike, value, n in rows if n}
