"""The report as files."""

import json
import os
from pathlib import Path

from ls_retrieval.tables import plain
from store import files
from sync import gates
from sync.dataset import Dataset
from sync.report import Summary, figures, summary
from sync.report.page import page


def report(data: Dataset, out: Path | None = None, json_file: Path | None = None) -> Summary:
    """The figures of a project; all of them written as a page and as JSON where paths are given."""
    if out is None and json_file is None:
        return summary(data)
    found = figures.report(data)
    checked = gates.check(found, data.settings.gates)
    if json_file:
        listed = [
            {**gate._asdict(), "wanted": gate.wanted, "next": "" if gate.passed else gate.next} for gate in checked
        ]
        files.write(json_file, json.dumps(plain({**found, "gates": listed}), indent=1, ensure_ascii=False) + "\n")
    if out:
        files.write(out, page(found, data, checked, os.environ.get("LABEL_STUDIO_URL", "")))
    return found


def corrected(data: Dataset, path: Path) -> None:
    """Expected grades of every pair, as they were judged and as if all had been shown in the middle of the screen."""
    lines = ["query_id\tdoc_id\tgrade\texpected\tcorrected"]
    for qrel, before, after in figures.corrected(data):
        lines.append(f"{qrel.query_id}\t{qrel.doc_id}\t{qrel.relevance}\t{before:g}\t{after:g}")
    files.write(path, "".join(f"{line}\n" for line in lines))
