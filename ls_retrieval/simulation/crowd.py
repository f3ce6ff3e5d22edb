"""Annotators whose ways are known: biased, noisy, drawn to the top of the screen, or clicking anything."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from label_configs.records import Judgment, Pool
from label_configs.rules import Rules
from ls_retrieval.simulation.world import Size, World

_MIDDLE = 11.5


@dataclass(frozen=True)
class Crowd:
    """bias: of each annotator in grades. spammers: those who answer anything, whatever is shown."""

    bias: Mapping[str, float]
    spammers: frozenset[str]

    def answer(self, who: str, true: int, shift: float, noise: float, random: np.random.Generator) -> int:
        """What somebody says of a pair."""
        if who in self.spammers:
            return int(random.integers(0, 4))
        return int(np.clip(np.rint(true + self.bias[who] + shift + random.normal(0, noise)), 0, 3))


class Card(NamedTuple):
    """A pair at a place of a screen. screen: its number within the query."""

    query_id: str
    doc_id: str
    place: int
    screen: int


def crowd(size: Size, random: np.random.Generator) -> Crowd:
    """Annotators as many as the size says."""
    names = [f"a{n:02}" for n in range(size.annotators)]
    many = round(size.spammers * size.annotators)
    return Crowd({name: float(random.normal(0, size.bias)) for name in names}, frozenset(names[:many]))


def screens(pools: Iterable[Pool], per_screen: int = 8) -> list[Card]:
    """The cards of pools as they are laid out."""
    return [
        Card(pool.query_id, c.doc_id, n % per_screen, n // per_screen)
        for pool in pools
        for n, c in enumerate(pool.candidates)
    ]


def judge(
    world: World,
    cards: Iterable[Card],
    people: Crowd,
    rules: Rules,
    random: np.random.Generator,
    slope: float = 0.0,
) -> list[Judgment]:
    """What the crowd says of cards: each screen is answered by `votes` of them. slope: grades a
    place further down, from the middle of 24."""
    found, names = [], sorted(people.bias)
    answering: dict[tuple[str, int], list[tuple[int, str]]] = {}
    number = 0
    for card in cards:
        key = card.query_id, card.screen
        if key not in answering:
            chosen = random.choice(names, size=min(world.size.votes, len(names)), replace=False)
            answering[key] = [(number + n + 1, str(who)) for n, who in enumerate(chosen)]
            number += len(chosen)
        true, shift = world.grade(card.query_id, card.doc_id), slope * (card.place - _MIDDLE)
        for annotation_id, who in answering[key]:
            value = people.answer(who, true, shift, world.size.noise, random)
            found.append(said(card, value, who, annotation_id, rules))
    return found


def said(card: Card, value: int, who: str, annotation_id: int, rules: Rules) -> Judgment:
    """One grade as the table holds it."""
    return Judgment(
        kind="grade",
        project=1,
        task_id=annotation_id,
        annotation_id=annotation_id,
        updated_at="2026-01-01T00:00:00.000000Z",
        query_id=card.query_id,
        doc_id=card.doc_id,
        value=str(value),
        annotator=who,
        rules_hash=rules.hash,
        pool_id="",
        form="graded",
        round=1,
        position=card.place,
    )
