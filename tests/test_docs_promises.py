"""The pages on security and reliability: every promise names a test, and every test that they name exists."""

import ast
import json
import re
from pathlib import Path

import pytest
from reliability import NAMES, Tally

ROOT = Path(__file__).resolve().parent.parent
PAGES = {name: (ROOT / "docs" / name).read_text("utf-8") for name in ("security.md", "reliability.md")}
TESTS = {
    node.name
    for path in (ROOT / "tests").glob("test_*.py")
    for node in ast.parse(path.read_text("utf-8")).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
}


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_a_page_names_exists(page: str) -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGES[page]))
    assert len(named) > 20
    assert named - TESTS == set()


@pytest.mark.parametrize(("page", "section"), [("security.md", "What is promised"), ("reliability.md", "Faults")])
def test_every_promise_names_its_test(page: str, section: str) -> None:
    table = PAGES[page].partition(f"## {section}\n")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 15
    assert [row for row in rows if "`test_" not in row.rpartition(" | ")[2]] == []


def test_the_report_has_the_names_that_the_page_explains(tmp_path: Path) -> None:
    explained = re.findall(r"`(\w+)`", PAGES["reliability.md"].partition("| name |")[2].partition("\n\n")[0])
    assert tuple(explained) == NAMES
    tally = Tally()
    tally.add(bad_inputs=3, crashes=0)
    tally.add(bad_inputs=4)
    tally.write(tmp_path / "reports" / "reliability.json")
    seen = json.loads((tmp_path / "reports" / "reliability.json").read_text())
    assert seen == {**dict.fromkeys(NAMES), "bad_inputs": 7, "crashes": 0}
    with pytest.raises(KeyError):
        tally.add(other=1)
