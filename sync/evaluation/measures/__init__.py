"""Measures by name. Each gives one value a query, NaN where the query says nothing; `MEASURES` is the list."""

from collections.abc import Callable, Mapping

from label_configs.errors import Mendable
from sync.evaluation.measures.average_precision import average_precision
from sync.evaluation.measures.bpref import bpref
from sync.evaluation.measures.judged import judged
from sync.evaluation.measures.ndcg import ndcg
from sync.evaluation.measures.r_precision import r_precision
from sync.evaluation.measures.recall import recall
from sync.evaluation.measures.reciprocal_rank import reciprocal_rank
from sync.evaluation.ranked import Ranked
from sync.votes import Floats

Measure = Callable[[Ranked], Floats]
CUT: Mapping[str, Callable[[Ranked, int], Floats]] = {
    "nDCG": ndcg,
    "MRR": reciprocal_rank,
    "recall": recall,
    "judged": judged,
}
"""Measures of the first k: `nDCG@10`."""
WHOLE: Mapping[str, Measure] = {"mAP@R": average_precision, "R-precision": r_precision, "bpref": bpref}
"""Measures that set their own depth."""
USUAL = ("nDCG@10", "MRR@10", "recall@10", "recall@100", "mAP@R", "R-precision", "bpref", "judged@10")


def measure(name: str) -> Measure:
    """The measure of that name. Mendable lists those there are."""
    if name in WHOLE:
        return WHOLE[name]
    kind, _, depth = name.partition("@")
    if kind not in CUT or not depth.isascii() or not depth.isdecimal() or int(depth) < 1:
        known = ", ".join([f"{kind}@k" for kind in CUT] + list(WHOLE))
        raise Mendable(f"There is no measure {name!r}.", mend=f"Take one of: {known}; as in nDCG@10.")
    cut, k = CUT[kind], int(depth)
    return lambda ranked: cut(ranked, k)
