"""What answers come to: the data set, the report and the gates."""

from pathlib import Path

import krippendorff
import pytest
from sync_world import RULES, grade, make_workspace, pool

from label_configs.errors import GateFailed, Unreadable
from label_configs.records import ScoredDoc
from label_configs.rules import parse, preset
from store import pools
from store.judgments import Table
from store.settings import Gates
from store.workspace import Workspace
from sync import gates
from sync.dataset import load
from sync.report import summary

# the data set


def test_controls_random_and_unjudged_items_never_reach_training(tmp_path: Path) -> None:
    trainable = load(make_workspace(tmp_path, settings="[splits]\ndev = 0\ntest = 0\n"), "main").trainable
    assert {q: [r.doc_id for r in rows] for q, rows in trainable.items()} == {
        "q1": ["d1", "d2", "d3", "d4"],  # by falling score; d5 is a control, d6 random
        "q2": ["d2", "d4"],  # d1 was shown and not judged
    }


def test_negatives_that_are_less_sure_than_wanted_stay_out_of_training_and_positives_do_not(tmp_path: Path) -> None:
    wanted = "[splits]\ndev = 0\ntest = 0\n[export]\nconfidence = 1.0\n"
    data = load(make_workspace(tmp_path, settings=wanted), "main")
    trainable = {q: [r.doc_id for r in rows] for q, rows in data.trainable.items()}
    assert trainable == {"q1": ["d1", "d2", "d4"], "q2": ["d2"]}
    assert [(r.query_id, r.doc_id) for r in data.unsure] == [("q1", "d3"), ("q2", "d4")]
    assert summary(data)["unsure"] == 2


def test_a_lone_vote_for_the_lowest_grade_is_sure_enough_by_default(tmp_path: Path) -> None:
    """Two pairs of each grade, each with one vote: nothing is known of anybody, and negatives stay."""
    workspace = make_workspace(tmp_path, settings="[splits]\ndev = 0\ntest = 0\n", labelled=False)
    pairs = [("q1", f"d{n}") for n in range(1, 5)] + [("q2", f"d{n}") for n in (1, 2, 4)] + [("q3", "d3")]
    lone = [grade(q, d, n % 4, annotation_id=n) for n, (q, d) in enumerate(pairs)]
    Table(workspace.judgments / "7").append(lone, {})
    assert load(workspace, "main").unsure == []


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


def test_what_a_program_answered_counts_in_no_agreement(tmp_path: Path) -> None:
    without = summary(load(make_workspace(tmp_path / "a"), "main"))["alpha"]
    alone = summary(load(make_workspace(tmp_path / "b", settings='[consensus]\nmodels = ["bob"]\n'), "main"))["alpha"]
    assert without is not None
    assert alone is None  # one person agrees with nobody
