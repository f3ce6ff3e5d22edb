"""What answers come to: consensus, agreement, evaluation, splits, report and gates."""

from pathlib import Path
from random import Random

import ir_measures
import krippendorff
import numpy as np
import pytest
from ir_measures import Judged, nDCG
from sync_world import RULES, grade, make_workspace, pool

from label_configs.errors import GateFailed, Unreadable
from label_configs.records import Judgment, Qrel, ScoredDoc
from label_configs.rules import CANT_JUDGE, parse, preset
from store import pools
from store.judgments import Table
from store.settings import Gates
from store.workspace import Workspace
from sync import gates
from sync.agreement import alpha
from sync.consensus import consensus, grades
from sync.dataset import load
from sync.evaluation import judged, ndcg
from sync.report import summary

BIASES = {"ada": -0.7, "bob": 0.0, "cleo": 0.0, "dan": 0.2, "eve": 0.5}  # their mean is 0


def votes_of(table: list[list[int | None]]) -> list[Judgment]:
    """Judgments from one row an annotator and one column a pair; None is a vote that was not given."""
    return [
        grade("q", f"d{pair:03}", value, f"a{who}")
        for who, row in enumerate(table)
        for pair, value in enumerate(row)
        if value is not None
    ]


def simulated(seed: int, pairs: int = 400, noise: float = 0.5) -> tuple[dict[str, int], list[Judgment]]:
    """True grades by doc_id, and what biased and noisy annotators say of them."""
    random = np.random.default_rng(seed)
    truth = {f"d{n:03}": int(random.integers(0, 4)) for n in range(pairs)}
    said = [
        grade("q", doc_id, int(np.clip(np.rint(true + bias + random.normal(0, noise)), 0, 3)), annotator)
        for doc_id, true in truth.items()
        for annotator, bias in BIASES.items()
    ]
    return truth, said


# consensus


def test_no_judgments_have_no_consensus() -> None:
    assert consensus([], RULES).relevance == ()
    assert consensus([grade("q", "d", "skipped", kind="flag")], RULES).relevance == ()


def test_the_last_word_of_an_annotator_counts_and_cant_judge_takes_a_grade_back() -> None:
    first = grade("q", "d", 3, annotation_id=1, updated_at="2026-01-01T00:00:00.000000Z")
    later = grade("q", "d", 1, annotation_id=2, updated_at="2026-01-02T00:00:00.000000Z")
    back = grade("q", "d", CANT_JUDGE, kind="flag", annotation_id=3, updated_at="2026-01-03T00:00:00.000000Z")
    assert [r.grade for r in consensus([later, first], RULES).relevance] == [1]
    assert consensus([back, later, first], RULES).relevance == ()


@pytest.mark.parametrize("value", RULES.values)
def test_one_vote_alone_is_believed(value: int) -> None:
    (one,) = consensus([grade("q", "d", value)], RULES).relevance
    assert (one.grade, one.votes) == (value, 1)
    assert one.confidence == max(one.soft) == one.soft[RULES.values.index(value)]


def test_where_all_agree_there_is_no_bias_and_little_doubt() -> None:
    found = consensus(votes_of([[0, 1, 2, 3]] * 3), RULES)
    assert [r.grade for r in found.relevance] == [0, 1, 2, 3]
    assert min(r.confidence for r in found.relevance) > 0.95
    assert set(found.bias.values()) == {0.0}


def test_more_votes_for_a_grade_give_more_confidence() -> None:
    one, three = (consensus(votes_of([[0, 2, 3]] * votes), RULES).relevance[1] for votes in (1, 3))
    assert (one.grade, three.grade) == (2, 2)
    assert three.confidence > one.confidence


@pytest.mark.parametrize("seed", range(3))
def test_the_biases_of_annotators_are_found(seed: int) -> None:
    _, said = simulated(seed)
    assert consensus(said, RULES).bias == pytest.approx(BIASES, abs=0.15)


@pytest.mark.parametrize("seed", range(3))
def test_it_is_nearer_to_the_truth_than_the_median(seed: int) -> None:
    truth, said = simulated(seed)
    found = {r.doc_id: r.grade for r in consensus(said, RULES).relevance}
    median = {d: int(np.median([int(j.value) for j in said if j.doc_id == d])) for d in truth}
    right = [sum(guess[d] == truth[d] for d in truth) for guess in (found, median)]
    assert right[0] >= right[1]


def test_soft_labels_are_chances_of_the_grades() -> None:
    _, said = simulated(0, pairs=50)
    for one in consensus(said, RULES).relevance:
        assert sum(one.soft) == pytest.approx(1, abs=0.002)  # four numbers of three decimals
        assert one.grade == RULES.values[int(np.argmax(one.soft))]


def test_the_order_of_judgments_does_not_matter() -> None:
    _, said = simulated(1, pairs=50)
    shuffled = Random(0).sample(said, len(said))
    assert consensus(shuffled, RULES) == consensus(said, RULES) == consensus(said, RULES)


