"""One row of another tool's judgments."""

from collections.abc import Iterator
from typing import NamedTuple


class Row(NamedTuple):
    """A query, an item, and the grade that they have there; None: known to be right, and not how well."""

    query_id: str
    doc_id: str
    grade: int | None


Entries = Iterator[tuple[str, Row | Exception]]
"""Where a row stands, as people say it, and the row, or why there is none."""


def grade(text: str) -> int:
    """A grade as it is written. Raises ValueError for what is no whole number."""
    try:
        return int(text)
    except ValueError as error:
        raise ValueError(f"{text[:80]!r} is no grade") from error
