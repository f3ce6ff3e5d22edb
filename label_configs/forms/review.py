"""The review form: one candidate at a time, with its grade, the reasons, how text and media go together, and a note.

For audits, adjudication and qualification: every question is open, and every answer has a key. Its template is
review.xml.
"""

import re
from collections.abc import Mapping
from typing import Any

from label_configs.cards import Card
from label_configs.forms import answers, envelope, keys, template
from label_configs.forms.envelope import Annotation, Decoded, Filled, Task
from label_configs.forms.graded import Grades
from label_configs.records import Modality, Mode, Pool, Query, Shown, Suggested
from label_configs.rules import Rules

MODE: Mode = "blind"
_CONTROL = re.compile(r"(?P<asked>rel|reasons|dissonance|note)")


def xml(rules: Rules, query: Modality, candidates: Shown) -> str:
    """The labeling config; see Form.xml."""
    return template.render(
        "review.xml",
        rules,
        query,
        candidates,
        grade_keys=keys.ROWS[0],
        reason_keys=keys.ROWS[1] + keys.ROWS[2],
        dissonance_keys=keys.ROWS[3],
    )


def tasks(
    pool: Pool, query: Query, shown: str, cards: Mapping[str, Card], rules: Rules, *, per_screen: int = 1
) -> list[Task]:
    """One task a candidate, whatever fits on a screen; see Form.tasks."""

    def show(position: int, doc_id: str) -> dict[str, Any]:
        return {"html": cards[doc_id].html}

    return envelope.tasks("review", pool, query, shown, rules, envelope.parts(pool, 1), show)


def suggestion(suggested: Suggested) -> list[dict[str, object]]:
    """The candidate's grade; see Form.suggestion."""
    return [answers.region("rel", "choices", [str(grade)]) for grade in suggested.grades[:1]]


def judgments(task: Filled, annotation: Annotation, rules: Rules, annotator: str) -> Decoded:
    """One judgment, or none; see Form.judgments."""
    return answers.decode(task, annotation, rules, annotator, Grades("review", _CONTROL, task, rules))
