"""Items that share words with the query: BM25 over titles, captions and tags."""

import numpy as np

from label_configs.records import ScoredDoc
from ml_backend.collection import tokens
from ml_backend.proposers.request import Request


def propose(request: Request, reach: int) -> dict[str, list[ScoredDoc]]:
    """One ranking, named `lexical`; items without a common word are not in it."""
    doc_ids, bm25 = request.collection.lexical
    words = tokens([request.query.text])[0] if request.query.text else []
    if not doc_ids or not words:
        return {"lexical": []}
    scores = bm25.get_scores(words)
    order = np.argsort(-scores, kind="stable")[:reach]
    return {"lexical": [ScoredDoc("", doc_ids[n], float(scores[n])) for n in order if scores[n] > 0]}
