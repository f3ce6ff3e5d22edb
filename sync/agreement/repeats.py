"""Does an annotator say the same again? Pairs that came to one person in several tasks."""

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from label_configs.rules import Rules
from sync.agreement.cohen import quadratic
from sync.votes import Given, Ints, coded, grade_codes, graded, last_words, people


class Repeats(NamedTuple):
    """First against last answer of one person on one pair: share of the same grade, quadratic kappa, how many pairs."""

    same: float
    kappa: float
    pairs: int


def repeats(given: Given, rules: Rules, models: Collection[str] = ()) -> dict[str, Repeats]:
    """By annotator. A corrected answer to the same task is a correction, and no repeat."""
    table = graded(people(given, models))
    annotators, annotator = coded(table["annotator"])
    grade, size = grade_codes(table, rules), len(rules.values)
    first, last = _first_and_last(_answers(table, grade))
    cells = (annotator[first] * size + grade[first]) * size + grade[last]
    tables = np.bincount(cells, minlength=len(annotators) * size**2).reshape(-1, size, size).astype(float)
    counts, same = tables.sum(axis=(1, 2)), np.trace(tables, axis1=1, axis2=2)
    rows = zip(annotators, same.tolist(), quadratic(tables).tolist(), counts.astype(int).tolist(), strict=True)
    return {name: Repeats(alike / n, value, n) for name, alike, value, n in rows if n}


class _Answers(NamedTuple):
    """Rows of the table, and of each what it is about: its annotator and pair. By that, then by time."""

    row: Ints
    about: Ints


def _answers(table: pa.Table, grade: Ints) -> _Answers:
    """The last word of every annotator in every task on every pair, where it is a grade."""
    about = np.zeros(len(table), np.int64)
    for name in ("annotator", "query_id", "doc_id"):
        names, codes = coded(table[name])
        _, about = np.unique(about * max(1, len(names)) + codes, return_inverse=True)
    tasks, task = np.unique(table["task_id"].to_numpy(), return_inverse=True)
    last = last_words(about * max(1, len(tasks)) + task, table)
    times = coded(table["updated_at"].take(pa.array(last))).codes
    last = last[np.lexsort((table["annotation_id"].to_numpy()[last], times, about[last]))]
    last = last[grade[last] >= 0]
    return _Answers(last, about[last])


def _first_and_last(answers: _Answers) -> tuple[Ints, Ints]:
    """The first and the last row about everything that has several."""
    starts = np.flatnonzero(np.diff(answers.about, prepend=-1))
    ends = np.append(starts[1:], len(answers.about))[: len(starts)] - 1
    again = ends > starts
    return answers.row[starts[again]], answers.row[ends[again]]
