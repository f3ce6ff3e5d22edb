"""What the tool has to reach where the truth is known: one function a criterion, each of one labelled world."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from label_configs.records import Pool, Qrel, Relevance, ScoredDoc
from ls_retrieval.simulation import peers, whose, why
from ls_retrieval.simulation.audits import covered
from ls_retrieval.simulation.crowd import judge, screens
from ls_retrieval.simulation.gold import auc, measured
from ls_retrieval.simulation.labelled import Labelled
from store.settings import Export
from sync import evaluation
from sync.bias import corrected, position, readers, seen
from sync.consensus import consensus
from sync.formats.samples import samples

RELEVANT = 2
SLOPE = -0.06
"""Grades a place further down, on a screen that shows a whole pool."""
WHOLE = 24
Figures = dict[str, float]


class Criterion(NamedTuple):
    """What is measured, and for each figure its floor: at least it (True), or at most it."""

    about: str
    measure: Callable[[Labelled], Figures]
    floors: Mapping[str, tuple[bool, float]]


def verified_negatives(of: Labelled) -> Figures:
    """M1: what is really relevant among the negatives of exported triplets, and among mined ones."""
    every = of.data.settings.model_copy(update={"export": Export(confidence=0)})
    found, plain = (
        {(s.query.query_id, r.doc_id) for s in samples(data, "train", 1) for r in s.negatives}
        for data in (of.data, replace(of.data, settings=every))
    )
    theirs = peers.mined(of.world)
    return {
        "really relevant": _share(of, found, RELEVANT),
        "really related": _share(of, found, 1),
        "mean rank": _mean(of.data.candidates[pair].rank for pair in found),
        "of all confirmed: relevant": _share(of, plain, RELEVANT),
        "of all confirmed: related": _share(of, plain, 1),
        "mine_hard_negatives: relevant": _share(of, theirs, RELEVANT),
        "negatives": float(len(found)),
        "all confirmed": float(len(plain)),
    }


def bias_meter(of: Labelled) -> Figures:
    """M4: the slope of the place from shuffled tasks, and what is left of the display's bias once it is corrected.

    The bias is what one encoder gains in nDCG@10 where people judge whole pools in its order.
    """
    scores = dict(_by_encoder(of))
    blind = judge(of.world, screens(of.pools, WHOLE), of.people, of.rules, of.random(4), SLOPE)
    learned = consensus(blind, of.rules)
    known = readers(learned)
    found = position(seen(blind, of.rules, scores), of.rules, known)
    slope, middle = (found["slope"], found["middle"]) if found else (0.0, 0.0)
    ordered = screens([_best_first(pool, scores) for pool in of.pools], WHOLE)
    plain, leaning = (
        seen(judge(of.world, ordered, of.people, of.rules, of.random(40), one), of.rules, scores)
        for one in (0.0, SLOPE)
    )
    true, biased, mended = (
        _ndcg(scores, corrected(votes, of.rules, known, by, middle), of)
        for votes, by in ((plain, 0.0), (leaning, 0.0), (leaning, slope))
    )
    return {
        "error of the slope": abs(slope - SLOPE) / abs(SLOPE),
        "bias left": abs(mended - true) / abs(biased - true),
        "display bias in nDCG@10": biased - true,
        "after correction": mended - true,
    }


def gold(of: Labelled) -> Figures:
    """M5: spammers by 20 answers to gold, half of it known positives and half planted negatives."""
    found, spammers = measured(of)
    bad, good = ([one for who, one in found.items() if (who in spammers) is spam] for spam in (True, False))
    flagged = [["spam" in one["flags"] for one in some] for some in (good, bad)]
    return {
        "AUC": auc([one["careless"] for one in bad], [one["careless"] for one in good]),
        "good ones flagged": _mean(flagged[0]),
        "spammers flagged": _mean(flagged[1]),
    }


def consensus_error(of: Labelled) -> Figures:
    """M6: binary error against that of the majority, and how far confidence is from the truth."""
    voted, found = peers.majority(of.judgments), of.data.consensus.relevance
    wrong = [(r.grade >= RELEVANT) != (of.world.grade(r.query_id, r.doc_id) >= RELEVANT) for r in found]
    theirs = [(grade >= RELEVANT) != (of.world.grade(*pair) >= RELEVANT) for pair, grade in voted.items()]
    values = np.array(of.rules.values)
    chance = np.array([sum(np.array(r.soft)[values >= RELEVANT]) for r in found])
    truth = np.array([of.world.grade(r.query_id, r.doc_id) >= RELEVANT for r in found])
    return {
        "error of the majority's": float(np.mean(wrong) / np.mean(theirs)),
        "calibration error": _calibration(chance, truth),
        "error": float(np.mean(wrong)),
        "majority": float(np.mean(theirs)),
    }


def completeness(of: Labelled) -> Figures:
    """M7: how many of 400 redrawn audits give a bound that covers what was missed; and what pools of others hold."""
    shown = {(pool.query_id, c.doc_id) for pool in of.pools for c in pool.candidates}
    relevant = sum(of.world.grade(*pair) >= RELEVANT for pair in shown) / int((of.world.grades >= RELEVANT).sum())
    encoders = sorted(of.world.vectors)
    return {
        **covered(of),
        "recall of the pools": relevant,
        "of one model's depth-k pool": peers.depth_k(of.world, encoders[:1], len(shown)),
        "of three models' depth-k pool": peers.depth_k(of.world, encoders, len(shown)),
    }


def circularity(of: Labelled) -> Figures:
    """M8: evaluations on one's own pool, and on pools of three."""
    return whose.flags(of.world, of.random(8))


