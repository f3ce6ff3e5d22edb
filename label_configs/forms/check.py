"""Predictions looked at before they leave: Label Studio checks nothing, and some of what it takes blanks the editor."""

import math
from collections.abc import Mapping
from typing import Any

from label_configs.errors import Mendable, quoted
from label_configs.forms import envelope, form, ranked
from label_configs.forms.envelope import Annotation, Filled
from label_configs.rules import Rules

_MOMENT = "1970-01-01T00:00:00.000000Z"


def problems(task: Mapping[str, Any], prediction: Mapping[str, Any], rules: Rules) -> list[str]:
    """A sentence for everything that is wrong with the prediction of a filled task; none where it may be stored.

    Its regions are read as those of an answer are, so that a prediction is what an annotator could have said: known
    controls, candidates of the task, values of the rules. A list holds every candidate once: Label Studio drops those
    that a prediction leaves out. The score is a finite number: one that is none drops the whole batch.
    """
    try:
        filled = envelope.read(task, project=0)
        regions = prediction.get("result")
        if not isinstance(regions, list):
            return [f"expected regions, found {quoted(regions)}"]
        answer: Annotation = {"id": 1, "updated_at": _MOMENT, "result": regions}
        decoded = form(filled.form).judgments(filled, answer, rules, "")
    except Mendable as error:
        return [error.what]
    return decoded.problems + _lists(filled, regions) + _frame(prediction)


def _lists(task: Filled, regions: list[Any]) -> list[str]:
    """A sentence for each list that does not hold every candidate."""
    found = []
    for region in (one for one in regions if isinstance(one, dict) and one.get("type") == "ranker"):
        try:
            placed = [position for positions in ranked.lists(region, task).values() for position in positions]
        except ValueError:
            continue  # it is a problem of its regions already
        if missing := [c for n, c in enumerate(task.ids) if n not in placed]:
            found.append(f"control {quoted(region.get('from_name'))}: it leaves out {', '.join(missing)}")
    return found


def _frame(prediction: Mapping[str, Any]) -> list[str]:
    """What is wrong around the regions."""
    score, version = prediction.get("score"), prediction.get("model_version")
    number = isinstance(score, int | float) and not isinstance(score, bool) and math.isfinite(score)
    return [
        *([] if number else [f"expected a finite score, found {quoted(score)}"]),
        *([] if isinstance(version, str) and version else [f"expected a model_version, found {quoted(version)}"]),
    ]
