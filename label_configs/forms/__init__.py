"""The forms that annotators answer: one XML template and one module each, with the same few verbs."""

from collections.abc import Callable, Mapping
from typing import Protocol

from label_configs.cards import Card
from label_configs.errors import Mendable
from label_configs.forms import buckets, graded, moment, pairwise, plain, ranking, review, selection
from label_configs.forms.envelope import Annotation, Decoded, Filled, Task
from label_configs.records import Modality, Mode, Pool, Query, Shown, Suggested
from label_configs.rules import Rules


class Form(Protocol):
    """What a form can do. Everything that knows a tag's name stays inside its one module and template."""

    MODE: Mode
    """How annotators meet it unless somebody decides otherwise."""

    def xml(self, rules: Rules, query: Modality, candidates: Shown) -> str:
        """The labeling config for this direction. Raises Mendable for a direction that the form cannot show."""

    def tasks(
        self, pool: Pool, query: Query, shown: str, cards: Mapping[str, Card], rules: Rules, *, per_screen: int
    ) -> list[Task]:
        """The pool as tasks of at most `per_screen` candidates, in display order.

        shown: the query as Label Studio shows it, its text or final URI. cards: by doc_id.
        """

    def suggestion(self, suggested: Suggested) -> list[dict[str, object]]:
        """The regions of the answer that a model would give; none where the form takes no suggestion."""

    def judgments(self, task: Filled, annotation: Annotation, rules: Rules, annotator: str) -> Decoded:
        """What an annotation says. Total: every shape is read, or named among the problems."""


FORMS: Mapping[str, Form] = {
    "graded": graded,
    "buckets": buckets,
    "ranking": ranking,
    "pairwise": pairwise,
    "selection": selection,
    "moment": moment,
    "review": review,
}

READINGS: Mapping[str, Callable[[Rules], plain.Read]] = {
    "graded": graded.reading,
    "buckets": buckets.reading,
    "ranking": ranking.reading,
    "pairwise": pairwise.reading,
}
"""What reads the answers of a form that are of the shape that nearly all have, many at a time; see `plain`."""


def form(name: str) -> Form:
    """The form of that name; Mendable lists those there are."""
    if name not in FORMS:
        raise Mendable(f"There is no form {name!r}.", mend=f"Take one of: {', '.join(FORMS)}.")
    return FORMS[name]
