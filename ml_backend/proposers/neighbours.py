"""Items that look (or read) like a known positive: in-modal neighbours, which a cross-modal model may miss."""

from label_configs.records import ScoredDoc
from ml_backend.proposers.request import Request


def propose(request: Request, reach: int) -> dict[str, list[ScoredDoc]]:
    """One ranking an encoder, named `neighbours:ENCODER`: by the similarity to the nearest known positive."""
    known = set(request.positives)
    found = {}
    for name, space in request.collection.spaces.items():
        best: dict[str, float] = {}
        if known:
            for hits in request.collection.search(name, space.index.vectors(sorted(known)), reach + len(known)):
                for hit in hits:
                    best[hit.doc_id] = max(hit.score, best.get(hit.doc_id, hit.score))
        ranked = sorted((-score, doc_id) for doc_id, score in best.items() if doc_id not in known)
        found[f"neighbours:{name}"] = [ScoredDoc("", doc_id, -score) for score, doc_id in ranked[:reach]]
    return found
