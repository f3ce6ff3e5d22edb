"""Simulated voters, whose truth is known."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sync_world import grade

from label_configs.records import Judgment
from sync.votes import Votes

BIASES = {"ada": -0.7, "bob": 0.0, "cleo": 0.0, "dan": 0.2, "eve": 0.5}  # their mean is 0
SHARES = (0.45, 0.25, 0.18, 0.12)
"""How often each grade is the true one."""


def votes_of(table: list[list[int | None]]) -> list[Judgment]:
    """Judgments from one row an annotator and one column a pair; None is a vote that was not given."""
    return [
        grade("q", f"d{pair:03}", value, f"a{who}")
        for who, row in enumerate(table)
        for pair, value in enumerate(row)
        if value is not None
    ]


def simulated(seed: int, pairs: int = 400, noise: float = 0.5) -> tuple[dict[str, int], list[Judgment]]:
    """True grades by doc_id, and what biased and noisy annotators say of them."""
    random = np.random.default_rng(seed)
    truth = {f"d{n:03}": int(random.integers(0, 4)) for n in range(pairs)}
    said = [
        grade("q", doc_id, int(np.clip(np.rint(true + bias + random.normal(0, noise)), 0, 3)), annotator)
        for doc_id, true in truth.items()
        for annotator, bias in BIASES.items()
    ]
    return truth, said


class Crowd(NamedTuple):
    """The true grade of every pair, and the votes on it."""

    truth: NDArray[np.int64]
    votes: Votes


def crowd(seed: int, *, pairs: int = 3000, annotators: int = 24, votes: int = 3, spammers: float = 0.25) -> Crowd:
    """Votes by annotators with noise of 0.55 and biases of 0.35 grades; spammers answer any grade alike."""
    random = np.random.default_rng(seed)
    truth = random.choice(4, size=pairs, p=SHARES)
    bias = random.normal(0, 0.35, annotators)
    who = np.sort(np.argsort(random.random((pairs, annotators)), axis=1)[:, :votes], axis=1)
    seen = truth[:, None] + bias[who] + random.normal(0, 0.55, who.shape)
    said = np.clip(np.rint(seen), 0, 3).astype(np.int64)
    said = np.where(who < round(annotators * spammers), random.integers(0, 4, who.shape), said)
    names = tuple(f"a{n:02}" for n in range(annotators))
    named = tuple(("q", f"d{n:05}") for n in range(pairs))
    return Crowd(truth, Votes(named, names, np.repeat(np.arange(pairs), votes), who.ravel(), said.ravel()))
