"""Predictions: from the scores of a pool's candidates to grades that prefill a form."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from label_configs.forms import form
from label_configs.forms.envelope import KEY, Task
from label_configs.records import Candidate, Pool, Suggested, digest
from label_configs.rules import Rules
from ml_backend.encoders.base import Vectors
from ml_backend.learning import calibration
from ml_backend.learning.adapter import Adapter
from ml_backend.learning.calibration import Calibration
from ml_backend.learning.versions import Learned
from ml_backend.learning.views import Views

Scores = Callable[[str, Sequence[Candidate]], Sequence[float]]
"""A query_id and candidates of its pool, to a score each."""


def as_pooled(query_id: str, candidates: Sequence[Candidate]) -> list[float]:
    """The scores that the pool was made with: standard deviations above the corpus."""
    return [candidate.score for candidate in candidates]


@dataclass(frozen=True)
class Corrected:
    """The same scores, corrected by what was learned. Each item is projected once, however many pools hold it."""

    adapter: Adapter
    views: Views
    _items: dict[str, Vectors] = field(default_factory=dict, repr=False, compare=False)

    def __call__(self, query_id: str, candidates: Sequence[Candidate]) -> list[float]:
        """See Scores."""
        fresh = [c.doc_id for c in candidates if c.doc_id not in self._items]
        if fresh:
            found = self.adapter.projected(self.views.items(fresh), self.adapter.item)
            self._items.update(zip(fresh, found, strict=True))
        query = self.adapter.projected(self.views.query(query_id)[None], self.adapter.query)[0]
        added: list[float] = (np.array([self._items[c.doc_id] for c in candidates]) @ query).tolist()
        return [c.score + one for c, one in zip(candidates, added, strict=True)]


@dataclass(frozen=True)
class Ranker:
    """Grades a candidate by the calibration of what was learned; without it by fixed cuts, 2 standard deviations above
    the corpus's similarity to the query and each further one a grade more.

    collection: version of what the scores came from. scores: corrected ones, where `learned` has an adapter.
    """

    rules: Rules
    collection: str
    learned: Learned | None = None
    scores: Scores = as_pooled

    @cached_property
    def version(self) -> str:
        """Label Studio's model_version: changes only with what predictions depend on."""
        parameters = self.learned.about.parameters if self.learned else ""
        return f"ls-retrieval-{digest(self.rules.hash, self.collection, parameters)[:10]}"

    @cached_property
    def calibration(self) -> Calibration:
        """What turns scores into chances of grades."""
        return self.learned.calibration if self.learned else calibration.before(len(self.rules.values))

    def certainty(self, scores: Sequence[float]) -> float:
        """One less the mean entropy of the grades' chances, from 0 to 1: low where people are needed most."""
        return round(1.0 - float(np.mean(self.calibration.doubt(scores))), 4) if scores else 0.0

    def predict(self, task: Mapping[str, object] | Task, pool: Pool) -> dict[str, object]:
        """The prediction for one task of a pool, in the task's order."""
        envelope = task["meta"][KEY]  # type: ignore[index]
        by_id = {c.doc_id: c for c in pool.candidates}
        shown = [by_id[envelope["docs"][c["id"]]] for c in task["data"]["candidates"]]  # type: ignore[index]
        scores = self.scores(pool.query_id, shown) if shown else []
        return {
            "model_version": self.version,
            "score": self.certainty(scores),
            "result": form(envelope["form"]).suggestion(self._suggested(scores)),
        }

    def _suggested(self, scores: Sequence[float]) -> list[Suggested]:
        """Of each candidate the median grade, and the expected one, by which the better match is told."""
        values = self.rules.values
        grades, expected = self.calibration.grades(scores), self.calibration.expected(scores, values)
        return [Suggested(values[g], e) for g, e in zip(grades.tolist(), expected.tolist(), strict=True)]
