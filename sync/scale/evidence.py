"""What a scale is fitted to: kinds of evidence, each convex in the items' places, and the descent that all share."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from sync.votes import Floats

Product = Callable[[Floats], Floats]
"""A symmetric matrix, as what it makes of a vector."""
_STEPS = 50
_HALVINGS = 30
_PRECISION = 1e-9


class Evidence(Protocol):
    """Answers as a function of the items' places on a scale."""

    def loss(self, places: Floats) -> float:
        """Minus the log likelihood."""

    def slope(self, places: Floats) -> Floats:
        """The loss's gradient."""

    def curvature(self, places: Floats) -> Product:
        """The loss's second derivative."""


class Prior:
    """A normal distribution of the places. With a deviation that is large it only holds loose ends in place."""

    def __init__(self, mean: float, deviation: float) -> None:
        self._mean, self._weight = mean, 1.0 / deviation**2

    def loss(self, places: Floats) -> float:
        """See Evidence."""
        return float(self._weight * ((places - self._mean) ** 2).sum() / 2)

    def slope(self, places: Floats) -> Floats:
        """See Evidence."""
        return self._weight * (places - self._mean)

    def curvature(self, places: Floats) -> Product:
        """See Evidence."""
        return lambda vector: self._weight * vector


class Together:
    """Several kinds of evidence about the same items."""

    def __init__(self, parts: Sequence[Evidence]) -> None:
        self._parts = parts

    def loss(self, places: Floats) -> float:
        """See Evidence."""
        return sum(part.loss(places) for part in self._parts)

    def slope(self, places: Floats) -> Floats:
        """See Evidence."""
        return np.asarray(np.sum([part.slope(places) for part in self._parts], axis=0))

    def curvature(self, places: Floats) -> Product:
        """See Evidence."""
        products = [part.curvature(places) for part in self._parts]
        return lambda vector: np.asarray(np.sum([product(vector) for product in products], axis=0))


def fit(evidence: Evidence, start: Floats) -> Floats:
    """The places with the least loss, by Newton's method; its equations by conjugate gradients, so that nothing grows
    with the square of the items.
    """
    places, loss = start, evidence.loss(start)
    for _ in range(_STEPS):
        slope = evidence.slope(places)
        if float(np.abs(slope).max(initial=0.0)) < _PRECISION:
            break
        step = _solved(evidence.curvature(places), slope)
        fresh, places = _descended(evidence, places, step, loss, float(slope @ step))
        if loss - fresh <= 1e-14 * abs(loss):
            break
        loss = fresh
    return places


def _descended(evidence: Evidence, places: Floats, step: Floats, loss: float, gain: float) -> tuple[float, Floats]:
    """The loss and the places after as much of a step as lowers the loss; as they were where none does."""
    for halving in range(_HALVINGS):
        share = 0.5**halving
        fresh = evidence.loss(places - share * step)
        if fresh <= loss - 1e-4 * share * gain:
            return fresh, places - share * step
    return loss, places


def _solved(product: Product, wanted: Floats) -> Floats:
    """x with product(x) = wanted. Of a singular product the part that can be solved."""
    x, rest = np.zeros_like(wanted), wanted.copy()
    direction, left = rest.copy(), float(rest @ rest)
    enough = left * 1e-10
    for _ in range(min(len(wanted), 500)):
        made = product(direction)
        bend = float(direction @ made)
        if left <= enough or bend <= 0:
            break
        x += left / bend * direction
        rest -= left / bend * made
        before, left = left, float(rest @ rest)
        direction = rest + left / before * direction
    return x
