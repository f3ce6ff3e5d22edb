"""From many annotators' grades to one relevance per query and item.

Ordinal Dawid-Skene: each pair has a hidden true grade. Annotator a perceives a true grade t as t + bias_a with a
normal error of spread_a, and answers the nearest grade (an ordered probit). Expectation maximisation finds the true
grades, the biases and the spreads together (Dawid and Skene 1979; the ordinal form keeps two numbers an annotator
instead of a matrix, so that few votes are enough).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import erf

import numpy as np
from numpy.typing import NDArray

from label_configs.records import Judgment, Relevance
from label_configs.rules import CANT_JUDGE, Rules

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_BIASES = np.linspace(-1.5, 1.5, 31)
_SPREADS = np.geomspace(0.2, 4.0, 16)
_SLIP = 1e-3  # chance of an answer that has nothing to do with the pair
_ROUNDS = 100
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Votes:
    """Grades as columns: for each vote its pair, its annotator and its grade as an index into the rules' grades."""

    pairs: tuple[tuple[str, str], ...]
    annotators: tuple[str, ...]
    pair: Ints
    annotator: Ints
    grade: Ints


@dataclass(frozen=True)
class Consensus:
    """relevance by pair, and what was learned of each annotator: bias in grades, spread in grades."""

    relevance: tuple[Relevance, ...]
    bias: dict[str, float]
    spread: dict[str, float]


def grades(judgments: Sequence[Judgment], rules: Rules) -> Votes:
    """The grades among the judgments, as votes.

    Of a pair an annotator's last word counts; where that is "can't judge", there is no vote.
    """
    index: dict[str, int | None] = {str(value): n for n, value in enumerate(rules.values)} | {CANT_JUDGE: None}
    last: dict[tuple[str, str, str], tuple[tuple[str, int], int | None]] = {}
    for j in judgments:
        if j.kind == "grade" or j.value == CANT_JUDGE:
            key, order = (j.query_id, j.doc_id, j.annotator), (j.updated_at, j.annotation_id)
            if key not in last or last[key][0] < order:
                last[key] = (order, index[j.value])
    said = {key: grade for key, (_, grade) in last.items() if grade is not None}
    pairs = sorted({(q, d) for q, d, _ in said})
    annotators = sorted({a for _, _, a in said})
    pair_of, annotator_of = {p: n for n, p in enumerate(pairs)}, {a: n for n, a in enumerate(annotators)}
    votes = sorted((pair_of[q, d], annotator_of[a], grade) for (q, d, a), grade in said.items())
    columns = np.array(votes, dtype=np.int64).reshape(-1, 3).T
    return Votes(tuple(pairs), tuple(annotators), columns[0], columns[1], columns[2])


def consensus(judgments: Sequence[Judgment], rules: Rules) -> Consensus:
    """The relevance of every graded pair. A pure function: the same judgments and rules give the same answer."""
    votes = grades(judgments, rules)
    if not votes.pairs:
        return Consensus((), {}, {})
    posterior, chosen = _fit(votes, len(rules.values))
    counts = np.bincount(votes.pair, minlength=len(votes.pairs))
    best = posterior.argmax(axis=1)
    relevance = tuple(
        Relevance(
            query_id=query_id,
            doc_id=doc_id,
            grade=rules.values[best[n]],
            soft=tuple(round(float(p), 3) for p in posterior[n]),
            confidence=round(float(posterior[n, best[n]]), 3),
            votes=int(counts[n]),
        )
        for n, (query_id, doc_id) in enumerate(votes.pairs)
    )
    biases = {a: round(float(_BIASES[g // len(_SPREADS)]), 3) for a, g in zip(votes.annotators, chosen, strict=True)}
    spreads = {a: round(float(_SPREADS[g % len(_SPREADS)]), 3) for a, g in zip(votes.annotators, chosen, strict=True)}
    return Consensus(relevance, biases, spreads)


def _fit(votes: Votes, n_grades: int) -> tuple[Floats, Ints]:
    """Posterior of the true grades, shape (pairs, grades), and for each annotator the model chosen from the grid."""
    models = _models(n_grades)
    shape = (len(votes.pairs), n_grades)
    posterior = np.zeros(shape)
    np.add.at(posterior, (votes.pair, votes.grade), 1.0)
    posterior = (posterior + 0.1) / (posterior + 0.1).sum(axis=1, keepdims=True)
    chosen: Ints = np.zeros(len(votes.annotators), dtype=np.int64)
    for _ in range(_ROUNDS):
        prior = (posterior.sum(axis=0) + 1.0) / (posterior.sum() + n_grades)
        counts = np.zeros((len(votes.annotators), n_grades, n_grades))
        for true in range(n_grades):
            np.add.at(counts[:, true], (votes.annotator, votes.grade), posterior[votes.pair, true])
        chosen = _centred((np.tensordot(counts, models, axes=([1, 2], [1, 2])) + _doubt()).argmax(axis=1))
        logs = np.tile(np.log(prior), (shape[0], 1))
        np.add.at(logs, votes.pair, models[chosen[votes.annotator], :, votes.grade])
        fresh = np.exp(logs - logs.max(axis=1, keepdims=True))
        fresh /= fresh.sum(axis=1, keepdims=True)
        moved = float(np.abs(fresh - posterior).max())
        posterior = fresh
        if moved < _TOLERANCE:
            break
    return posterior, chosen


def _centred(chosen: Ints) -> Ints:
    """The same models with the mean bias moved to zero: shifting all biases and all grades alike explains as much."""
    bias, spread = np.divmod(chosen, len(_SPREADS))
    shift = round(float(bias.mean())) - len(_BIASES) // 2
    return np.asarray(np.clip(bias - shift, 0, len(_BIASES) - 1) * len(_SPREADS) + spread)


def _models(n_grades: int) -> Floats:
    """Log probability of each answer to each true grade, shape (models, true grade, answer); biases vary slowest."""
    true, cuts = np.arange(n_grades)[:, None], np.arange(n_grades - 1)[None, :] + 0.5
    tables = []
    for bias in _BIASES:
        for spread in _SPREADS:
            below = _normal((cuts - true - bias) / spread)
            chances = np.diff(below, axis=1, prepend=0.0, append=1.0) + _SLIP
            tables.append(np.log(chances / chances.sum(axis=1, keepdims=True)))
    return np.array(tables)


def _normal(z: Floats) -> Floats:
    """The normal distribution function."""
    return np.asarray(0.5 * (1.0 + np.vectorize(erf)(z / np.sqrt(2.0))))


def _doubt() -> Floats:
    """Log prior over the models, shape (models,): biases near 0 and a spread near 0.6, worth a handful of votes."""
    bias, log_spread = np.meshgrid(_BIASES, np.log(_SPREADS), indexing="ij")
    return np.asarray((-0.5 * (bias / 0.5) ** 2 - 0.5 * ((log_spread - np.log(0.6)) / 0.6) ** 2).ravel())
