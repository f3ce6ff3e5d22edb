"""What an annotator has said of a task so far, as hints by which its candidates are scored anew."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from label_configs.forms import answers, envelope, form, pairwise, selection
from label_configs.forms.envelope import Annotation
from label_configs.records import Judgment, Pool, Query
from label_configs.rules import Rules
from ml_backend.collection import Collection, Space
from ml_backend.encoders.base import Vectors

_MOMENT = "1970-01-01T00:00:00.000000Z"
_LONGEST = 1000
"""Characters of a text that are read."""


class Hints(NamedTuple):
    """Words for a better match, and the cards that answer the query."""

    texts: tuple[str, ...]
    liked: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.texts or self.liked)


def read(task: Mapping[str, Any], context: Mapping[str, Any], rules: Rules) -> Hints:
    """The hints in a context as Label Studio sends it, `{"result": [regions]}`. Raises Unreadable for a changed task.

    What of it cannot be read is no hint.
    """
    filled, regions = envelope.read(task, project=0), context.get("result")
    answer: Annotation = {"id": 1, "updated_at": _MOMENT, "result": regions if isinstance(regions, list) else []}
    said = form(filled.form).judgments(filled, answer, rules, "").judgments
    texts = [judgment.note.strip()[:_LONGEST] for judgment in said if judgment.value == answers.BETTER]
    return Hints(tuple(dict.fromkeys(texts)), tuple(j.doc_id for j in said if _likes(j, rules)))


def rescored(pool: Pool, hints: Hints, collection: Collection) -> Pool:
    """The pool with the mean of its candidates' scores against all hints, in all spaces that hold them."""
    scores: dict[str, list[float]] = {candidate.doc_id: [] for candidate in pool.candidates}
    for space in collection.spaces.values():
        held = [doc_id for doc_id in scores if doc_id in space.index.rows]
        for vector in _vectors(space, hints):
            for doc_id, score in zip(held, space.scores(vector, held), strict=True):
                scores[doc_id].append(float(score))
    means = {doc_id: round(sum(found) / len(found), 4) if found else 0.0 for doc_id, found in scores.items()}
    return replace(pool, candidates=tuple(replace(c, score=means[c.doc_id]) for c in pool.candidates))


def _vectors(space: Space, hints: Hints) -> Sequence[Vectors]:
    said = [space.encode(Query(query_id="", text=text)) for text in hints.texts]
    liked = [doc_id for doc_id in hints.liked if doc_id in space.index.rows]
    return [*said, *(np.asarray(vector) for vector in (space.index.vectors(liked) if liked else []))]


def _likes(judgment: Judgment, rules: Rules) -> bool:
    """Whether a judgment says that its candidate answers the query."""
    if judgment.kind == "grade":
        return int(judgment.value) in rules.positive
    return (judgment.kind, judgment.value) in {
        ("choice", selection.BEST),
        ("preference", pairwise.BETTER),
        ("ranking", "1"),
    }
