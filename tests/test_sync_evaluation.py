"""Evaluation: how good a run is on the collected qrels."""

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import ir_measures
import numpy as np
import pyarrow as pa
import pytest
from ir_measures import AP, RR, Bpref, Judged, R, Rprec, nDCG
from scipy import stats
from sync_world import RULES, make_workspace
from typer.testing import CliRunner

from label_configs.errors import Mendable, Unreadable
from label_configs.records import Qrel, ScoredDoc
from ls_retrieval.cli import app
from sync import evaluation
from sync.evaluation import Columns, Difference, Holed, compare, evaluate, judged, ndcg
from sync.evaluation.measures import USUAL, measure
from sync.evaluation.ranked import rank
from sync.evaluation.runs import read
from sync.evaluation.statistics import difference, interval

POSITIVE = RULES.positive


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


# measures


def by_query(name: str, qrels: Sequence[Qrel], run: Sequence[ScoredDoc]) -> dict[str, float]:
    ranked = rank(qrels, run, POSITIVE)
    return dict(zip(ranked.queries, measure(name)(ranked).tolist(), strict=True))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("name", "oracle"),
    [
        ("nDCG@10", nDCG @ 10),
        ("nDCG@3", nDCG @ 3),
        ("MRR@100", RR(rel=2)),
        ("recall@10", R(rel=2) @ 10),
        ("R-precision", Rprec(rel=2)),
        ("bpref", Bpref(rel=2)),
    ],
)
def test_every_value_is_that_of_ir_measures_with_ties_and_unjudged_items(name: str, oracle: Any, seed: int) -> None:
    qrels, run = random_run(seed)
    wanted = {one.query_id: one.value for one in ir_measures.iter_calc([oracle], qrels, run)}
    assert by_query(name, qrels, run) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_a_cut_reciprocal_rank_is_that_of_ir_measures_where_no_scores_tie(seed: int) -> None:
    qrels, run = random_run(seed)
    untied = [ScoredDoc(q, d, score + int(d[1:] if d[1:].isdigit() else 99) / 1000) for q, d, score in run]
    wanted = {one.query_id: one.value for one in ir_measures.iter_calc([RR(rel=2) @ 3], qrels, untied)}
    assert by_query("MRR@3", qrels, untied) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_map_at_r_is_average_precision_cut_at_each_querys_own_r(seed: int) -> None:
    qrels, run = random_run(seed)
    found = by_query("mAP@R", qrels, run)
    for query_id, value in found.items():
        r = sum(q.query_id == query_id and q.relevance >= 2 for q in qrels)
        wanted = {one.query_id: one.value for one in ir_measures.iter_calc([AP(rel=2) @ r], qrels, run)}
        assert value == pytest.approx(wanted[query_id], abs=1e-12)


def test_measures_by_hand() -> None:
    qrels = [Qrel("q", d, g) for d, g in (("a", 3), ("b", 2), ("c", 0), ("e", 1), ("unfound", 2))]
    run = [ScoredDoc("q", d, 9.0 - n) for n, d in enumerate(("c", "a", "x", "b", "e"))]
    ranked = {name: by_query(name, qrels, run)["q"] for name in (*USUAL, "recall@2", "judged@3", "MRR@1")}
    assert ranked["MRR@10"] == 1 / 2
    assert ranked["MRR@1"] == 0
    assert (ranked["recall@2"], ranked["recall@10"]) == (1 / 3, 2 / 3)
    assert ranked["mAP@R"] == pytest.approx((1 / 2) / 3)  # R = 3; a at rank 2, b at 4 is too late
    assert ranked["R-precision"] == 1 / 3
    assert ranked["bpref"] == pytest.approx((1 / 2 + 1 / 2) / 3)  # c of the two irrelevant ones is above both
    assert (ranked["judged@3"], ranked["judged@10"]) == (2 / 3, 4 / 5)


