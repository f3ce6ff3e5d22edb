"""A large crowd that answers gold, and what the tool says of each of them."""

from collections.abc import Sequence

import numpy as np

from label_configs.records import Candidate, Judgment, Pool
from ls_retrieval.simulation.crowd import Card, Crowd, said
from ls_retrieval.simulation.labelled import Labelled
from ls_retrieval.simulation.world import ask, doc
from store.gold import PLANTED
from store.settings import Quality
from sync.gold.annotators import Annotator, annotators
from sync.gold.answers import answers

_PEOPLE = 1000
_EACH = 10
"""Known positives, and planted items."""


def measured(of: Labelled) -> tuple[dict[str, Annotator], frozenset[str]]:
    """What is told of each annotator by their answers to the same controls; and who of them are spammers.

    Half of the spammers answer anything, half always the same.
    """
    random = of.random(5)
    pools, people = _controls(of, random), _many(of, random)
    given: list[Judgment] = []
    for n, who in enumerate(sorted(people.bias)):
        stuck = int(random.integers(0, 8))  # below 4: the grade that a spammer always gives
        for place, pool in enumerate(pools):
            card = Card(pool.query_id, pool.candidates[0].doc_id, 0, 0)
            true = of.world.grade(card.query_id, card.doc_id)
            value = people.answer(who, true, 0.0, of.world.size.noise, random)
            value = stuck if who in people.spammers and stuck < 4 else value
            given.append(said(card, value, who, n * len(pools) + place + 1, of.rules))
    found = annotators(given, answers(given, pools, {}, of.rules), of.world.queries, of.rules, Quality())
    return found, people.spammers


def auc(bad: Sequence[float], good: Sequence[float]) -> float:
    """The chance that a spammer's odds are the higher ones; a tie counts half."""
    if not bad or not good:
        return float("nan")
    higher = np.array(bad)[:, None] - np.array(good)[None, :]
    return float((higher > 0).mean() + (higher == 0).mean() / 2)


def _controls(of: Labelled, random: np.random.Generator) -> list[Pool]:
    """Pools of one control each: known positives of the queries, and items that are far from them."""
    grades, found = of.world.grades, []
    for source, held in (("known-positive", grades > 1), (PLANTED, grades == 0)):
        pairs = np.argwhere(held)
        for q, d in random.permutation(pairs)[:_EACH]:
            control = Candidate(doc_id=doc(int(d)), source=source, role="control")
            found.append(Pool(query_id=ask(int(q)), candidates=(control,), encoder="", index="", seed=0))
    return found


def _many(of: Labelled, random: np.random.Generator) -> Crowd:
    """A crowd as the world's, and larger."""
    names = [f"a{n:04}" for n in range(_PEOPLE)]
    bias = {name: float(random.normal(0, of.world.size.bias)) for name in names}
    return Crowd(bias, frozenset(names[: round(of.world.size.spammers * _PEOPLE)]))
