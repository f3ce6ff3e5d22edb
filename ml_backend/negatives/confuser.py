"""Same words, other item: what shares words or metadata with the query, or with what is known to answer it."""

from collections.abc import Iterator

from ml_backend import fusion, lexical
from ml_backend.negatives.sifting import Asked, Sifted, sift


def offer(asked: Asked) -> Iterator[Sifted]:
    """One source, named `confuser`: BM25 by the query's words and by each known positive's, fused by rank."""
    request, collection = asked.request, asked.request.collection
    texts = [request.query.text, *(lexical.words(collection.items[doc_id]) for doc_id in request.positives)]
    rankings = {str(n): collection.lexical.search(text, asked.reach) for n, text in enumerate(texts)}
    doc_ids = [hit.doc_id for hit in fusion.reciprocal_rank(rankings)]
    yield sift(asked, "confuser", doc_ids[: asked.reach], request.vectors)
