"""Position bias: how many grades an answer moves for each place further down the screen, and grades without it.

An annotator perceives a pair of true grade t at place p as t + bias + slope · (p - middle), with a normal error of a
spread that is hers, and answers the nearest grade: the consensus' own model (an ordered probit) with one number more.
Where the order is shuffled, places tell nothing of relevance, so that the likelihood of the slope, with the true grades
summed out, is free of what the items are worth. Chances of the true grades are fitted for each fifth of the model's
scores: that only makes the estimate sharper. Tasks in the model's order are left out of the fit; they are corrected.
"""

from collections.abc import Mapping
from math import erf, erfc, sqrt
from typing import NamedTuple, TypedDict

import numpy as np

from label_configs.records import Relevance
from label_configs.rules import Rules
from sync.bias.seen import BANDS, Floats, Seen
from sync.consensus import Consensus

_GRID = np.round(np.linspace(-0.5, 0.5, 51), 3)
_ROUNDS = 25
_SLIP = 1e-3  # at the least: anybody may slip
_CERTAIN = 0.05
_Z = 1.959964


class Place(TypedDict):
    """One place on the screen: answers, and their mean grade less that of their queries, with a 95 % interval."""

    place: int
    answers: int
    mean: float
    low: float
    high: float


class Position(TypedDict):
    """The slope in grades a place, with a 95 % interval; p: the chance of one so far from 0 by accident.

    middle: the mean place. linear: the plain regression of answers on places within queries, which the ends of the
    scale flatten. applied: what `corrected` takes away, 0 where p is 0.05 or more. None with fewer than two places.
    """

    answers: int
    slope: float
    low: float
    high: float
    p: float
    middle: float
    linear: float
    applied: float
    places: list[Place]


class Reader(NamedTuple):
    """How an annotator reads: bias and spread in grades; slip: share of answers given whatever is shown."""

    bias: float
    spread: float
    slip: float = 0.0


def readers(learned: Consensus) -> dict[str, Reader]:
    """Those of whom the consensus knows it."""
    return {who: Reader(bias, learned.spread[who], learned.slip.get(who, 0.0)) for who, bias in learned.bias.items()}


def position(of: Seen, rules: Rules, readers: Mapping[str, Reader]) -> Position | None:
    """Estimate the slope from blind answers. readers: what the consensus found of each annotator."""
    kept = _only_blind(of)
    if len(np.unique(kept.place)) < 2:
        return None
    middle = float(kept.place.mean())
    fits = np.array([_likelihood(kept, rules, readers, slope, middle) for slope in _GRID])
    slope, error = _peak(fits)
    p = erfc(abs(slope) / error / sqrt(2))
    return Position(
        answers=len(kept.grade),
        slope=round(slope, 4),
        low=round(slope - _Z * error, 4),
        high=round(slope + _Z * error, 4),
        p=round(p, 6),
        middle=round(middle, 3),
        linear=round(_linear(kept, rules), 4),
        applied=round(slope, 4) if p < _CERTAIN else 0.0,
        places=_places(kept, rules),
    )


def corrected(
    of: Seen, rules: Rules, readers: Mapping[str, Reader], slope: float, middle: float
) -> tuple[Relevance, ...]:
    """The relevance of every pair as if all had been shown in the middle of the screen. slope 0: as it was judged."""
    if not of.pairs:
        return ()
    evidence = _evidence(of, rules, readers, slope, middle)
    posterior, _ = _posterior(evidence, of)
    votes = np.bincount(of.pair, minlength=len(of.pairs))
    best = posterior.argmax(axis=1)
    return tuple(
        Relevance(
            query_id=query_id,
            doc_id=doc_id,
            grade=rules.values[best[n]],
            soft=tuple(round(float(p), 3) for p in posterior[n]),
            confidence=round(float(posterior[n, best[n]]), 3),
            votes=int(votes[n]),
        )
        for n, (query_id, doc_id) in enumerate(of.pairs)
    )


def _only_blind(of: Seen) -> Seen:
    kept = of.blind
    columns = (of.pair[kept], of.query[kept], of.annotator[kept], of.grade[kept], of.place[kept], of.blind[kept])
    return Seen(of.pairs, of.queries, of.annotators, *columns, band=of.band)


def _likelihood(of: Seen, rules: Rules, readers: Mapping[str, Reader], slope: float, middle: float) -> float:
    """The log likelihood of a slope, at the best chances of the true grades."""
    return _posterior(_evidence(of, rules, readers, slope, middle), of)[1]


