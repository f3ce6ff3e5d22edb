"""What answers a sibling of the query: the queries lie close, their answers may not be exchanged."""

from collections.abc import Iterator

from ml_backend.negatives.sifting import Asked, Sifted, sift
from ml_backend.proposers import siblings


def offer(asked: Asked) -> Iterator[Sifted]:
    """One source, named `sibling`: the known positives of the nearest queries."""
    hits = siblings.answers(asked.request, asked.reach)
    yield sift(asked, "sibling", [hit.doc_id for hit in hits], asked.request.vectors)