def test_an_annotators_last_answer_counts_alone() -> None:
    first = grade("q", "d", 0, updated_at="2026-01-01T00:00:00.000000Z", annotation_id=2)
    later = grade("q", "d", 3, updated_at="2026-01-02T00:00:00.000000Z", annotation_id=1)
    for said in ([first, later], [later, first]):
        (one,) = consensus(said, RULES).relevance
        assert (one.grade, one.votes) == (3, 1)


# agreement


def test_agreement_needs_a_pair_with_two_votes() -> None:
    assert alpha(grades([], RULES), 4) is None
    assert alpha(grades(votes_of([[0, 1, None], [None, None, 3]]), RULES), 4) is None


def test_agreement_by_hand() -> None:
    assert alpha(grades(votes_of([[2, 2], [2, 2]]), RULES), 4) == 1
    # two grades, six votes, three of each; the one differing pair counts twice: 1 - (6 - 1) * 1 / (3 * 3)
    assert alpha(grades(votes_of([[0, 1, 0], [0, 1, 1]]), RULES), 4) == pytest.approx(1 - 5 / 9)


@pytest.mark.parametrize("seed", range(20))
def test_agreement_is_krippendorffs(seed: int) -> None:
    random = Random(seed)
    table = [[random.choice([None, *RULES.values]) for _ in range(30)] for _ in range(4)]
    numbers = [[np.nan if value is None else value for value in row] for row in table]
    wanted = krippendorff.alpha(numbers, value_domain=list(RULES.values), level_of_measurement="ordinal")
    assert alpha(grades(votes_of(table), RULES), 4) == pytest.approx(wanted, abs=1e-9)


# evaluation


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


# the data set


def test_controls_random_and_unjudged_items_never_reach_training(tmp_path: Path) -> None:
    trainable = load(make_workspace(tmp_path, settings="[splits]\ndev = 0\ntest = 0\n"), "main").trainable
    assert {q: [r.doc_id for r in rows] for q, rows in trainable.items()} == {
        "q1": ["d1", "d2", "d3", "d4"],  # by falling score; d5 is a control, d6 random
        "q2": ["d2", "d4"],  # d1 was shown and not judged
    }


