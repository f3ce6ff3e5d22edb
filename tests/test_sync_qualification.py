"""Qualification: what is asked, how much of it, and who passes."""

from collections import Counter
from pathlib import Path

import pytest
from sync_world import RULES, grade, make_workspace

from label_configs.errors import Mendable, Unreadable
from label_configs.records import Candidate, Pool
from label_configs.rules import CANT_JUDGE
from ls_retrieval import quality as commands
from store import pools as kept
from store import settings
from store.gold import Gold
from store.judgments import Table
from store.pools import Fitting
from store.settings import Project, Quality
from store.workspace import Workspace
from sync import projects, qualification
from sync.dataset import Dataset, load

KNOWN = {
    ("q", f"d{n}"): Candidate(doc_id=f"d{n}", source="gold:hand", role="control", reason=f"grade {n % 4}")
    for n in range(40)
}
GOLD = {("q1", "d1"): 3, ("q1", "d3"): 0, ("q2", "d2"): 1}


# what is asked


def test_pools_are_balanced_over_the_grades_and_as_many_as_are_wanted() -> None:
    (pool,) = qualification.pools(KNOWN, [], Quality(tasks=8))
    assert Counter(c.reason for c in pool.candidates) == {f"grade {n}": 2 for n in range(4)}
    assert qualification.pools({}, [], Quality()) == []


def test_what_is_missing_is_added_in_a_later_round_and_nothing_is_asked_twice() -> None:
    first = qualification.pools(KNOWN, [], Quality(tasks=8))
    assert qualification.pools(KNOWN, first, Quality(tasks=8)) == []
    (more,) = qualification.pools(KNOWN, first, Quality(tasks=12))
    assert (more.round, len(more.candidates)) == (2, 4)
    assert not {c.doc_id for c in more.candidates} & {c.doc_id for c in first[0].candidates}


def everything(data: Dataset) -> Fitting:
    return kept.fitting(Project(id=1), data.queries.values(), data.items.values())


def test_gold_planted_items_and_known_positives_can_be_asked_and_the_file_counts_first(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, labelled=False)
    rows = workspace.queries.read_text().replace('"something red"', '"something red", "positives": ["d1", "d2"]')
    workspace.queries.write_text(rows)
    planted = Pool(
        query_id="q3",
        candidates=(Candidate(doc_id="d6", source="planted", role="control"),),
        encoder="toy",
        index="i1",
        seed=0,
        round=2,
    )
    kept.append(workspace.pools, [planted])
    write_gold(workspace, {("q1", "d1"): 3})
    data = load(workspace, "main")
    found = qualification.known(data, everything(data))
    assert {pair: (c.source, c.reason) for pair, c in found.items()} == {
        ("q1", "d1"): ("gold:hand", "grade 3"),
        ("q1", "d2"): ("known-positive", "positive"),
        ("q3", "d6"): ("planted", "planted"),
    }
    assert {c.role for c in found.values()} == {"control"}


def test_without_gold_there_is_no_qualification(tmp_path: Path) -> None:
    with pytest.raises(Mendable, match="no gold") as refused:
        commands.qualify(make_workspace(tmp_path), "main", "entry", dry_run=True)
    assert "gold --promote" in refused.value.mend


