"""Items drawn at random, spread over the strata of the corpus: what no model's opinion has touched."""

import random
from collections.abc import Collection as Sized
from math import floor

from label_configs.records import ScoredDoc
from ml_backend.collection import Collection
from ml_backend.proposers.request import Request


def propose(request: Request, reach: int) -> dict[str, list[ScoredDoc]]:
    """One draw, named `random`, in no order of relevance; the known positives are left out."""
    drawn = draw(request.collection, request.positives, reach, request.seeded("random"))
    request.seeded("order of random").shuffle(drawn)
    return {"random": [ScoredDoc("", doc_id, 0.0) for doc_id in drawn]}


def draw(collection: Collection, taken: Sized[str], wanted: int, seeded: random.Random) -> list[str]:
    """`wanted` items that are not taken, each with the same chance and every stratum in its proportion.

    Systematic sampling: of the n items that are left, in the order of their strata, those at floor((u + k) · n /
    wanted) for k = 0, 1, …, with one u drawn evenly from 0 to 1.
    """
    gone = sorted(place for doc_id in taken if (place := collection.places.get(doc_id)) is not None)
    left = len(collection.by_stratum) - len(gone)
    wanted, start = min(wanted, left), seeded.random()
    at = [min(floor((start + k) * left / wanted), left - 1) for k in range(wanted)]
    return [collection.by_stratum[place] for place in _skipping(at, gone)]


def _skipping(at: list[int], gone: list[int]) -> list[int]:
    """Places among what is left as places among all; both ascending."""
    found, skipped = [], 0
    for place in at:
        while skipped < len(gone) and gone[skipped] <= place + skipped:
            skipped += 1
        found.append(place + skipped)
    return found
