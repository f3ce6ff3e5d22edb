"""The report: figures by hand, a page that fetches nothing and runs nothing, and gates that say what to do."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from sync_world import COLORS, GRADES, QUERIES, grade, make_workspace

from label_configs.errors import GateFailed, Unreadable
from ls_retrieval import reporting
from store.judgments import Table
from store.settings import Gates
from store.workspace import Workspace
from sync import gates
from sync.completeness.audit import Missed, OfQuery
from sync.dataset import Dataset, load
from sync.report import figures, summary
from sync.report.page import page

EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>&lt;"


class Seen(HTMLParser):
    """Tags, and everything that a page would fetch or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.handlers: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "href"}]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]


def shown(data: Dataset, base: str = "") -> str:
    return page(figures.report(data), data, gates.check(summary(data), data.settings.gates), base)


def hostile(root: Path) -> Workspace:
    """Everything that others write, written by somebody who means harm."""
    workspace = make_workspace(root, candidates="text")
    items = [json.loads(line) for line in workspace.corpus.read_text().splitlines()]
    workspace.corpus.write_text("".join(json.dumps({**one, "title": EVIL, "text": EVIL}) + "\n" for one in items))
    asked = [{"_id": q, "text": f"{EVIL} {q}", "domain": EVIL if q == "q1" else "b"} for q in QUERIES]
    workspace.queries.write_text("".join(json.dumps(one) + "\n" for one in asked))
    said = [grade("q1", "d3", 3, EVIL, annotation_id=50, note=EVIL, reasons=(EVIL,), lead_time=8.0, position=1)]
    liked: dict[str, Any] = {"kind": "preference", "form": "pairwise", "annotation_id": 51, "other_doc_id": "d1"}
    Table(workspace.judgments / "7").append([*said, grade("q1", "d6", "better", EVIL, **liked)], {})
    return workspace


def test_a_page_of_hostile_text_holds_no_script_and_fetches_nothing(tmp_path: Path) -> None:
    text = shown(load(hostile(tmp_path), "main"), "https://ls.example.org")
    seen = Seen(text)
    assert "alert(1)" in text  # it is shown, as text
    assert "script" not in seen.tags
    assert seen.handlers == []
    assert all(
        link.startswith(("data:image/webp;base64,", "https://ls.example.org/projects/7/")) for link in seen.links
    )
    assert 'content="default-src &#39;none&#39;;' in text
    assert not re.search(r"url\(|@import", text)


def test_disagreements_link_to_their_tasks_where_label_studio_is_known(tmp_path: Path) -> None:
    data = load(make_workspace(tmp_path), "main")
    assert 'href="http://ls:8080/projects/7/data?task=1"' in shown(data, "http://ls:8080/")
    assert "href" not in shown(data)
    assert "href" not in shown(data, "javascript:alert(1)")


