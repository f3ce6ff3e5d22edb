"""The graded form without a Repeater: cards are sorted into one bucket a grade. Its template is buckets.xml.

Every tag in it is documented for the community edition. A card that was not placed is unjudged, which is not grade 0.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from label_configs.cards import Card
from label_configs.errors import quoted
from label_configs.forms import answers, envelope, plain, ranked, template
from label_configs.forms.answers import Region, Speak
from label_configs.forms.envelope import Annotation, Decoded, Filled, Task
from label_configs.records import Judgment, Modality, Mode, Origin, Pool, Query, Shown, Suggested
from label_configs.rules import CANT_JUDGE, Rules

MODE: Mode = "blind"


def xml(rules: Rules, query: Modality, candidates: Shown) -> str:
    """The labeling config; see Form.xml."""
    return template.render("buckets.xml", rules, query, candidates)


def tasks(
    pool: Pool, query: Query, shown: str, cards: Mapping[str, Card], rules: Rules, *, per_screen: int = 8
) -> list[Task]:
    """One task a screen; see Form.tasks."""

    def show(position: int, doc_id: str) -> dict[str, Any]:
        return {"html": cards[doc_id].html}

    return envelope.tasks("buckets", pool, query, shown, rules, envelope.parts(pool, per_screen), show)


def suggestion(suggested: Suggested) -> list[dict[str, object]]:
    """Every card in the bucket of its grade, the best first; see Form.suggestion.

    Label Studio drops cards that a prediction leaves out, so all of them stand in it.
    """
    placed: dict[int, list[str]] = defaultdict(list)
    for n in suggested.order:
        placed[suggested.grades[n]].append(envelope.opaque(n))
    lists = {str(grade): ids for grade, ids in placed.items()}
    return [ranked.suggestion("buckets", {ranked.UNPLACED: [], **lists})]


def judgments(task: Filled, annotation: Annotation, rules: Rules, annotator: str) -> Decoded:
    """One judgment per placed card; its rank is the place in its bucket, from 1; see Form.judgments."""
    return answers.decode(task, annotation, rules, annotator, _Buckets(task, rules))


def reading(rules: Rules) -> plain.Read:
    """One region, each card once, in buckets that there are; see `plain.Said`."""
    import numpy as np

    names = sorted(_known(rules))
    codes = {name: code for code, name in enumerate(names)}

    def read(answers: plain.Answers) -> plain.Said:
        lists = [_lists(one.result) for one in answers.annotations]
        buckets = list(chain.from_iterable(map(dict.values, lists)))
        lengths, each_has = plain.numbers(map(len, buckets)), plain.numbers(map(len, lists))
        named = plain.numbers(codes.get(name, -1) for name in chain.from_iterable(lists))
        places = plain.numbers(map(plain.PLACES.__getitem__, chain.from_iterable(buckets)))
        bucket_of = np.repeat(np.arange(len(lists)), each_has)
        counts = np.bincount(bucket_of, lengths, len(lists)).astype(np.int64)
        order, usual = plain.by_screen(counts, places, answers.sizes)
        usual[bucket_of[named < 0]] = False
        code, of = np.repeat(named, lengths)[order], np.repeat(np.arange(len(lists)), counts)[order]
        told = usual[of] & (code != codes[ranked.UNPLACED])
        order, code, of = order[told], code[told], of[told]
        each = {
            "kind": plain.Coded((code == codes[CANT_JUDGE]).astype(np.int64), ("grade", "flag")),
            "value": plain.Coded(code, names),
            "position": places[order],
            "rank": plain.within(lengths)[order] + 1,
        }
        same = {"origin": plain.sources(one.result[0] for one in answers.annotations)}
        return plain.Said(np.bincount(of, minlength=len(lists)), each, same)

    return read


def _lists(regions: Sequence[plain.Region]) -> dict[str, list[str]]:
    """The cards by bucket; none where it is no plain answer."""
    plainly = len(regions) == 1 and regions[0].from_name == "buckets"
    return (regions[0].value.ranker or {}) if plainly else {}


def _known(rules: Rules) -> frozenset[str]:
    return frozenset({*(str(g.value) for g in rules.grades), CANT_JUDGE, ranked.UNPLACED})


class _Buckets:
    def __init__(self, task: Filled, rules: Rules) -> None:
        self._task = task
        self._known = _known(rules)
        self._placed: dict[str, list[int]] | None = None
        self._origin: Origin = "manual"

    def take(self, control: str, region: Region) -> None:
        if control != "buckets":
            raise answers.unknown("buckets")
        if self._placed is not None:
            raise answers.twice(self._placed, region.get("value"))
        lists = ranked.lists(region, self._task)
        if strange := sorted(set(lists) - self._known):
            raise ValueError(f"{quoted(strange[0])} is not one of the buckets {', '.join(sorted(self._known))}")
        self._origin = answers.origin(region)
        self._placed = lists

    def judgments(self, said: Speak) -> Sequence[Judgment]:
        each = _told(self._placed or {}, self._task.docs)
        return said.block(each, origin=self._origin) if each["value"] else []


def _told(lists: Mapping[str, Sequence[int]], docs: Sequence[str]) -> dict[str, Sequence[Any]]:
    """What the buckets say of each card, in the order of the screen."""
    placed = {
        place: (bucket, rank)
        for bucket, places in lists.items()
        if bucket != ranked.UNPLACED
        for rank, place in enumerate(places, 1)
    }
    positions = sorted(placed)
    values = [placed[n][0] for n in positions]
    return {
        "kind": ["flag" if value == CANT_JUDGE else "grade" for value in values],
        "value": values,
        "doc_id": [docs[n] for n in positions],
        "position": positions,
        "rank": [placed[n][1] for n in positions],
    }
