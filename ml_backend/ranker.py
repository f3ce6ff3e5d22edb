"""Predictions: from the scores of a pool's candidates to grades that prefill a form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from label_configs.forms import form
from label_configs.forms.envelope import KEY, Task
from label_configs.records import Candidate, Pool, Suggested, digest
from label_configs.rules import Rules

_FIRST_CUT = 2.0


@dataclass(frozen=True)
class Ranker:
    """Grades by fixed cuts: an item 2 standard deviations above the corpus's similarity to the query gets the second
    lowest grade, and each further deviation one grade more. collection: version of what the scores came from.
    """

    rules: Rules
    collection: str

    @property
    def version(self) -> str:
        """Label Studio's model_version: changes only with what predictions depend on."""
        return f"ls-retrieval-{digest(self.rules.hash, self.collection, _FIRST_CUT)[:10]}"

    def grade(self, score: float) -> int:
        """The grade of one candidate."""
        above = sum(score >= _FIRST_CUT + n for n in range(len(self.rules.values) - 1))
        return self.rules.values[above]

    def certainty(self, candidates: Sequence[Candidate]) -> float:
        """Mean distance of the scores from the nearest cut, at most 1 each: low where people are needed most."""
        cuts = [_FIRST_CUT + n for n in range(len(self.rules.values) - 1)]
        gaps = [min(1.0, *(abs(c.score - cut) for cut in cuts)) for c in candidates]
        return round(sum(gaps) / len(gaps), 4) if gaps else 0.0

    def predict(self, task: Mapping[str, object] | Task, pool: Pool) -> dict[str, object]:
        """The prediction for one task of a pool, in the task's order."""
        envelope = task["meta"][KEY]  # type: ignore[index]
        by_id = {c.doc_id: c for c in pool.candidates}
        shown = [by_id[envelope["docs"][c["id"]]] for c in task["data"]["candidates"]]  # type: ignore[index]
        suggested = [Suggested(self.grade(c.score), c.score) for c in shown]
        return {
            "model_version": self.version,
            "score": self.certainty(shown),
            "result": form(envelope["form"]).suggestion(suggested),
        }
