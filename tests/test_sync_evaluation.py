"""Evaluation: how good a run is on the collected qrels."""

from random import Random

import ir_measures
import numpy as np
import pytest
from ir_measures import Judged, nDCG
from sync_world import RULES

from label_configs.records import Qrel, ScoredDoc
from sync.evaluation import judged, ndcg


def random_run(seed: int) -> tuple[list[Qrel], list[ScoredDoc]]:
    """Graded qrels and a run with ties and unjudged items; each query has a relevant item and a ranking."""
    random = Random(seed)
    docs = [f"d{n}" for n in range(30)]
    queries = [f"q{n}" for n in range(8)]
    qrels = [Qrel(q, d, random.choice(RULES.values)) for q in queries for d in random.sample(docs, 12)]
    qrels += [Qrel(q, "best", 3) for q in queries]
    run = [ScoredDoc(q, d, random.randint(0, 9) / 4) for q in queries for d in random.sample(docs, 5 + 2 * int(q[1]))]
    return qrels, run


def test_nothing_relevant_cannot_be_evaluated() -> None:
    assert ndcg([], []) is None
    assert ndcg([Qrel("q", "d", 0)], [ScoredDoc("q", "d", 1.0)]) is None
    assert judged([], [ScoredDoc("q", "d", 1.0)]) is None
    assert judged([Qrel("q", "d", 0)], []) is None


def test_ndcg_by_hand() -> None:
    qrels = [Qrel("q", "a", 3), Qrel("q", "b", 1), Qrel("q", "c", 0)]
    run = [ScoredDoc("q", "b", 0.9), ScoredDoc("q", "x", 0.8), ScoredDoc("q", "a", 0.7)]
    # ranks 1 and 3; log2(2) = 1, log2(4) = 2
    assert ndcg(qrels, run) == pytest.approx((1 + 3 / 2) / (3 + 1 / np.log2(3)))
    assert judged(qrels, run) == pytest.approx(2 / 3)


@pytest.mark.parametrize("seed", range(20))
def test_ndcg_is_that_of_trec_eval(seed: int) -> None:
    qrels, run = random_run(seed)
    assert ndcg(qrels, run) == pytest.approx(ir_measures.calc_aggregate([nDCG @ 10], qrels, run)[nDCG @ 10], abs=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_judged_is_that_of_ir_measures_where_no_scores_tie(seed: int) -> None:
    # With ties ir_measures cuts Judged@10 by rising doc_id and nDCG@10 by falling; here both cut like trec_eval.
    qrels, run = random_run(seed)
    untied = [ScoredDoc(q, d, score + int(d[1:]) / 1000) for q, d, score in run]
    wanted = ir_measures.calc_aggregate([Judged @ 10], qrels, untied)[Judged @ 10]
    assert judged(qrels, untied) == pytest.approx(wanted, abs=1e-9)


def test_a_query_without_relevant_items_is_left_out_where_trec_eval_counts_it_as_zero() -> None:
    qrels, run = [Qrel("q1", "a", 2), Qrel("q2", "a", 0)], [ScoredDoc("q1", "a", 1.0), ScoredDoc("q2", "a", 1.0)]
    assert ndcg(qrels, run) == 1
    assert ir_measures.calc_aggregate([nDCG @ 10], qrels, run)[nDCG @ 10] == 0.5


def test_a_relevant_query_without_a_ranking_counts_as_zero() -> None:
    assert ndcg([Qrel("q1", "a", 2), Qrel("q2", "a", 2)], [ScoredDoc("q1", "a", 1.0)]) == 0.5
