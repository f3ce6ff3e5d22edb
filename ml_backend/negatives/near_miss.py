"""Close to the query across modalities, and not known to answer it."""

from collections.abc import Iterator

from ml_backend.negatives.sifting import Asked, Sifted, sift


def offer(asked: Asked) -> Iterator[Sifted]:
    """One source an encoder, named `near-miss:ENCODER`: the items nearest to the query."""
    for name in asked.request.vectors:
        hits = asked.request.nearest(name, asked.reach)
        yield sift(asked, f"near-miss:{name}", [hit.doc_id for hit in hits], [name])
