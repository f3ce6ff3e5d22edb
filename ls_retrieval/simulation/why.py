"""A model that does not see one attribute, and people who say why its near misses miss."""

from collections import Counter

import numpy as np

from label_configs.records import Candidate
from sync.completeness import why
from sync.said import Said

CODES = ("object", "attribute", "action", "count", "relation", "scene", "text in image", "tone", "temporal", "style")
_QUERIES = 30
_ITEMS = 40
_RATIONALES = 300
_SLIPS = 0.2
_SEES = 0.35
"""How much of the weak attribute the model sees."""


def found_first(random: np.random.Generator) -> bool:
    """Whether the attribute that was planted is the first that `why` names."""
    weak = int(random.integers(len(CODES)))
    usual = random.dirichlet(np.full(len(CODES), 3.0))
    said, graded, candidates = {}, {}, {}
    for q in range(_QUERIES):
        differs = random.random((_ITEMS, len(CODES))) < 2.2 * usual  # items differ from the query in these
        sight = np.where(np.arange(len(CODES)) == weak, _SEES, 1.0)
        ranks = np.argsort(np.argsort((differs * sight).sum(axis=1) + random.normal(0, 0.4, _ITEMS))) + 1
        for n in np.argsort(ranks)[:20]:
            wrong = np.flatnonzero(differs[n])
            if not len(wrong) or len(wrong) > 3 or len(said) >= _RATIONALES:
                continue
            code = random.choice(len(CODES), p=usual) if random.random() < _SLIPS else random.choice(wrong)
            pair = f"q{q}", f"d{n}"
            said[pair] = Said(voters=1, reasons=Counter([CODES[int(code)]]))
            graded[pair] = 2 if len(wrong) == 1 and random.random() < 0.5 else 1
            candidates[pair] = Candidate(doc_id=f"d{n}", source="dense", rank=int(ranks[n]))
    found = why(said, graded, candidates, frozenset({2, 3}))
    return bool(found) and found[0]["code"] == CODES[weak]
