"""The hidden control of a pool: a pair whose grade is known, by which annotators are measured."""

from collections.abc import Sequence, Set

from label_configs.records import Candidate
from ml_backend.collection import Collection
from ml_backend.proposers import stratum
from ml_backend.proposers.request import Request
from store.gold import FROM_FILE, PLANTED, Gold
from store.settings import PoolSettings

_OF = 16
"""Items that are drawn, of which the one that is least like the query is planted."""


def control(request: Request, choice: PoolSettings, named: Set[str]) -> list[Candidate]:
    """At most one control, in `gold_share` of the pools.

    The query's gold is taken before anything else, each of its grades with the same chance; then, by chance, a known
    positive or an item that is far from the query: where all controls were positive, who always answers the best grade
    would be right. named: what the proposers named.
    """
    if request.seeded("gold").random() >= choice.gold_share:
        return []
    known = [gold for gold in request.collection.gold.get(request.query.query_id, ()) if _is_there(request, gold)]
    if known:
        return [_of_known(request, known)]
    plant = request.seeded("plant").random() < choice.planted
    offers = (_planted, _positive) if plant else (_positive, _planted) if choice.planted else (_positive,)
    return next((found for offer in offers if (found := offer(request, named))), [])


def _is_there(request: Request, gold: Gold) -> bool:
    return gold.doc_id in request.collection.items


def _of_known(request: Request, known: Sequence[Gold]) -> Candidate:
    seeded = request.seeded("gold of a grade")
    grade = seeded.choice(sorted({gold.grade for gold in known}))
    gold = seeded.choice(sorted(gold for gold in known if gold.grade == grade))
    return Candidate(doc_id=gold.doc_id, source=f"{FROM_FILE}{gold.origin}", role="control", reason="gold")


def _positive(request: Request, named: Set[str]) -> list[Candidate]:
    if not request.positives:
        return []
    doc_id = request.seeded("positive").choice(request.positives)
    return [Candidate(doc_id=doc_id, source="known-positive", role="control", reason="gold")]


def _planted(request: Request, named: Set[str]) -> list[Candidate]:
    """Of some items that no proposer named the one that is least like the query, in the encoder that likes it most."""
    taken = named | set(request.positives)
    drawn = stratum.draw(request.collection, taken, _OF, request.seeded("planted"))
    likeness = _likeness(request, request.collection, drawn)
    if not likeness:
        return []
    doc_id = min(sorted(likeness), key=lambda doc_id: likeness[doc_id])
    reason = f"least like the query of {len(drawn)} that no proposer named"
    return [Candidate(doc_id=doc_id, source=PLANTED, role="control", reason=reason)]


def _likeness(request: Request, collection: Collection, doc_ids: Sequence[str]) -> dict[str, float]:
    """The highest of an item's scores in the spaces; only items that lie below the corpus's mean in all of them."""
    found: dict[str, float] = {}
    for name, vector in request.vectors.items():
        held = request.held(name, doc_ids)
        for doc_id, score in zip(held, collection.spaces[name].scores(vector, held), strict=True):
            found[doc_id] = max(found.get(doc_id, float(score)), float(score))
    return {doc_id: score for doc_id, score in found.items() if score < 0}
