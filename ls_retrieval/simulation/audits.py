"""The completeness bound, tried: audits drawn again and again from the strata of the same pools."""

import random as draws
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from label_configs.records import Candidate, Pool
from ls_retrieval.simulation.labelled import POOL, Labelled
from sync.completeness import missed

RUNS = 400
RELEVANT = 2


class Stratum(NamedTuple):
    """Items that were not shown, and those of them that are relevant."""

    ids: list[str]
    good: set[str]


Ways = Mapping[str, Stratum]
"""Source of a draw to what it is drawn from."""


def covered(of: Labelled, runs: int = RUNS) -> dict[str, float]:
    """Of so many audits, those whose 95 % bound is at least what was missed: in all, and near the cut alone."""
    strata = [(pool, _strata(of, pool)) for pool in of.pools]
    whole = sum(len(one.good) for _, ways in strata for one in ways.values())
    near = sum(len(ways["audit:near"].good) for _, ways in strata)
    hits, bounds = np.zeros(2), np.zeros(2)
    for n in range(runs):
        made = [_drawn(of, pool, ways, n) for pool, ways in strata]
        graded = _graded(made, strata)
        told = np.array([_most(made, graded), _most(_near(made), graded)])
        found = sum(graded.values()), sum(graded[p.query_id, c.doc_id] for p in _near(made) for c in p.candidates)
        hits += told >= np.array([whole, near]) - found
        bounds += told
    return {
        "covering of 400": float(hits[0]) * RUNS / runs,
        "near the cut": float(hits[1]) * RUNS / runs,
        "bound": float(bounds[0]) / runs,
        "missed": float(whole),
        "bound near the cut": float(bounds[1]) / runs,
        "missed near the cut": float(near),
    }


def _most(pools: Sequence[Pool], graded: Mapping[tuple[str, str], bool]) -> float:
    return missed(pools, graded)["missed_most"] or 0.0


def _near(pools: Sequence[Pool]) -> list[Pool]:
    """The same with the draws near the cut alone."""
    return [replace(p, candidates=tuple(c for c in p.candidates if c.source == "audit:near")) for p in pools]


def _strata(of: Labelled, pool: Pool) -> Ways:
    """The three strata of what a pool does not show, its own audit given back."""
    apart = {c.doc_id for c in pool.candidates if not c.drawn} | {c.doc_id for c in pool.folded}
    ranked = [hit.doc_id for hit in of.run if hit.query_id == pool.query_id]
    places, named = {doc_id: n for n, doc_id in enumerate(ranked, 1)}, apart | set(ranked)
    rest = [doc_id for doc_id in ranked if doc_id not in apart]
    ids = {
        "audit:near": [doc_id for doc_id in rest if places[doc_id] <= 2 * POOL.depth],
        "audit:beyond": [doc_id for doc_id in rest if places[doc_id] > 2 * POOL.depth],
        "random": [doc_id for doc_id in of.world.items if doc_id not in named],
    }
    return {name: Stratum(one, {d for d in one if _good(of, pool, d)}) for name, one in ids.items()}


def _good(of: Labelled, pool: Pool, doc_id: str) -> bool:
    return of.world.grade(pool.query_id, doc_id) >= RELEVANT


def _graded(made: Sequence[Pool], strata: Sequence[tuple[Pool, Ways]]) -> dict[tuple[str, str], bool]:
    """What people say of the draws."""
    return {
        (pool.query_id, c.doc_id): c.doc_id in ways[c.source].good
        for pool, (_, ways) in zip(made, strata, strict=True)
        for c in pool.candidates
    }


def _drawn(of: Labelled, pool: Pool, ways: Ways, run: int) -> Pool:
    """One draw of each stratum, and nothing else."""
    random = draws.Random(f"{of.world.seed} {run} {pool.query_id}")  # noqa: S311 - reproducible, not secret
    audit = [
        Candidate(doc_id=random.choice(one.ids), source=name, role="audit", drawn=1, drawn_from=len(one.ids))
        for name, one in ways.items()
        if one.ids
    ]
    return replace(pool, candidates=tuple(audit))
