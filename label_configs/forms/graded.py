"""The graded form: one query, a grid of candidate cards, one grade per card. Its template is graded.xml.

The answer of candidate n is the region of the control `rel_n`: the position in the task is the only key, so the
order of `candidates` in the stored task decides, and the envelope maps it to doc_ids.
"""

import re
from collections.abc import Mapping
from typing import Any

from label_configs.forms import envelope, template
from label_configs.forms.envelope import Annotation, Decoded, Filled, Task
from label_configs.records import Judgment, Modality, Pool, Query
from label_configs.rules import CANT_JUDGE, CANT_JUDGE_LABEL, Rules

_CONTROL = re.compile(r"rel_(\d+)")
_NAMELESS = "(none)"


def xml(rules: Rules, query: Modality, candidates: Modality) -> str:
    """The labeling config. It accepts bare queries: no tag with a name reads `$candidates`."""
    return template.render(
        "graded.xml",
        rules=rules,
        query=query,
        candidates=candidates,
        cant_judge=CANT_JUDGE,
        cant_judge_label=CANT_JUDGE_LABEL,
    )


def tasks(
    pool: Pool, query: Query, shown: str, cards: Mapping[str, str], rules: Rules, *, per_screen: int = 8
) -> list[Task]:
    """One task a screen; see Form.tasks."""
    made = []
    for part, screen in enumerate(envelope.parts(pool, per_screen)):
        docs = [c.doc_id for c in screen]
        data = {
            "query": shown,
            "candidates": [{"id": envelope.opaque(n), "html": cards[d]} for n, d in enumerate(docs)],
            "guideline": rules.guideline(),
        }
        made.append(envelope.task(pool, part, "graded", rules, data, docs))
    return made


def result(grades: Mapping[int, int]) -> list[dict[str, object]]:
    """The regions of an answer; see Form.result."""
    return [_region(position, str(grade)) for position, grade in sorted(grades.items())]


def cannot_judge(position: int) -> dict[str, object]:
    """The region of the answer "can't judge" at a position."""
    return _region(position, CANT_JUDGE)


def judgments(task: Filled, annotation: Annotation, rules: Rules, annotator: str) -> Decoded:
    """One judgment per answered card: a grade, or the flag that it cannot be judged; see Form.judgments."""
    said = envelope.speaker(task, annotation, annotator)
    if annotation.get("was_cancelled"):
        return Decoded([said(kind="flag", value="skipped", doc_id="", position=-1)], [])
    regions, problems = _regions(task, annotation)
    untouched = bool(regions) and all(r.get("origin") == "prediction" for r in regions)
    found: dict[int, Judgment] = {}
    for region in regions:
        try:
            position = _position(region, task)
            value = _value(region, rules)
            if position in found:
                raise ValueError(f"it is answered twice; {found[position].value!r} is kept, {value!r} is not")
        except ValueError as error:
            problems.append(f"{task.place(annotation, region.get('from_name') or _NAMELESS)}: {error}")
            continue
        found[position] = said(
            kind="flag" if value == CANT_JUDGE else "grade",
            value=value,
            doc_id=task.docs[position],
            position=position,
            origin=str(region.get("origin") or "manual"),
            untouched=untouched,
        )
    return Decoded([found[position] for position in sorted(found)], problems)


def _region(position: int, value: str) -> dict[str, object]:
    return {
        "id": f"rel{position}",
        "from_name": f"rel_{position}",
        "to_name": "query",
        "type": "choices",
        "value": {"choices": [value]},
    }


def _regions(task: Filled, annotation: Annotation) -> tuple[list[dict[str, Any]], list[str]]:
    """The regions of an annotation, and a problem for each thing among them that is none."""
    result: Any = annotation.get("result") or []
    listed = result if isinstance(result, list) else [result]
    place = task.place(annotation, _NAMELESS)
    odd = [f"{place}: expected a region, found {one!r}" for one in listed if not isinstance(one, dict)]
    return [one for one in listed if isinstance(one, dict)], odd


def _position(region: Mapping[str, Any], task: Filled) -> int:
    match = _CONTROL.fullmatch(str(region.get("from_name")))
    if not match:
        raise ValueError("the graded form has no such control")
    position = int(match[1])
    if position >= len(task.docs):
        raise ValueError(f"the task has {len(task.docs)} candidates")
    return position


def _value(region: Mapping[str, Any], rules: Rules) -> str:
    """The grade or CANT_JUDGE; a choice is stored by its alias, or by its label in configs without aliases."""
    known = {str(g.value): str(g.value) for g in rules.grades}
    known |= {g.label: str(g.value) for g in rules.grades}
    known |= {CANT_JUDGE: CANT_JUDGE, CANT_JUDGE_LABEL: CANT_JUDGE}
    value = region.get("value")
    choices = value.get("choices") if isinstance(value, dict) else None
    if not isinstance(choices, list) or len(choices) != 1:
        raise ValueError(f"expected one choice, found {choices!r}")
    if str(choices[0]) not in known:
        raise ValueError(f"{choices[0]!r} is not a grade of these rules ({', '.join(known)})")
    return known[str(choices[0])]
