"""How good a run is on the collected qrels. Gains are the grades themselves, as in trec_eval."""

from collections.abc import Mapping, Sequence
from math import log2

from label_configs.records import Qrel, ScoredDoc


def ndcg(qrels: Sequence[Qrel], run: Sequence[ScoredDoc], k: int = 10) -> float | None:
    """Mean nDCG@k over the queries that have a relevant item; unjudged items gain nothing.

    DCG = sum of grade / log2(rank + 1), rank from 1; nDCG divides by that of the best order of all judged items.
    None where no query has a relevant item.
    """
    grades, ranked = _grades(qrels), _ranked(run)
    values = []
    for query_id, of in grades.items():
        ideal = _dcg(sorted(of.values(), reverse=True)[:k])
        if ideal > 0:
            values.append(_dcg([of.get(d, 0) for d in ranked.get(query_id, [])[:k]]) / ideal)
    return sum(values) / len(values) if values else None


def judged(qrels: Sequence[Qrel], run: Sequence[ScoredDoc], k: int = 10) -> float | None:
    """Mean share of the first k items that were judged, over the queries with judgments."""
    grades, ranked = _grades(qrels), _ranked(run)
    tops = [(of, ranked.get(query_id, [])[:k]) for query_id, of in grades.items()]
    shares = [sum(d in of for d in top) / len(top) for of, top in tops if top]
    return sum(shares) / len(shares) if shares else None


def _dcg(grades: Sequence[int]) -> float:
    return sum(max(0, grade) / log2(rank + 1) for rank, grade in enumerate(grades, 1))


def _grades(qrels: Sequence[Qrel]) -> Mapping[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for qrel in qrels:
        found.setdefault(qrel.query_id, {})[qrel.doc_id] = qrel.relevance
    return found


def _ranked(run: Sequence[ScoredDoc]) -> Mapping[str, list[str]]:
    """Documents by falling score; ties by falling doc_id, as trec_eval breaks them."""
    found: dict[str, list[str]] = {}
    for hit in sorted(run, key=lambda hit: (hit.score, hit.doc_id), reverse=True):
        found.setdefault(hit.query_id, []).append(hit.doc_id)
    return found
