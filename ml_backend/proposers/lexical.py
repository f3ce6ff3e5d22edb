"""Items that share words with the query: BM25 over titles, captions and metadata."""

from label_configs.records import ScoredDoc
from ml_backend.proposers.request import Request


def propose(request: Request, reach: int) -> dict[str, list[ScoredDoc]]:
    """One ranking, named `lexical`; items without a common word are not in it."""
    return {"lexical": request.collection.lexical.search(request.query.text, reach)}