def test_a_query_says_nothing_where_it_has_no_relevant_item_and_counts_as_zero_where_it_has_no_ranking() -> None:
    qrels, run = (
        [Qrel("q1", "a", 0), Qrel("q2", "a", 3), Qrel("q3", "a", 3)],
        [
            ScoredDoc("q1", "a", 1.0),
            ScoredDoc("q2", "a", 1.0),
            ScoredDoc("elsewhere", "a", 1.0),
        ],
    )
    for name in ("MRR@10", "recall@10", "mAP@R", "R-precision", "bpref"):
        assert by_query(name, qrels, run) == pytest.approx({"q1": np.nan, "q2": 1, "q3": 0}, nan_ok=True)
    assert by_query("judged@10", qrels, run) == pytest.approx({"q1": 1, "q2": 1, "q3": np.nan}, nan_ok=True)


@pytest.mark.parametrize("name", ["nDCG", "nDCG@", "nDCG@0", "nDCG@ten", "F1", "mAP@10"])
def test_a_measure_that_is_none_is_answered_with_those_that_are(name: str) -> None:
    with pytest.raises(Mendable, match="no measure") as refused:
        measure(name)
    assert "nDCG@k" in refused.value.mend


@pytest.mark.parametrize("seed", range(3))
def test_columns_and_records_give_the_same(seed: int) -> None:
    qrels, run = random_run(seed)
    as_qrels, as_run = (
        Columns(
            pa.chunked_array([[r[0] for r in rows]]), pa.array([r[1] for r in rows]), np.array([r[2] for r in rows])
        )
        for rows in (qrels, run)
    )
    one, other = evaluate(qrels, run, POSITIVE), evaluate(as_qrels, as_run, POSITIVE)
    assert one.means == other.means
    assert one.queries == other.queries


def test_the_order_of_rows_does_not_matter() -> None:
    qrels, run = random_run(0)
    mixed = Random(1).sample(run, len(run))
    assert evaluate(Random(2).sample(qrels, len(qrels)), mixed, POSITIVE).means == evaluate(qrels, run, POSITIVE).means


# holes


def test_an_ndcg_with_few_holes_stands_alone() -> None:
    qrels, run = [Qrel("q", "a", 3)], [ScoredDoc("q", "a", 1.0)]
    assert evaluation.shown(evaluate(qrels, run, POSITIVE).means["nDCG@10"]) == "1.000 (1.000 to 1.000)"


def test_an_ndcg_with_holes_is_never_shown_alone() -> None:
    qrels, run = [Qrel("q", "a", 3)], [ScoredDoc("q", "x", 2.0), ScoredDoc("q", "a", 1.0)]
    found = evaluate(qrels, run, POSITIVE, ["nDCG@10", "MRR@10"])
    assert isinstance(found.means["nDCG@10"], Holed)
    assert evaluation.shown(found.means["nDCG@10"]) == "0.631 with holes (judged@10 50%, bpref 1.000)"
    assert evaluation.shown(found.means["MRR@10"]) == "0.500 (0.500 to 0.500)"


# intervals and comparison


def test_without_values_there_is_no_interval() -> None:
    assert interval(np.array([np.nan])) is None
    assert difference(np.array([1.0, np.nan]), np.array([np.nan, 1.0])) is None


def test_an_interval_is_that_of_scipys_bootstrap() -> None:
    values = np.random.default_rng(0).random(60)
    found = interval(np.append(values, np.nan))
    wanted = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=1).confidence_interval
    assert found is not None
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx(tuple(wanted), abs=0.006)
    assert found == interval(values)  # seeded


@pytest.mark.parametrize("n", [8, 40])
def test_the_significance_of_a_difference_is_that_of_scipys_permutation_test(n: int) -> None:
    random = np.random.default_rng(n)
    one, other = random.random(n) + 0.15, random.random(n)
    found = difference(one, other)
    wanted = stats.permutation_test(
        (one, other), lambda a, b: (a - b).mean(), permutation_type="samples", n_resamples=20_000, rng=2
    )
    assert found is not None
    assert found.value == pytest.approx((one - other).mean())
    assert found.p == pytest.approx(wanted.pvalue, abs=0.02 if n > 11 else 1e-12)


