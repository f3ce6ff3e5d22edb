"""What of a source's items passes the rule, in every space that can tell."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from label_configs.records import Candidate
from ml_backend.negatives.rule import Verdict, in_range, pick, verdicts, window
from ml_backend.proposers.request import Request
from store.settings import Negatives


class Asked(NamedTuple):
    """What a source of hard negatives is asked. taken: items that are shown already; they are not offered again."""

    request: Request
    rule: Negatives
    taken: frozenset[str] = frozenset()

    @property
    def reach(self) -> int:
        """How many items a source has to bring: what the rule looks at, and the known positives that are left out."""
        known = len(self.request.positives)
        return window(self.rule, known) + known


class Sifted(NamedTuple):
    """Of one source: what may serve as a negative, and what a margin forbids, as candidates, nearest first."""

    source: str
    kept: list[Candidate]
    discarded: list[Candidate]


class Said(NamedTuple):
    """What the rule says of an item in one space, and its similarity to the query there."""

    space: str
    score: float
    verdict: Verdict


def sift(asked: Asked, source: str, doc_ids: Sequence[str], spaces: Iterable[str]) -> Sifted:
    """Items in a source's own order, as the rule takes them.

    An item passes where every one of these spaces that holds it lets it pass, and is discarded where a margin of one
    forbids it and nothing else does; the known positives are left out. What no space holds has no score, and passes.
    """
    known = asked.request.positives
    others = [doc_id for doc_id in doc_ids if doc_id not in known]
    said = _said(asked, others, spaces)
    together = {doc_id: _together(of) for doc_id, of in said.items()}
    allowed = [n for n, doc_id in enumerate(others) if together[doc_id] == "keep"]
    ranked = in_range(allowed, asked.rule, window(asked.rule, len(known)))
    free = [n for n in ranked if others[n] not in asked.taken]
    kept = [
        _negative(source, n + 1, others[n], said[others[n]])
        for n in pick(free, asked.rule, asked.request.seeded(source))
    ]
    doubtful = [d for d in others if together[d] == "discard" and d not in asked.taken]
    return Sifted(source, kept, [_doubtful(others.index(d) + 1, d, said[d]) for d in doubtful])


def _said(asked: Asked, doc_ids: Sequence[str], spaces: Iterable[str]) -> dict[str, list[Said]]:
    """By item what the rule says of it in each space that holds it."""
    found: dict[str, list[Said]] = {doc_id: [] for doc_id in doc_ids}
    for space in spaces:
        positives = asked.request.similarities(space, asked.request.positives).values()
        scores = asked.request.similarities(space, doc_ids)
        said = verdicts(list(scores.values()), min(positives, default=math.nan), asked.rule).tolist()
        for (doc_id, score), one in zip(scores.items(), said, strict=True):
            found[doc_id].append(Said(space, score, one))
    return found


def _together(said: Iterable[Said]) -> Verdict:
    verdicts = {one.verdict for one in said}
    return "drop" if "drop" in verdicts else "discard" if "discard" in verdicts else "keep"


def _negative(source: str, rank: int, doc_id: str, said: Sequence[Said]) -> Candidate:
    return Candidate(doc_id=doc_id, source=source, role="hard_negative", rank=rank, reason=_reason(said))


def _doubtful(rank: int, doc_id: str, said: Sequence[Said]) -> Candidate:
    space = next(one.space for one in said if one.verdict == "discard")
    return Candidate(doc_id=doc_id, source=f"margin:{space}", rank=rank, reason=_reason(said))


def _reason(said: Sequence[Said]) -> str:
    return "similarity " + ", ".join(f"{one.space} {one.score:.3f}" for one in said) if said else "no vector"
