"""What people disagree about so far that somebody has to decide."""

from dataclasses import dataclass

import numpy as np

from sync.consensus.base import Estimate, counts
from sync.votes import Votes


@dataclass(frozen=True)
class Dispute:
    """A pair that is not settled: what each annotator said, as an index into the rules' grades, and how sure the
    consensus is.
    """

    query_id: str
    doc_id: str
    said: dict[str, int]
    confidence: float


def disputes(votes: Votes, found: Estimate, *, below: float = 0.7, apart: int = 2) -> list[Dispute]:
    """The pairs on which votes lie `apart` grades or more and the consensus is less sure than `below`.

    The least certain first, ties by id. A doubtful pair on which nobody contradicts anybody needs another vote, and no
    judge.
    """
    given = counts(votes, found.posterior.shape[1]) > 0
    width = given.shape[1] - 1 - given[:, ::-1].argmax(axis=1) - given.argmax(axis=1)
    confidence = found.posterior.max(axis=1)
    open_ = np.flatnonzero((width >= apart) & (confidence < below))
    order = open_[np.argsort(confidence[open_], kind="stable")]
    starts = np.searchsorted(votes.pair, np.arange(len(votes.pairs) + 1))
    return [_dispute(votes, pair, slice(*starts[pair : pair + 2]), float(confidence[pair])) for pair in order.tolist()]


def _dispute(votes: Votes, pair: int, of: slice, confidence: float) -> Dispute:
    who = [votes.annotators[a] for a in votes.annotator[of].tolist()]
    said = dict(zip(who, votes.grade[of].tolist(), strict=True))
    return Dispute(*votes.pairs[pair], said, round(confidence, 3))
