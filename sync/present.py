"""How pools are put before annotators: order, cards, and tasks with predictions."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from label_configs import cards
from label_configs.forms import form
from label_configs.forms.envelope import KEY, Task
from label_configs.records import Item, Pool, Query, digest
from label_configs.rules import Rules
from store.media import Media
from store.settings import Project

BLIND_SHARE = 0.2
"""Share of the queries of an assist project that stay blind, so that the effect of assistance is measured."""

Predict = Callable[[Task, Pool], dict[str, Any]]
Scores = Callable[[Pool], Sequence[float]]
"""What the model gives each candidate of a pool now."""


def as_pooled(pool: Pool) -> list[float]:
    """The scores that the pool was made with."""
    return [candidate.score for candidate in pool.candidates]


@dataclass(frozen=True)
class Presenter:
    """What stands between a pool and its tasks."""

    project: Project
    rules: Rules
    per_screen: int
    queries: Mapping[str, Query]
    items: Mapping[str, Item]
    media: Media
    predict: Predict
    scores: Scores = as_pooled

    def arrange(self, pool: Pool) -> Pool:
        """The pool in display order: shuffled by its seed, or the model's present order where the project assists."""
        if not self.assisted(pool.query_id):
            return pool.shuffled()
        scored = zip(self.scores(pool), pool.candidates, strict=True)
        best_first = sorted(scored, key=lambda one: (-one[0], one[1].doc_id))
        return replace(pool, candidates=tuple(candidate for _, candidate in best_first))

    def tasks(self, pools: Iterable[Pool]) -> Iterator[Task]:
        """The tasks of arranged pools, each with its prediction.

        A blind query of an assist project has none, nor has any task of a project that measures or decides.
        """
        for pool in pools:
            yield from self.predicted(pool, self.queries[pool.query_id])

    def predicted(self, pool: Pool, query: Query) -> Iterator[Task]:
        """The tasks of one arranged pool, each with its prediction."""
        for task in self.screens(pool, query):
            silent = task["meta"][KEY].get("assisted") is False or self.project.purpose != "main"
            yield {**task, "predictions": [] if silent else [self.predict(task, pool)]}

    def screens(self, pool: Pool, query: Query) -> list[Task]:
        """The tasks of one pool, without predictions. Those of an assist project say whether it assists with them."""
        docs = {c.doc_id: self.items[c.doc_id] for c in pool.candidates}
        shown_as = {doc_id: cards.card(item, self.media.shown(item)) for doc_id, item in docs.items()}
        shown = query.text if query.modality == "text" else self.media.shown(query)
        made = form(self.project.form).tasks(pool, query, shown, shown_as, self.rules, per_screen=self.per_screen)
        if self.project.mode == "assist":
            for task in made:
                task["meta"][KEY]["assisted"] = self.assisted(pool.query_id)
        return made

    def assisted(self, query_id: str) -> bool:
        """Whether annotators see the model's order and grades for this query."""
        return assisted(self.project, query_id)


def assisted(project: Project, query_id: str) -> bool:
    """Whether a project shows the model's order and grades for a query; decided by a hash of its id."""
    if project.mode == "blind":
        return False
    return int(digest("blind", query_id), 16) / 16**16 >= BLIND_SHARE
