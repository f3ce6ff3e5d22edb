"""Predictions: from the scores of a pool's candidates to grades that prefill a form, for many screens at a time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, chain, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from label_configs.forms import form
from label_configs.forms.envelope import KEY, Task
from label_configs.records import Candidate, Pool, Suggested, digest
from label_configs.rules import Rules
from ml_backend.encoders.base import Vectors
from ml_backend.kept import Scored
from ml_backend.learning import calibration
from ml_backend.learning.adapter import Adapter
from ml_backend.learning.calibration import Calibration, Floats
from ml_backend.learning.versions import Learned
from ml_backend.learning.views import Views


class Screen(NamedTuple):
    """Candidates of one pool as a form shows them. scores: those that the pool was made with."""

    form: str
    query_id: str
    doc_ids: Sequence[str]
    scores: Sequence[float]


Scores = Callable[[Sequence[Screen]], Floats]
"""Screens to a score for each candidate, those of one screen after those of the other."""


def screen(form: str, pool: Scored, doc_ids: Iterable[str]) -> Screen:
    """The screen of a form that shows these candidates. Raises KeyError for one that the pool does not have."""
    shown = list(doc_ids)
    return Screen(form, pool.query_id, shown, [pool.scores[doc_id] for doc_id in shown])


def as_pooled(screens: Sequence[Screen]) -> Floats:
    """The scores that the pools were made with: standard deviations above the corpus."""
    return np.fromiter(chain.from_iterable(one.scores for one in screens), np.float64)


@dataclass(frozen=True)
class Corrected:
    """The same scores, corrected by what was learned. Each item is projected once, however many pools hold it."""

    adapter: Adapter
    views: Views
    _items: dict[str, Vectors] = field(default_factory=dict, repr=False, compare=False)

    def __call__(self, screens: Sequence[Screen]) -> Floats:
        """See Scores."""
        scores, doc_ids = as_pooled(screens), [doc_id for one in screens for doc_id in one.doc_ids]
        if not doc_ids:
            return scores
        rows = {doc_id: row for row, doc_id in enumerate(dict.fromkeys(doc_ids))}
        items = self._projected(list(rows))[[rows[doc_id] for doc_id in doc_ids]]
        asked = np.array([self.views.query(one.query_id) for one in screens])
        queries = self.adapter.projected(asked, self.adapter.query)
        wanted = np.repeat(queries, [len(one.doc_ids) for one in screens], axis=0)
        return np.asarray(scores + np.einsum("ij,ij->i", items, wanted))

    def _projected(self, doc_ids: Sequence[str]) -> Vectors:
        fresh = [doc_id for doc_id in doc_ids if doc_id not in self._items]
        if fresh:
            found = self.adapter.projected(self.views.items(fresh), self.adapter.item)
            self._items.update(zip(fresh, found, strict=True))
        return np.array([self._items[doc_id] for doc_id in doc_ids])


@dataclass(frozen=True)
class Ranker:
    """Grades a candidate by the calibration of what was learned; without it by fixed cuts, 2 standard deviations above
    the corpus's similarity to the query and each further one a grade more.

    collection: version of what the scores came from. scored: corrects them, where `learned` has an adapter.
    """

    rules: Rules
    collection: str
    learned: Learned | None = None
    scored: Scores = as_pooled

    @cached_property
    def version(self) -> str:
        """Label Studio's model_version: changes only with what predictions depend on."""
        parameters = self.learned.about.parameters if self.learned else ""
        return f"ls-retrieval-{digest(self.rules.hash, self.collection, parameters)[:10]}"

    @cached_property
    def calibration(self) -> Calibration:
        """What turns scores into chances of grades."""
        return self.learned.calibration if self.learned else calibration.before(len(self.rules.values))

    def scores(self, query_id: str, candidates: Sequence[Candidate]) -> list[float]:
        """What the model gives candidates of a query's pool now."""
        shown = Screen("", query_id, [c.doc_id for c in candidates], [c.score for c in candidates])
        found: list[float] = self.scored([shown]).tolist()
        return found

    def certainty(self, scores: Sequence[float]) -> float:
        """One less the mean entropy of the grades' chances, from 0 to 1: low where people are needed most."""
        return self._certainties(np.array(scores, dtype=np.float64), np.array([len(scores)]))[0]

    def predict(self, task: Mapping[str, object] | Task, pool: Pool) -> dict[str, object]:
        """The prediction for one task of a pool, in the task's order."""
        envelope = task["meta"][KEY]  # type: ignore[index]
        shown = (envelope["docs"][c["id"]] for c in task["data"]["candidates"])  # type: ignore[index]
        return self.predictions([screen(envelope["form"], Scored.of(pool), shown)])[0]

    def predictions(self, screens: Sequence[Screen]) -> list[dict[str, object]]:
        """The prediction for each screen, in the order of its candidates.

        A candidate gets the median grade; the order is that of the expected one, of equals that of the screen.
        """
        sizes, scores = np.array([len(one.doc_ids) for one in screens], dtype=np.int64), self.scored(screens)
        grades = np.array(self.rules.values)[self.calibration.grades(scores)].tolist()
        order = _best_first(self.calibration.expected(scores, self.rules.values), sizes)
        bounds = pairwise(accumulate(sizes.tolist(), initial=0))
        return [
            {
                "model_version": self.version,
                "score": certainty,
                "result": form(one.form).suggestion(Suggested(grades[a:b], positions[: b - a])),
            }
            for one, certainty, positions, (a, b) in zip(
                screens, self._certainties(scores, sizes), order, bounds, strict=True
            )
        ]

    def _certainties(self, scores: Floats, sizes: NDArray[np.int64]) -> list[float]:
        """The certainty of each screen; of one without candidates none."""
        doubts = np.bincount(np.repeat(np.arange(len(sizes)), sizes), self.calibration.doubt(scores), len(sizes))
        means = np.where(sizes > 0, doubts / np.maximum(sizes, 1), 1.0)
        return [round(1.0 - mean, 4) for mean in means.tolist()]


def _best_first(scores: Floats, sizes: NDArray[np.int64]) -> list[list[int]]:
    """Of each screen its positions, the highest score first, equals as they stand; beyond its size no positions."""
    table = np.full((len(sizes), sizes.max(initial=0)), np.nan)
    table[np.arange(table.shape[1]) < sizes[:, None]] = -scores
    found: list[list[int]] = np.argsort(table, axis=1, kind="stable").tolist()
    return found