def reasons(of: Labelled) -> Figures:
    """M9: whether the attribute that a model does not see comes first, in 50 small worlds of 300 rationales."""
    return {"found first": float(np.mean([why.found_first(of.random(900 + n)) for n in range(50)]))}


CRITERIA: Mapping[str, Criterion] = {
    "M1": Criterion(
        "verified negatives",
        verified_negatives,
        {
            "really relevant": (False, 0.01),
            "really related": (False, 0.1),
            "mean rank": (False, 25),
            "mine_hard_negatives: relevant": (True, 0.2),
        },
    ),
    "M4": Criterion("bias meter", bias_meter, {"error of the slope": (False, 0.25), "bias left": (False, 0.5)}),
    "M5": Criterion("gold", gold, {"AUC": (True, 0.98), "good ones flagged": (False, 0.02)}),
    "M6": Criterion(
        "consensus", consensus_error, {"error of the majority's": (False, 0.6), "calibration error": (False, 0.05)}
    ),
    "M7": Criterion("completeness bound", completeness, {"covering of 400": (True, 370)}),
    "M8": Criterion(
        "circularity guard", circularity, {"own judged, flagged": (True, 0.95), "balanced, flagged": (False, 0.05)}
    ),
    "M9": Criterion("why-mining", reasons, {"found first": (True, 0.9)}),
}
"""Name of a criterion to what is measured."""


def _share(of: Labelled, pairs: Iterable[tuple[str, str]], least: int) -> float:
    return _mean(of.world.grade(*pair) >= least for pair in pairs)


def _mean(values: Iterable[float]) -> float:
    held = list(values)
    return float(np.mean(held)) if held else float("nan")


def _by_encoder(of: Labelled) -> Iterator[tuple[tuple[str, str], float]]:
    """The scores that the first encoder gives to what is shown."""
    scores = of.world.scores(min(of.world.vectors))
    for pool in of.pools:
        for c in pool.candidates:
            yield (pool.query_id, c.doc_id), float(scores[int(pool.query_id[1:]), int(c.doc_id[1:])])


def _best_first(pool: Pool, scores: Mapping[tuple[str, str], float]) -> Pool:
    return replace(pool, candidates=tuple(sorted(pool.candidates, key=lambda c: -scores[pool.query_id, c.doc_id])))


def _ndcg(scores: Mapping[tuple[str, str], float], relevance: Iterable[Relevance], of: Labelled) -> float:
    """nDCG@10 of the encoder's order of the pools, by expected grades in thousandths."""
    values = np.array(of.rules.values, dtype=float)
    qrels = [Qrel(r.query_id, r.doc_id, round(1000 * float(values @ np.array(r.soft)))) for r in relevance]
    return evaluation.ndcg(qrels, [ScoredDoc(*pair, score) for pair, score in scores.items()]) or 0.0


def _calibration(chance: np.ndarray, truth: np.ndarray, bins: int = 10) -> float:  # type: ignore[type-arg]
    """Expected calibration error: how far chances are from frequencies, over ten bins of equal width."""
    which = np.minimum((chance * bins).astype(int), bins - 1)
    parts = [(which == n) for n in range(bins)]
    return float(sum(part.mean() * abs(chance[part].mean() - truth[part].mean()) for part in parts if part.any()))
