"""Hard negatives worth judging: items that a model takes for relevant and that nobody has called so.

The sources only propose, one file each, one line in the dict. Whatever they choose is shown to people, and leaves as a
negative only if they say so. What a margin forbids is shown as well, as an ordinary candidate: there the positives
hide that nobody knows yet.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from label_configs.errors import Mendable
from label_configs.records import Candidate, ScoredDoc
from ml_backend import fusion
from ml_backend.negatives import confuser, drawn, look_alike, near_miss, sibling
from ml_backend.negatives.sifting import Asked, Sifted
from ml_backend.proposers.request import Request
from store.settings import Negatives

Source = Callable[[Asked], Iterator[Sifted]]

SOURCES: Mapping[str, Source] = {
    "near-miss": near_miss.offer,
    "look-alike": look_alike.offer,
    "confuser": confuser.offer,
    "sibling": sibling.offer,
    "random": drawn.offer,
}


class Mined(NamedTuple):
    """Hard negatives, and what a margin forbids, in the order in which they are to be taken."""

    negatives: list[Candidate]
    discarded: list[Candidate]


def mine(request: Request, rule: Negatives, taken: frozenset[str] = frozenset()) -> Mined:
    """The offers of all sources, in turn from each; an item is named once, by the first that offers it.

    taken: items that are not offered. What a margin forbids is fused by rank, so that what several sources bring comes
    first; what one source offers and a margin forbids another stands on both lists.
    """
    asked = Asked(request, rule, taken)
    sifted = [one for offer in chosen(rule.sources) for one in offer(asked)]
    return Mined(_in_turn([one.kept for one in sifted]), _agreed([one.discarded for one in sifted]))


def chosen(names: Sequence[str]) -> list[Source]:
    """The sources of these names; Mendable lists those there are."""
    unknown = [repr(name) for name in names if name not in SOURCES]
    if unknown:
        raise Mendable(
            f"There is no source of hard negatives {', '.join(unknown)}.",
            mend=f"Take some of: {', '.join(SOURCES)}, as `sources` under [negatives] in settings.toml.",
        )
    return [SOURCES[name] for name in names]


def _in_turn(offers: Sequence[Sequence[Candidate]]) -> list[Candidate]:
    """One from each in turn, the next that nobody named before."""
    found: dict[str, Candidate] = {}
    queues = [deque(offer) for offer in offers]
    while queues := [queue for queue in queues if queue]:
        for queue in queues:
            while queue and queue[0].doc_id in found:
                queue.popleft()
            if queue:
                found.setdefault(queue[0].doc_id, queue.popleft())
    return list(found.values())


def _agreed(discarded: Sequence[Sequence[Candidate]]) -> list[Candidate]:
    """What margins forbid, by reciprocal rank fusion of the sources that brought it."""
    named = {c.doc_id: c for source in reversed(discarded) for c in reversed(source)}
    rankings = {str(n): [ScoredDoc("", c.doc_id, 0.0) for c in source] for n, source in enumerate(discarded)}
    return [named[hit.doc_id] for hit in fusion.reciprocal_rank(rankings)]
