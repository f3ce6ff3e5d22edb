"""Adjudication: what is in dispute, that it goes before a judge once, and that the judge's word is final."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from label_studio_sdk import LabelStudio
from sync_world import RULES, grade, make_workspace

from label_configs.forms import answers
from label_configs.records import Candidate, Judgment, Pool
from label_configs.rules import CANT_JUDGE
from ls_retrieval import flow, quality
from ls_retrieval.admin import Wanted, init
from ls_retrieval.studio import Account, Studio
from store.judgments import Table
from store.settings import Quality
from store.workspace import Workspace
from sync import adjudication
from sync.adjudication import Dispute, decided, disputes
from sync.consensus import consensus, grades
from sync.dataset import load
from sync.report import summary

Sdk = Callable[[Account], LabelStudio]


def said(doc_id: str, *values: int) -> list[Judgment]:
    return [grade("q", doc_id, value, f"a{n}") for n, value in enumerate(values)]


def found(judgments: list[Judgment], **chosen: float) -> list[tuple[str, int]]:
    quality = Quality.model_validate({"apart": 2, "below": 0, **chosen})
    relevance = consensus(judgments, RULES).relevance
    return [(d.doc_id, d.apart) for d in disputes(grades(judgments, RULES), relevance, quality)]


# disputes


def test_without_votes_there_is_no_dispute() -> None:
    assert found([]) == []


def test_votes_two_grades_apart_are_a_dispute_the_widest_first() -> None:
    assert found([*said("a", 3, 3), *said("b", 2, 1), *said("c", 3, 1), *said("d", 0, 3)]) == [("d", 3), ("c", 2)]


def test_an_unsure_consensus_of_several_votes_is_a_dispute_and_of_one_vote_is_none() -> None:
    both = [*said("a", 2, 1), *said("b", 2)]
    assert found(both, below=1) == [("a", 1)]
    assert found(both, below=0) == []


def test_an_annotator_who_corrects_an_answer_disputes_nothing() -> None:
    first, later = grade("q", "a", 0, annotation_id=1), grade("q", "a", 3, annotation_id=2)
    assert found([first, later, grade("q", "a", 3, "bob", annotation_id=3)]) == []


# pools

DISPUTES = [Dispute("q", "a", 3, 0.4), Dispute("q", "b", 2, 0.5), Dispute("p", "a", 2, 0.6)]


def test_each_pair_goes_before_a_judge_once_and_new_ones_in_a_later_round() -> None:
    shown = {("q", "a"): Candidate(doc_id="a", source="near-miss:e", role="hard_negative", score=1.5)}
    first = adjudication.pools(DISPUTES[:1], [], shown)
    assert [(pool.query_id, pool.round, pool.candidates[0].source) for pool in first] == [("q", 1, "near-miss:e")]
    second = adjudication.pools(DISPUTES, first, shown)
    assert [(pool.query_id, pool.round, [c.doc_id for c in pool.candidates]) for pool in second] == [
        ("p", 1, ["a"]),
        ("q", 2, ["b"]),
    ]
    assert adjudication.pools(DISPUTES, [*first, *second], shown) == []


def test_the_order_before_the_judge_says_nothing_of_how_wide_a_dispute_is() -> None:
    many = [Dispute("q", f"d{n}", 3, n / 40) for n in range(40)]
    (pool,) = adjudication.pools(many, [], {})
    order = [int(c.doc_id[1:]) for c in pool.candidates]
    assert abs(np.corrcoef(order, range(40))[0, 1]) < 0.4


# verdicts


def verdict(doc_id: str, value: object, **more: object) -> Judgment:
    return grade("q", doc_id, value, "judge", form="review", **more)


def test_without_a_verdict_the_consensus_stays_as_it_is() -> None:
    before = consensus(said("a", 0, 3), RULES)
    assert decided(before, [], RULES) is before
    assert decided(before, [verdict("a", CANT_JUDGE, kind="flag")], RULES) is before


def test_a_verdict_is_final_certain_and_one_vote_more() -> None:
    after = decided(consensus([*said("a", 0, 3, 3), *said("b", 2, 2)], RULES), [verdict("a", 1)], RULES)
    a, b = after.relevance
    assert (a.grade, a.soft, a.confidence, a.votes) == (1, (0, 1, 0, 0), 1, 4)
    assert (b.doc_id, b.grade, b.votes) == ("b", 2, 2)


def test_of_two_verdicts_the_later_counts_and_cant_judge_takes_one_back() -> None:
    first = verdict("a", 1, updated_at="2026-01-01T00:00:00.000000Z", annotation_id=1)
    later = verdict("a", 2, updated_at="2026-01-02T00:00:00.000000Z", annotation_id=2)
    back = verdict("a", CANT_JUDGE, kind="flag", updated_at="2026-01-03T00:00:00.000000Z", annotation_id=3)
    before = consensus(said("a", 0, 3), RULES)
    assert decided(before, [later, first], RULES).relevance[0].grade == 2
    assert decided(before, [back, later, first], RULES) is before


JUDGED = '[projects.judge]\nid = 8\npurpose = "adjudication"\nadjudicates = "main"\n'


def test_a_verdict_wins_in_the_data_set_and_its_reasons_are_kept(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, settings=JUDGED)
    before = load(workspace, "main")
    ruling = grade("q1", "d5", 0, "judge", project=8, reasons=("object",), note="not red", form="review")
    Table(workspace.judgments / "8").append([ruling], {})
    data = load(workspace, "main")
    now = {(r.query_id, r.doc_id): r for r in data.consensus.relevance}
    assert (now["q1", "d5"].grade, now["q1", "d5"].confidence, now["q1", "d5"].votes) == (0, 1, 3)
    assert data.said["q1", "d5"].notes == ["not red"]
    others = [r for r in before.consensus.relevance if r.doc_id != "d5"]
    assert [r for pair, r in now.items() if pair[1] != "d5"] == others
    assert summary(data)["judgments"] == summary(before)["judgments"] == 16
    assert summary(data)["annotators"] == 2


def test_a_state_before_the_verdict_is_had_without_it(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, settings=JUDGED)
    before = load(workspace, "main")
    ruling = grade("q1", "d5", 0, "judge", project=8, updated_at="2027-01-01T00:00:00.000000Z")
    Table(workspace.judgments / "8").append([ruling], {})
    assert load(workspace, "main", before.state).consensus == before.consensus
    assert load(workspace, "main").state.judgments > before.state.judgments


# the command


def test_what_is_in_dispute_is_told_without_label_studio(tmp_path: Path) -> None:
    """d1 to d6 of q1 have the votes 33, 22, 00, 33, 30 and 00; d5 is a control, whose grade is known."""
    workspace = make_workspace(tmp_path)
    Table(workspace.judgments / "7").append([grade("q1", "d3", 3, "cleo", annotation_id=90)], {})
    done = quality.adjudicate(workspace, "main", "judge", "", {"below": 0.0}, dry_run=True)
    assert (done.disputes, done.fresh) == (1, 1)
    assert "judge" not in workspace.settings.projects


def answer_all(
    client: LabelStudio, workspace: Workspace, name: str, grade_of: Callable[[str, str], int], only: str = ""
) -> None:
    """One annotation of every task of a project: the grade that an annotator gives to query_id and doc_id.

    only: the query whose tasks are answered.
    """
    listed: list[Any] = list(client.tasks.list(project=workspace.project(name).id, fields="all"))
    for task in [task for task in listed if only in ("", task.data["query_id"])]:
        envelope = task.meta["ls_retrieval"]
        given = [str(grade_of(task.data["query_id"], envelope["docs"][c["id"]])) for c in task.data["candidates"]]
        names = ["rel"] if envelope["form"] == "review" else [f"rel_{n}" for n in range(len(given))]
        result = [answers.region(control, "choices", [value]) for control, value in zip(names, given, strict=True)]
        client.annotations.create(task.id, result=result)


@pytest.fixture
def workspace(studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A project of six texts for three queries in a real Label Studio, pushed and not answered."""
    monkeypatch.setenv("LABEL_STUDIO_URL", studio.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", studio.admin.token)
    made = make_workspace(tmp_path, candidates="text", labelled=False)
    made.settings_path.write_text('[encoders.toy]\nmodel = "toy"\n')
    texts = {"form": "graded", "query": "text", "candidates": "text", "votes": 2}
    list(init(made.root, Wanted("main", "A main project", "", texts)))
    flow.push(made, "main")
    return made


def test_disputes_go_before_a_judge_and_come_back_decided_on_a_real_label_studio(
    workspace: Workspace, studio: Studio, sdk: Sdk
) -> None:
    ada, bob, judge = (sdk(studio.annotator(name)) for name in ("ada", "bob", "judge"))
    answer_all(ada, workspace, "main", lambda q, d: 3 if d == "d1" else 0)
    answer_all(bob, workspace, "main", lambda q, d: 3 if d == "d2" else 0)
    flow.pull(workspace, "main")
    first = quality.adjudicate(workspace, "main", "judge", "The judge", {})
    assert (first.disputes, first.fresh, first.pushed.made) == (4, 4, 4)  # d1 and d2 of q1 and q2
    made = workspace.project("judge")
    assert (made.form, made.purpose, made.adjudicates, made.votes) == ("review", "adjudication", "main", 1)
    again = quality.adjudicate(workspace, "main", "judge", "", {})
    assert (again.disputes, again.fresh, again.pushed.made, again.pushed.there) == (4, 0, 0, 4)

    shown: list[Any] = list(judge.tasks.list(project=made.id, fields="all"))
    assert all(not task.predictions for task in shown)
    answer_all(judge, workspace, "judge", lambda q, d: 2)
    flow.pull(workspace, "judge")
    final = {(r.query_id, r.doc_id): (r.grade, r.confidence) for r in load(workspace, "main").consensus.relevance}
    assert {pair: final[pair] for pair in final if pair[1] in ("d1", "d2")} == {
        (q, d): (2, 1.0) for q in ("q1", "q2") for d in ("d1", "d2")
    }
    assert final["q1", "d3"][0] == 0
    assert quality.adjudicate(workspace, "main", "judge", "", {}).fresh == 0

    cleo = sdk(studio.annotator("cleo"))
    answer_all(cleo, workspace, "main", lambda q, d: 3 if d == "d4" else 0)
    flow.pull(workspace, "main")
    later = quality.adjudicate(workspace, "main", "judge", "", {})
    assert (later.fresh, later.pushed.made, later.pushed.there) == (2, 2, 4)  # d4 of q1 and q2


def test_annotators_qualify_on_a_real_label_studio(workspace: Workspace, studio: Studio, sdk: Sdk) -> None:
    known = {("q1", "d1"): 3, ("q1", "d2"): 2, ("q1", "d3"): 0, ("q2", "d2"): 1, ("q2", "d4"): 0}
    rows = [f"{q}\t{d}\t{value}\thand\n" for (q, d), value in known.items()]
    workspace.gold.write_text("query_id\tdoc_id\tgrade\torigin\n" + "".join(rows))
    assert quality.qualify(workspace, "main", "entry", dry_run=True)["tasks"] == 5
    assert "entry" not in workspace.settings.projects

    made = quality.qualify(workspace, "main", "entry", "An entry test")
    assert (made["tasks"], made["pass_mark"], made["annotators"]) == (5, 0.8, {})
    client = sdk(studio.admin)
    project = client.projects.get(workspace.project("entry").id)
    assert "80% of your answers have to be right" in str(project.expert_instruction)
    assert project.maximum_annotations == quality.MANY
    shown: list[Any] = list(client.tasks.list(project=int(project.id or 0), fields="all"))
    told = [{**task.data, "guideline": "", **(task.meta or {})} for task in shown]
    assert len(told) == 5
    assert not any(word in str(told) for word in ("hand", "gold", "control", "planted", "grade"))

    answer_all(sdk(studio.annotator("ada")), workspace, "entry", lambda q, d: known[q, d])
    answer_all(sdk(studio.annotator("bob")), workspace, "entry", lambda q, d: 3)
    results = quality.qualify(workspace, "main", "entry")["annotators"].values()
    states = {one["right"]: (one["state"], one["answers"], one["of"], len(one["missed"])) for one in results}
    assert states == {5: ("passed", 5, 5, 0), 2: ("failed", 5, 5, 3)}


def test_answered_tasks_are_asked_again_in_another_order_once(workspace: Workspace, studio: Studio, sdk: Sdk) -> None:
    ada = sdk(studio.annotator("ada"))
    answer_all(ada, workspace, "main", lambda q, d: 1)
    assert quality.repeat(workspace, "main", 1.0)[0] == 0  # nothing is pulled yet
    flow.pull(workspace, "main")
    assert quality.repeat(workspace, "main", 1.0, dry_run=True)[0] == 3
    count, pushed = quality.repeat(workspace, "main", 1.0)
    assert (count, pushed.made, pushed.there) == (3, 3, 3)
    assert quality.repeat(workspace, "main", 1.0)[0] == 0
    rounds: dict[int, Pool] = {pool.round: pool for pool in load(workspace, "main").pools if pool.query_id == "q1"}
    orders = {n: [c.doc_id for c in pool.candidates] for n, pool in rounds.items()}
    assert sorted(orders[1]) == sorted(orders[2])
    assert orders[1] != orders[2]


def test_a_sample_of_the_export_is_judged_again_on_a_real_label_studio(
    workspace: Workspace, studio: Studio, sdk: Sdk
) -> None:
    for name in ("ada", "bob"):
        answer_all(sdk(studio.annotator(name)), workspace, "main", lambda q, d: 3 if d == "d1" else 0)
    flow.pull(workspace, "main")
    before = load(workspace, "main")
    asked, pushed = quality.recheck(workspace, "main", "recheck", "A second look", None)
    assert (dict(asked), pushed.made) == ({"positive": 1, "negative": 6}, 7)  # q2's d1 answers a test query
    again, more = quality.recheck(workspace, "main", "recheck", "", None)
    assert (dict(again), more.made, more.there) == ({}, 0, 7)

    project = workspace.project("recheck").id
    shown: list[Any] = list(sdk(studio.admin).tasks.list(project=project, fields="all"))
    assert all(len(task.data["candidates"]) == 1 and not task.predictions for task in shown)
    told = [{**task.data, "guideline": "", **(task.meta or {})} for task in shown]
    assert not any(word in str(told) for word in ("positive", "negative", "exported", "grade"))

    answer_all(sdk(studio.annotator("judge")), workspace, "recheck", lambda q, d: 3 if d in ("d1", "d4") else 0)
    flow.pull(workspace, "recheck")
    data = load(workspace, "main")
    assert data.qrels == before.qrels
    found = summary(data)["precision"]
    assert {name: (of["right"], of["judged"]) for name, of in found.items()} == {
        "positives": (1, 1),
        "negatives": (4, 6),  # d4 of q1 and of q2 are wrong
        "mined negatives": (1, 3),
    }
