"""`known.tsv`: what is known of queries before anybody judges, as `query_id`, `doc_id` and `grade` of the rules.

Pairs with a grade that the rules call positive join the known positives of their queries.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from label_configs.errors import Unreadable
from label_configs.records import Query
from label_configs.rules import Rules
from store import files

_SHOWN = 20


class Known(NamedTuple):
    """One line: a query, an item, and how well the item answers it."""

    query_id: str
    doc_id: str
    grade: int


def read(path: Path, rules: Rules) -> list[Known]:
    """What the file holds, nothing where there is none. Raises Unreadable that names every line that is wrong."""
    if not path.exists():
        return []
    rows, problems = list[Known](), list[str]()
    for number, line in _lines(path):
        try:
            rows.append(_known(line, rules))
        except ValueError as error:
            problems.append(f"line {number}: {error}")
    if problems:
        raise Unreadable(
            f"{path} cannot be used.",
            problems=shown(problems),
            mend="Correct these lines; or `ls-retrieval take` them again, with --grades where the rules have changed.",
        )
    return rows


def write(path: Path, rows: Iterable[Known]) -> None:
    """Write the lines in the order of their ids; the same lines give the same bytes."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerows([Known._fields, *sorted(rows)])
    files.write(path, text.getvalue())


def joined(queries: Sequence[Query], rows: Iterable[Known], rules: Rules) -> list[Query]:
    """The queries, with what is known to be positive behind the positives that they came with."""
    more: dict[str, list[str]] = {}
    for row in sorted(rows):
        if row.grade in rules.positive:
            more.setdefault(row.query_id, []).append(row.doc_id)
    return [_with(query, more[query.query_id]) if query.query_id in more else query for query in queries]


def shown(problems: Sequence[str]) -> list[str]:
    """As many problems as a person reads, and how many more there are."""
    rest = len(problems) - _SHOWN
    return [*problems[:_SHOWN], *([f"and {rest} more"] if rest > 0 else [])]


def _with(query: Query, doc_ids: Sequence[str]) -> Query:
    return replace(query, positives=tuple(dict.fromkeys([*query.positives, *doc_ids])))


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file, delimiter="\t", strict=True)
        try:
            yield from ((reader.line_num, row) for row in reader if row and row != list(Known._fields))
        except (UnicodeDecodeError, csv.Error) as error:
            raise Unreadable(f"{path} cannot be read behind line {reader.line_num}: {error}.") from error


def _known(line: Sequence[str], rules: Rules) -> Known:
    if len(line) != len(Known._fields):
        raise ValueError(f"it has {len(line)} cells, not {len(Known._fields)}")
    grade = int(line[2]) if line[2].isdecimal() else None
    if grade not in rules.values:
        raise ValueError(f"{line[2]!r} is no grade of the rules: {', '.join(map(str, rules.values))}")
    return Known(line[0], line[1], grade)