def test_answers_on_what_left_the_corpus_are_left_out(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    for path, gone in ((workspace.corpus, "d2"), (workspace.queries, "q2")):
        kept = [line for line in path.read_text().splitlines(keepends=True) if f'"{gone}"' not in line]
        path.write_text("".join(kept))
    pairs = [(q.query_id, q.doc_id) for q in load(workspace, "main").qrels]
    assert pairs == [("q1", d) for d in ("d1", "d3", "d4", "d5", "d6")]


CHANGED = preset().replace("negative: [0]", "negative: [0, 1]")


def under_changed_rules(root: Path, mapping: str) -> Workspace:
    """The 16 judgments by ada and bob of earlier rules, one by cleo of the present ones, and what a mapping says."""
    workspace = make_workspace(root, settings=mapping)
    workspace.keep_rules(workspace.rules)
    workspace.rules_path.write_text(CHANGED)
    later = [grade("q2", "d1", 1, "cleo", annotation_id=90, rules_hash=parse(CHANGED).hash)]
    Table(workspace.judgments / "7").append(later, {})
    return workspace


def test_answers_of_other_rules_are_refused_not_reinterpreted(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=parse(CHANGED).hash) as refused:
        load(under_changed_rules(tmp_path, ""), "main")
    assert refused.value.problems == (
        f"project 7: 16 judgments of the rules {RULES.hash}, for which there is no mapping",
    )


def test_a_mapping_brings_answers_of_other_rules_into_the_consensus_and_the_figures_say_so(tmp_path: Path) -> None:
    data = load(under_changed_rules(tmp_path, f"[mappings.{RULES.hash}]\n3 = 2\n2 = 2\n0 = 0\n"), "main")
    assert {j.rules_hash for j in data.judgments} == {parse(CHANGED).hash}
    assert {(q.query_id, q.doc_id): q.relevance for q in data.qrels} == {
        ("q1", "d1"): 2,
        ("q1", "d2"): 2,
        ("q1", "d3"): 0,
        ("q1", "d4"): 2,
        ("q1", "d5"): data.qrels[4].relevance,  # the two disagree
        ("q1", "d6"): 0,
        ("q2", "d1"): 1,
        ("q2", "d4"): 0,  # the two 1 of q2 and d2 are left out
    }
    assert summary(data)["mapped"] == [
        {"rules_hash": RULES.hash, "grades": {"0": 0, "2": 2, "3": 2}, "judgments": 14, "left_out": 2}
    ]


def test_a_mapping_that_cannot_be_is_refused_with_everything_that_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(Unreadable) as refused:
        load(under_changed_rules(tmp_path, f"[mappings.{RULES.hash}]\n5 = 2\n3 = 4\n"), "main")
    assert [problem.partition(" maps ")[2] for problem in refused.value.problems] == [
        "3 to 4, which is no grade of the present rules",
        "5, which is no grade of those rules",
    ]


# report


def test_an_unlabelled_project_has_figures_too(tmp_path: Path) -> None:
    figures = summary(load(make_workspace(tmp_path, labelled=False), "main"))
    counts = {name: figures[name] for name in ("queries", "candidates", "judged", "judgments", "annotators", "mined")}
    assert counts == {"queries": 3, "candidates": 10, "judged": 0, "judgments": 0, "annotators": 0, "mined": 0}
    measured = [figures["alpha"], figures["gold_accuracy"], figures["ndcg10"], figures["judged10"]]
    assert measured == [None, None, None, None]


def test_the_figures_of_a_small_project_by_hand(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    figures = summary(load(workspace, "main"))
    assert (figures["queries"], figures["candidates"], figures["judged"]) == (3, 10, 8)
    assert (figures["judgments"], figures["annotators"], figures["coverage"]) == (16, 2, 0.8)
    assert figures["gold"] == {"ada": {"answers": 1, "right": 1}, "bob": {"answers": 1, "right": 0}}
    assert figures["gold_accuracy"] == 0.5
    assert (figures["mined"], figures["mined_positive"], figures["mined_negative"]) == (3, 1, 2)
    assert figures["sources"]["candidate:dense"] == {"judged": 2, "positive": 1, "negative": 0}
    assert figures["sources"]["candidate:lexical"] == {"judged": 1, "positive": 1, "negative": 0}
    assert figures["judged10"] == round((6 / 6 + 2 / 3) / 2, 4)
    assert figures["untouched"] == 0
    numbers = [[int(values[who]) for values in ("33", "22", "00", "33", "30", "00", "11", "00")] for who in (0, 1)]
    assert figures["alpha"] == round(krippendorff.alpha(numbers, level_of_measurement="ordinal"), 4)


def test_pools_of_another_project_of_the_workspace_do_not_count(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    before = summary(load(workspace, "main"))
    with workspace.corpus.open("a") as file:
        file.write('{"_id": "word", "text": "a text, which another project shows"}\n')
    pools.append(workspace.pools, [pool("q1", [("word", "candidate", "dense", 9.0)])], [ScoredDoc("q1", "word", 9.0)])
    assert summary(load(workspace, "main")) == before


def test_answers_left_as_predicted_show_in_the_figures(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    untouched = [grade("q2", d, 0, "cleo", annotation_id=90, untouched=True) for d in ("d1", "d2", "d3", "d4")]
    Table(workspace.judgments / "7").append(untouched, {})
    assert summary(load(workspace, "main"))["untouched"] == 4 / 20


# gates


def test_without_gates_everything_passes(tmp_path: Path) -> None:
    checked = gates.check(summary(load(make_workspace(tmp_path, labelled=False), "main")), Gates())
    assert checked == []
    gates.enforce(checked)


@pytest.mark.parametrize(
    ("name", "reached"), [("alpha", 0.8), ("gold_accuracy", 0.5), ("judged_at_10", 0.8333), ("coverage", 0.8)]
)
def test_each_gate_lets_its_floor_pass_and_nothing_below(tmp_path: Path, name: str, reached: float) -> None:
    figures = summary(load(make_workspace(tmp_path), "main"))
    figures["alpha"] = 0.8
    (at,) = gates.check(figures, Gates(**{name: reached}))
    (above,) = gates.check(figures, Gates(**{name: reached + 0.0001}))
    assert (at.name, at.value, at.passed) == (name, reached, True)
    assert not above.passed


def test_what_cannot_be_measured_does_not_pass(tmp_path: Path) -> None:
    figures = summary(load(make_workspace(tmp_path, labelled=False), "main"))
    checked = gates.check(figures, Gates(alpha=-1, gold_accuracy=0, judged_at_10=0, coverage=0))
    assert [gate.passed for gate in checked] == [False, False, False, True]
    with pytest.raises(GateFailed, match="alpha is not measurable") as told:
        gates.enforce(checked)
    assert "raise gold_share" in told.value.problems[1]


def test_all_failures_are_named_together(tmp_path: Path) -> None:
    figures = summary(load(make_workspace(tmp_path), "main"))
    with pytest.raises(GateFailed, match="2 of 3 gates") as failed:
        gates.enforce(gates.check(figures, Gates(alpha=-1, gold_accuracy=0.7, coverage=0.95)))
    assert failed.value.exit_code == 3
    assert [problem.split()[0] for problem in failed.value.problems] == ["gold_accuracy", "coverage"]
    assert "0.5, at least 0.7" in failed.value.problems[0]
