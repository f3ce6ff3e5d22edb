"""Grades with the places where they were given, as columns."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from label_configs.records import Judgment
from label_configs.rules import Rules

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
BANDS = 5


@dataclass(frozen=True)
class Seen:
    """Every annotator's last grade of every pair. grade: as an index into the rules' grades. place: from 0.

    pair, query, annotator: indices into `pairs`, `queries` and `annotators`. band: by pair, how high the model's score
    is, in fifths. blind: whether the place tells nothing of the model's opinion.
    """

    pairs: tuple[tuple[str, str], ...]
    queries: tuple[str, ...]
    annotators: tuple[str, ...]
    pair: Ints
    query: Ints
    annotator: Ints
    grade: Ints
    place: Ints
    blind: NDArray[np.bool_]
    band: Ints


def seen(
    judgments: Sequence[Judgment],
    rules: Rules,
    scores: Mapping[tuple[str, str], float],
    assisted: Collection[str] = (),
) -> Seen:
    """The grades that have a place. scores: the model's, by pair. assisted: queries that were shown in its order."""
    last: dict[tuple[str, str, str], Judgment] = {}
    for j in sorted(judgments, key=lambda j: (j.updated_at, j.annotation_id)):
        if j.kind == "grade" and j.position >= 0:
            last[j.query_id, j.doc_id, j.annotator] = j
    rows = [last[key] for key in sorted(last)]
    pairs = sorted({(j.query_id, j.doc_id) for j in rows})
    queries, annotators = sorted({j.query_id for j in rows}), sorted({j.annotator for j in rows})
    value = {str(v): n for n, v in enumerate(rules.values)}
    pair_of, query_of = {p: n for n, p in enumerate(pairs)}, {q: n for n, q in enumerate(queries)}
    annotator_of = {a: n for n, a in enumerate(annotators)}
    return Seen(
        pairs=tuple(pairs),
        queries=tuple(queries),
        annotators=tuple(annotators),
        pair=_ints(pair_of[j.query_id, j.doc_id] for j in rows),
        query=_ints(query_of[j.query_id] for j in rows),
        annotator=_ints(annotator_of[j.annotator] for j in rows),
        grade=_ints(value[j.value] for j in rows),
        place=_ints(j.position for j in rows),
        blind=np.array([j.query_id not in assisted for j in rows], dtype=bool),
        band=_bands(np.array([scores.get(pair, 0.0) for pair in pairs])),
    )


def _ints(values: object) -> Ints:
    return np.fromiter(values, dtype=np.int64)  # type: ignore[call-overload,no-any-return]


def _bands(scores: Floats) -> Ints:
    """Which fifth each score is in."""
    if not len(scores):
        return np.zeros(0, dtype=np.int64)
    edges = np.quantile(scores, np.linspace(0, 1, BANDS + 1)[1:-1])
    return np.searchsorted(edges, scores, side="right").astype(np.int64)
