"""Items that look (or read) like a known positive: in-modal neighbours, which a cross-modal model may miss."""

from label_configs.records import ScoredDoc
from ml_backend.proposers.request import Request


def propose(request: Request, reach: int) -> dict[str, list[ScoredDoc]]:
    """One ranking an encoder, named `neighbours:ENCODER`: by the similarity to the nearest known positive."""
    return {f"neighbours:{name}": request.alike(name, reach) for name in request.collection.spaces}
