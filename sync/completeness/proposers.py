"""What each proposer brought, and how much the judgments lean on it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict

from label_configs.records import Candidate, Qrel, ScoredDoc
from sync.completeness.audit import Pair
from sync.evaluation import ndcg


class Proposer(TypedDict):
    """One proposer. named: judged candidates that it named; relevant: of them; unique: relevant that nobody else named.

    own, own_without: nDCG@10 of its own ranking, by all judgments and by those without what it alone named (Zobel
    1998): what a model of its kind would seem to be worth, had it not taken part. run_without: the pre-ranking's.
    """

    named: int
    relevant: int
    unique: int
    own: float | None
    own_without: float | None
    run_without: float | None


def proposers(
    candidates: Mapping[Pair, Candidate], qrels: Sequence[Qrel], run: Sequence[ScoredDoc], positive: frozenset[int]
) -> dict[str, Proposer]:
    """By proposer, as far as candidates say who named them."""
    named = {(q.query_id, q.doc_id): found for q in qrels if (found := _named(candidates, q))}
    good = {(q.query_id, q.doc_id) for q in qrels if q.relevance in positive}
    names = sorted({name for of in named.values() for name in of})
    return {name: _one(name, named, good, candidates, qrels, run) for name in names}


def ranking(name: str, candidates: Mapping[Pair, Candidate]) -> list[ScoredDoc]:
    """What is known of a proposer's own ranking: the candidates that it named, by the rank it gave."""
    return [
        ScoredDoc(query_id, c.doc_id, -float(c.proposers[name]))
        for (query_id, _), c in candidates.items()
        if name in c.proposers
    ]


def _named(candidates: Mapping[Pair, Candidate], qrel: Qrel) -> frozenset[str]:
    shown = candidates.get((qrel.query_id, qrel.doc_id))
    return frozenset(shown.proposers) if shown else frozenset()


def _one(
    name: str,
    named: Mapping[Pair, frozenset[str]],
    good: set[Pair],
    candidates: Mapping[Pair, Candidate],
    qrels: Sequence[Qrel],
    run: Sequence[ScoredDoc],
) -> Proposer:
    mine = {pair for pair, of in named.items() if name in of}
    alone = {pair for pair, of in named.items() if of == {name}}
    left = [q for q in qrels if (q.query_id, q.doc_id) not in alone]
    own = ranking(name, candidates)
    return Proposer(
        named=len(mine),
        relevant=len(mine & good),
        unique=len(alone & good),
        own=_rounded(ndcg(qrels, own)),
        own_without=_rounded(ndcg(left, own)),
        run_without=_rounded(ndcg(left, run)),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def names(candidates: Iterable[Candidate]) -> list[str]:
    """Everybody who named one of the candidates."""
    return sorted({name for c in candidates for name in c.proposers})
