"""Nearest items to the query in each encoder's space."""

from label_configs.records import ScoredDoc
from ml_backend.proposers.request import Request


def propose(request: Request, reach: int) -> dict[str, list[ScoredDoc]]:
    """One ranking an encoder, named `dense:ENCODER`."""
    return {f"dense:{name}": request.nearest(name, reach) for name in request.vectors}