def _evidence(of: Seen, rules: Rules, readers: Mapping[str, Reader], slope: float, middle: float) -> Floats:
    """Log chance of all answers to a pair given each true grade, shape (pairs, grades)."""
    n_grades, places = len(rules.values), int(of.place.max()) + 1
    shifts: Floats = slope * (np.arange(places, dtype=np.float64) - middle)
    tables = np.array([_answers(readers.get(a, Reader(0.0, 0.6)), shifts, n_grades) for a in of.annotators])
    found = np.zeros((len(of.pairs), n_grades))
    np.add.at(found, of.pair, tables[of.annotator, of.place, :, of.grade])
    return found


def _answers(reader: Reader, shifts: Floats, n_grades: int) -> Floats:
    """Log chance of each answer, shape (places, true grade, answer)."""
    true, cuts = np.arange(n_grades)[None, :, None], np.arange(n_grades - 1)[None, None, :] + 0.5
    z = (cuts - true - reader.bias - shifts[:, None, None]) / max(reader.spread, 0.2)
    below = 0.5 * (1.0 + np.vectorize(erf)(z / sqrt(2)))
    slip = max(reader.slip, _SLIP)
    return np.asarray(np.log((1 - slip) * np.diff(below, axis=2, prepend=0.0, append=1.0) + slip / n_grades))


def _posterior(evidence: Floats, of: Seen) -> tuple[Floats, float]:
    """Chances of the true grades of every pair, and the log likelihood; the prior of each band by expectation
    maximisation, with one made-up answer of each grade.
    """
    peak = evidence.max(axis=1, keepdims=True)
    chances = np.exp(evidence - peak)
    answered = np.bincount(of.pair, minlength=len(of.pairs)) > 0
    prior = np.full((BANDS, evidence.shape[1]), 1.0 / evidence.shape[1])
    for _ in range(_ROUNDS):
        joint = chances * prior[of.band]
        posterior = joint / joint.sum(axis=1, keepdims=True)
        counts = np.ones_like(prior)
        np.add.at(counts, of.band[answered], posterior[answered])
        prior = counts / counts.sum(axis=1, keepdims=True)
    joint = chances * prior[of.band]
    whole = joint.sum(axis=1)
    return joint / whole[:, None], float((np.log(whole) + peak[:, 0])[answered].sum())


def _peak(fits: Floats) -> tuple[float, float]:
    """Where the likelihood is highest, between the points of the grid, and the standard error from its curvature."""
    at = int(np.clip(fits.argmax(), 1, len(fits) - 2))
    step = float(_GRID[1] - _GRID[0])
    left, here, right = fits[at - 1], fits[at], fits[at + 1]
    bend = max(float(2 * here - left - right), 1e-9)
    return float(_GRID[at]) + step * float(right - left) / (2 * bend), step / sqrt(bend)


def _centred(of: Seen, rules: Rules) -> Floats:
    """Each answer less the mean of the answers to its query, in grades."""
    values = np.array(rules.values, dtype=np.float64)[of.grade]
    counts = np.bincount(of.query, minlength=len(of.queries))
    return np.asarray(values - (np.bincount(of.query, values, len(of.queries)) / np.maximum(counts, 1))[of.query])


def _linear(of: Seen, rules: Rules) -> float:
    """The slope of answers on places, both less the mean of their query."""
    counts = np.maximum(np.bincount(of.query, minlength=len(of.queries)), 1)
    places = of.place - (np.bincount(of.query, of.place, len(of.queries)) / counts)[of.query]
    spread = float((places**2).sum())
    return float((places * _centred(of, rules)).sum()) / spread if spread else 0.0


def _places(of: Seen, rules: Rules) -> list[Place]:
    centred, found = _centred(of, rules), []
    for place in np.unique(of.place):
        here = of.place == place
        by_pair = np.bincount(of.pair[here], centred[here]) / np.maximum(np.bincount(of.pair[here]), 1)
        shown = by_pair[np.unique(of.pair[here])]  # annotators of one pair are no independent evidence of its place
        mean, error = float(shown.mean()), float(shown.std()) / sqrt(max(len(shown), 1))
        low, high = round(mean - _Z * error, 4), round(mean + _Z * error, 4)
        found.append(Place(place=int(place), answers=int(here.sum()), mean=round(mean, 4), low=low, high=high))
    return found
