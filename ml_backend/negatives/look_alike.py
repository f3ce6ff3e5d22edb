"""Looks alike, means something else: a neighbour of a known positive within the modality, far from the query."""

from collections.abc import Iterator

from ml_backend.negatives.sifting import Asked, Sifted, sift


def offer(asked: Asked) -> Iterator[Sifted]:
    """One source an encoder, named `look-alike:ENCODER`: the items nearest to a known positive."""
    for name in asked.request.vectors:
        hits = asked.request.alike(name, asked.reach)
        yield sift(asked, f"look-alike:{name}", [hit.doc_id for hit in hits], [name])
