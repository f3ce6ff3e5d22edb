"""A model that does not see one attribute, and people who say why its near misses miss."""

from collections import Counter

import numpy as np

from label_configs.records import Candidate
from sync.completeness import why
from sync.said import Said

CODES = ("object", "attribute", "action", "count", "relation", "scene", "text in image", "tone", "temporal", "style")
_QUERIES = 30
_ITEMS = 40
_DEPTH = 24
_REASONED = 10
"""Pairs of each query with a reason: 300 in all."""
_SLIPS = 0.2
_SEES = 0.2
"""How much of the weak attribute the model sees."""


def found_first(random: np.random.Generator) -> bool:
    """Whether the attribute that was planted is the first that `why` names."""
    weak = int(random.integers(len(CODES)))
    usual = random.dirichlet(np.full(len(CODES), 5.0))
    sight = np.where(np.arange(len(CODES)) == weak, _SEES, 1.0)
    said, graded, candidates = {}, {}, {}
    for q in range(_QUERIES):
        differs = random.random((_ITEMS, len(CODES))) < 2.2 * usual
        scores = -(differs * sight).sum(axis=1) + random.normal(0, 0.4, _ITEMS)
        ranks, wrong = np.argsort(np.argsort(-scores)) + 1, differs.sum(axis=1)
        asked = np.flatnonzero((ranks <= _DEPTH) & (wrong > 0) & (wrong < 4))
        for n in random.permutation(asked)[:_REASONED]:
            slips = random.random() < _SLIPS
            code = random.choice(len(CODES), p=usual) if slips else random.choice(np.flatnonzero(differs[n]))
            pair = f"q{q}", f"d{n}"
            said[pair] = Said(voters=1, reasons=Counter([CODES[int(code)]]))
            graded[pair] = 2 if wrong[n] == 1 and random.random() < 0.5 else 1
            candidates[pair] = Candidate(doc_id=f"d{n}", source="dense", score=float(scores[n]), rank=int(ranks[n]))
    found = why(said, graded, candidates, frozenset({2, 3}))
    return found[0]["code"] == CODES[weak]
