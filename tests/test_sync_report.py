"""The report: figures by hand, a page that fetches nothing and runs nothing, and gates that say what to do."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from sync_world import QUERIES, grade, make_workspace

from label_configs.errors import GateFailed
from ls_retrieval import reporting
from store.judgments import Table
from store.settings import Gates
from store.workspace import Workspace
from sync import gates
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
    Table(workspace.judgments / "7").append(said, {})
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
    }
    head, first, *rest = graded.read_text("utf-8").splitlines()
    assert head.split("\t") == ["query_id", "doc_id", "grade", "expected", "corrected"]
    assert first.split("\t")[:3] == ["q1", "d1", "3"]
    assert len(rest) == 7


def test_pictures_of_hard_negatives_are_in_the_page(tmp_path: Path) -> None:
    links = Seen(shown(load(make_workspace(tmp_path), "main"))).links
    assert len(links) == 3
    assert all(link.startswith("data:image/webp;base64,") for link in links)


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
    with pytest.raises(GateFailed, match=r"at most 0\.05 is wanted\. Judge more of the audit") as failed:
        gates.enforce(gates.check(found, Gates(false_negative_bound=0.05)))
    assert failed.value.exit_code == 3
