"""How deep a query's pool is: deeper where the models hesitate between many items, and where the query says little."""

from math import floor, log

import numpy as np

from ml_backend.lexical import tokens
from ml_backend.proposers.request import Request
from store.settings import PoolSettings

_SHARPNESS = 4.0
"""An item a quarter of a standard deviation below another is e times less likely to be meant."""


def depth(request: Request, choice: PoolSettings) -> int:
    """From `depth` for a plain query to `max_depth` for the most ambiguous one, in whole screens."""
    if choice.max_depth is None:
        return choice.depth
    wanted = choice.depth + ambiguity(request, choice.reach) * (choice.max_depth - choice.depth)
    screens = floor(wanted / choice.per_screen + 0.5)
    return min(max(screens * choice.per_screen, choice.depth), choice.max_depth)


def ambiguity(request: Request, reach: int) -> float:
    """From 0 to 1: the mean of how far the models hesitate and, where the query is text, one over its words."""
    words = len(tokens([request.query.text])[0]) if request.query.modality == "text" else 0
    told = [hesitation(request, name, reach) for name in request.vectors]
    parts = [sum(told) / len(told), 1 / max(words, 1)] if request.query.modality == "text" else told
    return sum(parts) / len(parts)


def hesitation(request: Request, name: str, reach: int) -> float:
    """The entropy of what one model takes to be meant among the nearest items, as a share of the highest there is.

    The chance of an item is proportional to exp(4 · its score in standard deviations above the corpus).
    """
    nearest = [hit.doc_id for hit in request.nearest(name, reach)]
    if len(nearest) < 2:
        return 0.0
    scores = request.collection.spaces[name].scores(request.vectors[name], nearest).astype(np.float64)
    chances = np.exp(_SHARPNESS * (scores - scores.max()))
    chances /= chances.sum()
    return float(-(chances * np.log(np.maximum(chances, 1e-300))).sum() / log(len(nearest)))