def test_equal_runs_do_not_differ() -> None:
    qrels, run = random_run(0)
    one = evaluate(qrels, run, POSITIVE, ["MRR@10", "recall@5", "mAP@R", "bpref"])
    for found in compare(one, one).values():
        assert isinstance(found, Difference)
        assert (found.value, found.low, found.high, found.p) == (0, 0, 0, 1)


# run files and the command


def test_a_run_file_is_read_as_trec_writes_it(tmp_path: Path) -> None:
    (tmp_path / "run.txt").write_text("q1 Q0 d1 1 2.5 mine\n\nq%201\tQ0\td2\t2\t-1e-3\tmine\n")
    assert read(tmp_path / "run.txt", {"q 1"}) == [ScoredDoc("q1", "d1", 2.5), ScoredDoc("q 1", "d2", -0.001)]


def test_everything_that_is_wrong_with_a_run_file_is_said_together(tmp_path: Path) -> None:
    lines = ["q1 Q0 d1 1 2.5 mine", "q1 d2 2.5", "q1 Q0 d3 1 nan mine", "q1 Q0 d4 1 much mine", "q1 Q0 d1 2 1 mine"]
    (tmp_path / "run.txt").write_text("\n".join(lines))
    with pytest.raises(Unreadable, match="not a run file") as refused:
        read(tmp_path / "run.txt", ())
    assert refused.value.problems == (
        "line 2: expected query_id Q0 doc_id rank score name, found 3 fields",
        "line 3: 'nan' is no score",
        "line 4: 'much' is no score",
        "line 5: d1 stands twice for q1",
    )
    with pytest.raises(Unreadable, match="cannot be read"):
        read(tmp_path / "missing.txt", ())


def test_evaluate_shows_the_pre_ranking_and_runs_beside_it(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    better = tmp_path / "better.trec"
    better.write_text("".join(f"q1 Q0 {d} 1 {9 - n} x\n" for n, d in enumerate(("d1", "d4", "d2", "d3"))))
    command = ["evaluate", "-w", str(workspace.root)]
    said = CliRunner().invoke(app, command)
    assert said.exit_code == 0, said.output
    assert "with holes (judged@10 83%" in said.output

    said = CliRunner().invoke(app, [*command, "--run", str(better), "--against", "pre-ranking", "--json"])
    assert said.exit_code == 0, said.output
    found = json.loads(said.output)
    assert list(found["runs"]) == ["better.trec"]
    assert found["runs"]["better.trec"]["judged@10"]["value"] == 1
    assert found["ranked"] == {"better.trec": 1}
    assert found["against"]["name"] == "pre-ranking"
    difference = found["against"]["differences"]["better.trec"]
    assert difference["MRR@10"]["queries"] == 1  # the other query has no positive
    assert difference["nDCG@10"]["ndcg"]["queries"] == 2
    assert difference["nDCG@10"]["judged"] == pytest.approx(5 / 6)

    said = CliRunner().invoke(app, [*command, "--run", str(better), "--against", "pre-ranking"])
    assert "1 of 2" in said.output
    assert "with holes (judged@10 83%)" in said.output


def test_nothing_is_evaluated_where_nothing_is_judged(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, labelled=False)
    for option in ([], ["--split", "test"]):
        said = CliRunner().invoke(app, ["evaluate", "-w", str(workspace.root), *option])
        assert isinstance(said.exception, Mendable)
        assert "is judged yet" in said.exception.what


def test_a_run_of_other_queries_is_refused(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    (tmp_path / "other.trec").write_text("x Q0 d1 1 1 x\n")
    said = CliRunner().invoke(app, ["evaluate", "-w", str(workspace.root), "--run", str(tmp_path / "other.trec")])
    assert isinstance(said.exception, Mendable)
    assert "ranks nothing for any of the judged queries" in said.exception.what