def test_a_project_of_another_purpose_is_not_taken(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    with pytest.raises(Mendable, match="something else") as refused:
        commands.adjudicate(workspace, "main", "main", "", {}, dry_run=True)
    assert refused.value.problems == (
        "purpose is 'main', wanted is 'adjudication'",
        "adjudicates is '', wanted is 'main'",
    )


def test_gold_that_is_not_the_corpuss_own_is_not_asked(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, labelled=False)
    write_gold(workspace, {("q1", "d1"): 3, ("q1", "gone"): 3, ("gone", "d1"): 0})
    assert commands.qualify(workspace, "main", "entry", dry_run=True)["tasks"] == 1


def test_a_purpose_without_what_it_needs_is_refused(tmp_path: Path) -> None:
    text = '[projects.a]\nid = 1\npurpose = "adjudication"\n[projects.b]\nid = 2\npurpose = "qualification"\n'
    (tmp_path / "settings.toml").write_text(text + '[projects.c]\nid = 3\nadjudicates = "a"\n')
    with pytest.raises(Unreadable) as refused:
        settings.load(tmp_path / "settings.toml")
    assert [problem.split(":")[0] for problem in refused.value.problems] == ["projects.a", "projects.b", "projects.c"]


def test_annotators_are_told_what_a_project_is_for_before_the_guideline() -> None:
    entry = Project(id=1, purpose="qualification", pass_mark=0.85)
    assert "85% of your answers" in projects.instruction(entry, RULES)
    assert projects.instruction(entry, RULES).endswith(RULES.guideline())
    assert projects.instruction(Project(id=1), RULES) == RULES.guideline()


# who passes


def write_gold(workspace: Workspace, grades: dict[tuple[str, str], int], origin: str = "hand") -> None:
    rows = [f"{q}\t{d}\t{value}\t{origin}\n" for (q, d), value in grades.items()]
    workspace.gold.write_text("query_id\tdoc_id\tgrade\torigin\n" + "".join(rows))


def asked(root: Path, origin: str = "hand") -> Workspace:
    """A workspace with a qualification of three tasks, which nobody has answered."""
    workspace = make_workspace(root, settings='[projects.entry]\nid = 9\npurpose = "qualification"\npass_mark = 0.6\n')
    write_gold(workspace, GOLD, origin)
    data = load(workspace, "main")
    made = qualification.pools(qualification.known(data, everything(data)), [], Quality())
    kept.append(workspace.pools_of(workspace.project("entry")), made)
    return workspace


def answer(workspace: Workspace, annotator: str, **values: int) -> None:
    table = Table(workspace.judgments / "9")
    pairs = {"d1": ("q1", "d1"), "d3": ("q1", "d3"), "d2": ("q2", "d2")}
    known = table.known()
    for name, value in values.items():
        one = grade(*pairs[name], value, annotator, annotation_id=len(known) + 1, project=9, form="review")
        table.append([one], known)


def results(workspace: Workspace) -> dict[str, tuple[int, int, int, str]]:
    found = qualification.results(load(workspace, "entry"), [load(workspace, "main")], 0.6)
    return {who: (one["right"], one["answers"], one["of"], one["state"]) for who, one in found.items()}


def test_who_passed_failed_or_is_not_done(tmp_path: Path) -> None:
    workspace = asked(tmp_path)
    assert results(workspace) == {}
    answer(workspace, "good", d1=3, d3=0, d2=1)
    answer(workspace, "just", d1=3, d3=1, d2=3)
    answer(workspace, "bad", d1=0, d3=3, d2=1)
    answer(workspace, "begun", d1=3, d3=0)
    assert results(workspace) == {
        "good": (3, 3, 3, "passed"),
        "just": (2, 3, 3, "passed"),
        "bad": (1, 3, 3, "failed"),
        "begun": (2, 2, 3, "not done"),
    }


def test_who_cannot_judge_what_can_be_told_is_through_and_not_right(tmp_path: Path) -> None:
    workspace = asked(tmp_path)
    answer(workspace, "unsure", d1=3, d3=0)
    doubt = grade("q2", "d2", CANT_JUDGE, "unsure", kind="flag", project=9, form="review", annotation_id=99)
    Table(workspace.judgments / "9").append([doubt], {})
    assert results(workspace) == {"unsure": (2, 3, 3, "passed")}
    (one,) = qualification.results(load(workspace, "entry"), [], 0.8).values()
    assert (one["state"], one["missed"][0]["grade"]) == ("failed", None)


def test_what_is_gold_no_more_or_has_left_the_corpus_is_not_waited_for(tmp_path: Path) -> None:
    workspace = asked(tmp_path)
    answer(workspace, "good", d1=3)
    write_gold(workspace, {("q1", "d1"): 3, ("q1", "d3"): 0})
    kept_rows = [row for row in workspace.corpus.read_text().splitlines() if '"d3"' not in row]
    workspace.corpus.write_text("\n".join(kept_rows) + "\n")
    assert results(workspace) == {"good": (1, 1, 1, "passed")}


def test_what_was_missed_can_be_told_afterwards(tmp_path: Path) -> None:
    workspace = asked(tmp_path)
    answer(workspace, "bad", d1=0, d3=0, d2=1)
    (one,) = qualification.results(load(workspace, "entry"), [], 0.6).values()
    assert one["missed"] == [{"query_id": "q1", "doc_id": "d1", "grade": 0, "expected": [3]}]


def test_who_made_the_gold_elsewhere_is_not_measured_by_it(tmp_path: Path) -> None:
    """ada graded all three pairs in the main project; of hand-made gold she made none."""
    agreed, by_hand = asked(tmp_path / "a", "consensus"), asked(tmp_path / "b")
    for workspace in (agreed, by_hand):
        answer(workspace, "ada", d1=3, d3=0, d2=1)
        answer(workspace, "new", d1=3, d3=0, d2=1)
    assert results(agreed) == {"ada": (0, 0, 0, "not done"), "new": (3, 3, 3, "passed")}
    assert results(by_hand)["ada"] == (3, 3, 3, "passed")


def test_models_neither_pass_nor_excuse_anybody(tmp_path: Path) -> None:
    workspace = asked(tmp_path, "consensus")
    with workspace.settings_path.open("a") as settings:
        settings.write('[consensus]\nmodels = ["ada", "model"]\n')
    for who in ("model", "new"):
        answer(Workspace(workspace.root), who, d1=3, d3=0, d2=1)
    assert results(Workspace(workspace.root)) == {"new": (3, 3, 3, "passed")}


def test_the_tasks_of_a_qualification_are_no_part_of_the_main_project(tmp_path: Path) -> None:
    workspace = asked(tmp_path)
    answer(workspace, "good", d1=0, d3=3, d2=3)
    data = load(workspace, "main")
    assert {pool.round for pool in data.pools} == {1}
    assert {j.annotator for j in data.judgments} == {"ada", "bob"}
    assert {c.role for pool in load(workspace, "entry").pools for c in pool.candidates} == {"control"}


def test_gold_never_reaches_training_whatever_it_was_shown_as(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, settings="[splits]\ndev = 0\ntest = 0\n")
    assert "d1" in {r.doc_id for r in load(workspace, "main").trainable["q1"]}
    write_gold(workspace, {("q1", "d1"): 3, ("q1", "d2"): 2})
    trainable = load(workspace, "main").trainable
    assert [r.doc_id for r in trainable["q1"]] == ["d3", "d4"]
    assert [r.doc_id for r in trainable["q2"]] == ["d2", "d4"]


def test_gold_is_promoted_into_the_file_and_shown_by_annotator(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, settings="[quality]\nvotes = 2\nconfidence = 0.5\nper_grade = 1\n")
    before = commands.measure(workspace, "main")
    assert (before.gold, before.promoted) == ([], [])
    assert before.annotators["bob"]["right"] == 0
    commands.measure(workspace, "main", promote=True, dry_run=True)
    assert not workspace.gold.exists()
    found = commands.measure(workspace, "main", promote=True)
    assert Counter(gold.grade for gold in found.promoted) == {3: 1, 2: 1, 1: 1, 0: 1}
    assert set(load(workspace, "main").gold.values()) == set(found.promoted)
    assert all(isinstance(gold, Gold) and gold.origin == "consensus" for gold in found.promoted)
    assert commands.measure(workspace, "main", promote=True).promoted == []
