"""Where gold comes from, and which of it is used next."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain, zip_longest

from label_configs.records import Candidate, Relevance, digest
from store.gold import Gold
from store.settings import Quality
from sync.gold.answers import Pair


def promoted(
    relevance: Iterable[Relevance],
    shown: Mapping[Pair, Candidate],
    gold: Collection[Gold],
    quality: Quality,
    used: Mapping[Pair, int],
) -> list[Gold]:
    """The pairs that become gold: enough votes, a sure consensus, of each grade until there are `per_grade`.

    The surest first, then those with most votes, then by a hash: the ids of the first queries mean nothing. What was
    shown as a control is known by other means. used: answers by which gold has measured people; what is worn out stays
    known, and makes room for more.
    """
    fresh = Counter(g.grade for g in gold if used.get(g.pair, 0) < quality.worn)
    room = {grade: quality.per_grade - count for grade, count in fresh.items()}
    there = {g.pair for g in gold}
    found = []
    for r in sorted(relevance, key=lambda r: (-r.confidence, -r.votes, digest(r.query_id, r.doc_id))):
        one, left = Gold(r.query_id, r.doc_id, r.grade, "consensus"), room.get(r.grade, quality.per_grade)
        if left > 0 and _is_sure(r, quality) and one.pair not in there and _fits(one, shown.get(one.pair)):
            room[r.grade] = left - 1
            found.append(one)
    return found


def _is_sure(r: Relevance, quality: Quality) -> bool:
    return r.votes >= quality.votes and r.confidence >= quality.confidence


def _fits(gold: Gold, shown: Candidate | None) -> bool:
    """Whether a pair was shown as something else than a control, and its ids can stand in a line of a file."""
    return shown is not None and shown.role != "control" and not any(sign in "".join(gold.pair) for sign in "\t\r\n")


def rotated(known: Mapping[Pair, object], used: Mapping[Pair, int], wanted: int, seed: object = 0) -> list[Pair]:
    """So many of the known pairs, the kinds in turn and of each kind the least used first, ties by a seeded hash.

    known: each pair with its kind, such as its grade. Gold that everybody has met tells nothing any more.
    """
    kinds: dict[str, list[Pair]] = {}
    for pair in sorted(known, key=lambda pair: (used.get(pair, 0), digest(seed, *pair))):
        kinds.setdefault(str(known[pair]), []).append(pair)
    turns: Iterator[Pair | None] = chain.from_iterable(zip_longest(*(kinds[name] for name in sorted(kinds))))
    return [pair for pair in turns if pair is not None][:wanted]
