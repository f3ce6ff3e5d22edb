"""Simulated annotators, for the demo and for tests of agreement: they are no people, and never shown as such."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

# where each grade lies on the latent scale of relevance: what has nothing to do with a query is easy to tell
LATENT: Sequence[float] = (-1.0, 1.0, 2.0, 3.0)
CANNOT_JUDGE = 0.02


@dataclass(frozen=True, slots=True)
class SimulatedAnnotator:
    """A rule that grades like a person who errs in a known way.

    The latent relevance is LATENT[true grade] + bias + noise · z with z standard normal; the answer is that number,
    rounded and clipped to 0..3. Grade 0 lies two steps from grade 1, so it moves only if bias + noise · z ≥ 1.5:
    for bias 0.25 and noise 0.45, in 0.3 % of cases. Neighbouring grades above 0 are mixed up far more often.
    A share of CANNOT_JUDGE answers is None. z depends on seed, query and document only, not on the order of calls.
    """

    name: str
    bias: float
    noise: float
    seed: int

    def grade(self, true_grade: int, query_id: str, doc_id: str) -> int | None:
        """The simulated answer for one pair, or None for "can't judge"."""
        skip, level = _uniforms(self.seed, query_id, doc_id)
        if skip < CANNOT_JUDGE:
            return None
        latent = LATENT[true_grade] + self.bias + self.noise * NormalDist().inv_cdf(level)
        return min(max(round(latent), 0), 3)


ANNOTATORS = (
    SimulatedAnnotator("simulated-even", bias=0.0, noise=0.35, seed=1),
    SimulatedAnnotator("simulated-strict", bias=-0.3, noise=0.45, seed=2),
    SimulatedAnnotator("simulated-lenient", bias=0.25, noise=0.45, seed=3),
)


def _uniforms(seed: int, query_id: str, doc_id: str) -> Iterator[float]:
    """Two independent numbers strictly between 0 and 1, made from a hash of the arguments."""
    drawn = hashlib.sha256(f"{seed}\0{query_id}\0{doc_id}".encode()).digest()
    return ((int.from_bytes(drawn[start : start + 6]) + 0.5) / 2**48 for start in (0, 6))
