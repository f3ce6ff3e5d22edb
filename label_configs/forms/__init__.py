"""The forms that annotators answer: one XML template and one module each, with the same few verbs."""

from collections.abc import Mapping
from typing import Protocol

from label_configs.errors import Mendable
from label_configs.forms import graded
from label_configs.forms.envelope import Annotation, Decoded, Filled, Task
from label_configs.records import Modality, Pool, Query
from label_configs.rules import Rules


class Form(Protocol):
    """What a form can do. Everything that knows a tag's name stays inside its one module and template."""

    def xml(self, rules: Rules, query: Modality, candidates: Modality) -> str:
        """The labeling config for this direction."""

    def tasks(
        self, pool: Pool, query: Query, shown: str, cards: Mapping[str, str], rules: Rules, *, per_screen: int
    ) -> list[Task]:
        """The pool as tasks of at most `per_screen` candidates, in display order.

        shown: the query as Label Studio shows it, its text or final URI. cards: doc_id to HTML.
        """

    def result(self, grades: Mapping[int, int]) -> list[dict[str, object]]:
        """The regions of an answer that gives grades by position, as an annotation or a prediction holds them."""

    def judgments(self, task: Filled, annotation: Annotation, rules: Rules, annotator: str) -> Decoded:
        """What an annotation says. Total: every shape is read, or named among the problems."""


FORMS: Mapping[str, Form] = {"graded": graded}


def form(name: str) -> Form:
    """The form of that name; Mendable lists those there are."""
    if name not in FORMS:
        raise Mendable(f"There is no form {name!r}.", mend=f"Take one of: {', '.join(FORMS)}.")
    return FORMS[name]
