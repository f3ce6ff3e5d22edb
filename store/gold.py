"""`gold.tsv` of a workspace: pairs whose grade is known, a line each, by which annotators are measured.

Four columns under a header: query_id, doc_id, grade, origin. What stands in it is never trained on, and no task holds
its grade.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from label_configs.errors import Unreadable, quoted
from label_configs.rules import Rules
from store import files

Origin = Literal["hand", "consensus", "planted"]
"""Whoever made the file, many annotators who agreed, or an item that is far from the query."""
PLANTED = "planted"
"""The source of a control that a pool planted: an item far from the query."""
FROM_FILE = "gold:"
"""How the source of a control begins that the file names; its origin follows."""
_HEADER = ("query_id", "doc_id", "grade", "origin")


class Gold(NamedTuple):
    """One pair and its grade."""

    query_id: str
    doc_id: str
    grade: int
    origin: Origin

    @property
    def pair(self) -> tuple[str, str]:
        """query_id and doc_id."""
        return self.query_id, self.doc_id


def load(path: Path, rules: Rules) -> dict[tuple[str, str], Gold]:
    """The gold by pair; none where there is no file. Raises Unreadable with every line that cannot be read."""
    if not path.exists():
        return {}
    try:
        header, *lines = [line.rstrip("\r").split("\t") for line in path.read_text("utf-8-sig").split("\n")]
    except UnicodeDecodeError as error:
        raise Unreadable(f"{path} is not UTF-8: {error}.") from error
    problems = [] if tuple(header) == _HEADER else [f"line 1: expected {', '.join(_HEADER)}, with tabs between"]
    found: dict[tuple[str, str], Gold] = {}
    for number, cells in enumerate(lines, 2):
        if cells == [""]:
            continue
        problem = _problem(cells, rules, found)
        if problem:
            problems.append(f"line {number}: {problem}")
        else:
            one = Gold(cells[0], cells[1], int(cells[2]), cells[3])  # type: ignore[arg-type]  # checked
            found[one.pair] = one
    if problems:
        raise Unreadable(f"{path} cannot be read as gold.", problems=problems[:100], mend="Correct these lines.")
    return found


def save(path: Path, gold: Iterable[Gold]) -> None:
    """Write the whole file, in the order of its pairs."""
    rows: Sequence[Sequence[object]] = [_HEADER, *sorted(gold)]
    files.write(path, "".join("\t".join(map(str, row)) + "\n" for row in rows))


def _problem(cells: Sequence[str], rules: Rules, before: Iterable[tuple[str, str]]) -> str:
    if len(cells) != len(_HEADER):
        return f"{len(cells)} columns, {len(_HEADER)} are wanted"
    query_id, doc_id, grade, origin = cells
    if not query_id or not doc_id:
        return "query_id and doc_id must say something"
    if grade not in map(str, rules.values):
        return f"the rules have no grade {quoted(grade)}"
    if origin not in get_args(Origin):
        return f"origin is one of {', '.join(get_args(Origin))}, found {quoted(origin)}"
    return "the pair stands there already" if (query_id, doc_id) in before else ""