def luminance(colour: str) -> float:
    full = colour if len(colour) == 7 else "#" + "".join(2 * c for c in colour[1:])
    parts = [int(full[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_texts_stand_out_from_what_they_are_on(scheme: int) -> None:
    """By 4.5 to 1, as WCAG's level AA asks for."""
    css = (Path(figures.__file__).parent / "templates" / "report.css").read_text()
    blocks = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    colours = dict(re.findall(r"--(\w+): (#\w+);", blocks[scheme]))
    for on in ("ground", "panel"):
        for name in ("ink", "quiet", "accent", "good", "bad", "c3"):
            high, low = sorted((luminance(colours[name]), luminance(colours[on])), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= 4.5, (name, on)


def test_preferences_alone_have_a_page_that_says_how_grades_come_of_them(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, labelled=False)
    said = [
        grade("q1", one, "better", annotation_id=n, kind="preference", form="pairwise", other_doc_id=other)
        for n, (one, other) in enumerate([("d1", "d2"), ("d2", "d3"), ("d1", "d3")])
    ]
    Table(workspace.judgments / "7").append(said, {})
    text = shown(load(workspace, "main"))
    assert "Nothing is judged yet" not in text
    assert "There are no grades here." in text
    assert "1 triples" in text


def test_an_unlabelled_project_has_a_page_too(tmp_path: Path) -> None:
    text = shown(load(make_workspace(tmp_path, labelled=False), "main"))
    assert "Nothing is judged yet" in text
    assert "not measurable" in text


def test_the_figures_behind_the_summary_by_hand(tmp_path: Path) -> None:
    found = figures.report(load(make_workspace(tmp_path), "main"))
    assert found["votes"] == {"0": 7, "1": 2, "2": 2, "3": 5}
    assert found["together"] == [[6, 0, 0, 1], [0, 2, 0, 0], [0, 0, 2, 0], [1, 0, 0, 4]]  # one pair of 3 and 0
    assert found["progress"] == {"wanted": 10, "given": 16, "days": {"2026-01-01": 16}}  # 10 candidates, one vote each
    assert found["coverage_of"] == {"q1": 1.0, "q2": 0.6667, "q3": 0.0}
    assert [(one["doc_id"], one["grades"]) for one in found["disagreements"]] == [("d5", {"ada": 3, "bob": 0})]
    assert [(one["doc_id"], one["found"]) for one in found["confirmations"]] == [
        ("d4", "positive"),
        ("d3", "negative"),
        ("d4", "negative"),
    ]
    assert found["hard_negatives"]["all"]["found_positive"] is not None
    assert found["hard_negatives"]["all"]["found_positive"].share == round(1 / 3, 4)
    assert found["annotated"]["ada"]["grades"] == {"0": 3, "1": 1, "2": 1, "3": 3}


def test_page_json_and_corrected_grades_are_written_as_files(tmp_path: Path) -> None:
    data = load(make_workspace(tmp_path / "w", settings="[gates]\nalpha = 0.9\n"), "main")
    out, listed, graded = tmp_path / "r.html", tmp_path / "r.json", tmp_path / "g.tsv"
    reporting.report(data, out, listed)
    reporting.corrected(data, graded)
    assert out.read_text("utf-8").startswith("<!doctype html>")
    assert out.stat().st_size < 200_000
    written = json.loads(listed.read_text("utf-8"))
    assert written["alpha"] == summary(data)["alpha"]
    assert written["gates"][0] == {
        "name": "alpha",
        "floor": 0.9,
        "value": written["alpha"],
        "passed": False,
        "wanted": "at least 0.9 is wanted",
        "next": gates.KINDS["alpha"].next,
    }
    head, first, *rest = graded.read_text("utf-8").splitlines()
    assert head.split("\t") == ["query_id", "doc_id", "grade", "expected", "corrected"]
    assert first.split("\t")[:3] == ["q1", "d1", "3"]
    assert len(rest) == 7


def test_pictures_of_hard_negatives_are_in_the_page(tmp_path: Path) -> None:
    links = Seen(shown(load(make_workspace(tmp_path), "main"))).links
    assert len(links) == 4  # three hard negatives, and the item that is in dispute
    assert all(link.startswith("data:image/webp;base64,") for link in links)


def test_agreement_is_in_the_page_and_in_the_json_with_all_its_measures(tmp_path: Path) -> None:
    data = load(make_workspace(tmp_path / "w"), "main")
    listed = tmp_path / "r.json"
    reporting.report(data, None, listed)
    found = json.loads(listed.read_text("utf-8"))["agreement"]
    assert found["ordinal"]["value"] == pytest.approx(summary(data)["alpha"], abs=1e-4)
    assert found["ordinal"]["low"] <= found["ordinal"]["value"] <= found["ordinal"]["high"]
    assert [(one["one"], one["other"], one["pairs"]) for one in found["kappas"]] == [("ada", "bob", 8)]
    assert list(found["slices"]) == ["modality", "direction", "query type"]
    text = shown(data)
    assert "Krippendorff's alpha, nominal" in text
    assert "quadratic kappa" in text


def test_answers_of_a_program_are_in_no_figure(tmp_path: Path) -> None:
    plain = load(make_workspace(tmp_path / "a"), "main")
    named = make_workspace(tmp_path / "b", settings='[consensus]\nmodels = ["robot"]\n')
    said = [grade(*pair, 0, "robot", annotation_id=60, position=n) for n, pair in enumerate(GRADES)]
    Table(named.judgments / "7").append([*said, replace(said[0], kind="flag", value="ambiguous")], {})
    data = load(named, "main")
    assert data.programs == {"robot"}
    assert len(data.judgments) == len(plain.judgments) + 9  # they are kept
    found, wanted = figures.report(data), figures.report(plain)
    assert {**found, "state": ""} == {**wanted, "state": ""}
    assert data.said == plain.said
    assert data.answers == plain.answers


def test_a_screen_of_answers_says_nothing_of_the_place(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, labelled=False)
    values = (3, 2, 0, 0, 0)
    said = [
        grade("q1", d, v, annotation_id=3, position=n) for n, (d, v) in enumerate(zip(COLORS, values, strict=False))
    ]
    Table(workspace.judgments / "7").append(said, {})
    data = load(workspace, "main")
    assert figures.report(data)["effects"]["position"] is None
    assert all(before == after for _, before, after in figures.corrected(data))
    assert "Place on the screen" not in shown(data)


def test_answers_of_several_projects_are_fused_and_the_contradicting_one_is_named(tmp_path: Path) -> None:
    settings = '[consensus]\nmethod = "fused"\nbeside = ["pairs"]\n\n[projects.pairs]\nid = 8\nform = "pairwise"\n'
    workspace = make_workspace(tmp_path, settings=settings)
    alone = load(workspace, "main")
    compared = {"kind": "preference", "form": "pairwise", "project": 8, "other_doc_id": "d1"}
    said = [grade("q1", "d6", "better", "cleo", annotation_id=70, **compared)]  # white before red
    Table(workspace.judgments / "8").append(said, {})
    data = load(workspace, "main")
    found = next(one for one in figures.report(data)["contradictions"] if one.form == "preference")
    assert (found.doc_id, found.other_doc_id, found.annotator, found.against) == ("d6", "d1", "cleo", ("ada", "bob"))
    assert len(data.judgments) == len(alone.judgments)
    votes = {(r.query_id, r.doc_id): r.votes for r in data.consensus.relevance}
    assert votes["q1", "d6"] == {(r.query_id, r.doc_id): r.votes for r in alone.consensus.relevance}["q1", "d6"] + 1
    assert "Answers that contradict the rest" in shown(data)


def test_projects_to_be_fused_are_there_and_the_method_takes_them(tmp_path: Path) -> None:
    for said in ('method = "fused"\nbeside = ["pairs"]', 'beside = ["main"]'):
        workspace = make_workspace(tmp_path / said[:4], settings=f"[consensus]\n{said}\n")
        with pytest.raises(Unreadable, match=r"beside"):
            load(workspace, "main")


def test_a_page_of_many_queries_stays_small(tmp_path: Path) -> None:
    data = load(make_workspace(tmp_path), "main")
    found = figures.report(data)
    of_query = [OfQuery(query_id=f"q{n}", known=1, missed=0.0, missed_most=5.0) for n in range(10_000)]
    found["missed"] = Missed(
        level=0.95,
        audited=10_000,
        unshown=1,
        known=1,
        missed=0.0,
        missed_most=1.0,
        share=0.0,
        share_most=0.1,
        recall=1.0,
        recall_least=0.5,
        strata=[],
        queries=of_query,
    )
    found["coverage_of"] = {f"q{n}": 1.0 for n in range(10_000)}
    found["annotated"] = {f"a{n:04}": found["annotated"]["ada"] for n in range(1000)}
    found["ranks"] = dict.fromkeys(range(5000), 2)
    text = page(found, data, [])
    assert len(text) < 300_000
    assert "the 50 of 10,000 with most to miss" in text
    assert "The first 50 of 1000; the JSON has all." in text


# gates


@pytest.mark.parametrize(("limit", "passed"), [(0.3, True), (0.2999, False)])
def test_a_ceiling_lets_pass_what_does_not_exceed_it(tmp_path: Path, limit: float, passed: bool) -> None:
    found = summary(load(make_workspace(tmp_path), "main"))
    found["untouched"] = found["false_negative_bound"] = 0.3
    checked = gates.check(found, Gates(untouched=limit, false_negative_bound=limit))
    assert [(gate.name, gate.passed) for gate in checked] == [("false_negative_bound", passed), ("untouched", passed)]


def test_without_an_audit_the_bound_cannot_pass_and_the_gate_says_what_to_do(tmp_path: Path) -> None:
    found = summary(load(make_workspace(tmp_path), "main"))
    assert found["false_negative_bound"] is None
    with pytest.raises(GateFailed, match=r"at most 0\.05 is wanted\. No draw of the audit is judged") as failed:
        gates.enforce(gates.check(found, Gates(false_negative_bound=0.05)))
    assert failed.value.exit_code == 3


def test_gates_on_nothing_do_not_pass_and_say_what_is_missing(tmp_path: Path) -> None:
    found = summary(load(make_workspace(tmp_path, labelled=False), "main"))
    every = Gates(alpha=0, gold_accuracy=0, judged_at_10=0, false_negative_bound=1, untouched=1)
    checked = gates.check(found, every)
    assert [gate.value for gate in checked] == [None] * 5
    assert not any(gate.passed for gate in checked)
    assert all("yet" in gate.next for gate in checked)


@pytest.mark.parametrize("name", gates.KINDS)
def test_every_gate_names_a_command_that_there_is(name: str) -> None:
    from typer.main import get_command

    from ls_retrieval import cli

    kind, known = gates.KINDS[name], get_command(cli.app).commands  # type: ignore[attr-defined]
    for said in (kind.next, kind.missing):
        named = re.findall(r"`ls-retrieval ([a-z]+)", said)
        assert named
        assert set(named) <= known.keys()
