"""Drawn at random: easy, and what the other sources are measured against."""

from collections.abc import Iterator

from ml_backend.negatives.sifting import Asked, Sifted, sift
from ml_backend.proposers import stratum


def offer(asked: Asked) -> Iterator[Sifted]:
    """One source, named `random`, spread over the strata of the corpus."""
    hits = stratum.propose(asked.request, asked.reach)["random"]
    yield sift(asked, "random", [hit.doc_id for hit in hits], asked.request.vectors)
