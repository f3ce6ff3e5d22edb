"""JSONL: one object a line, with BEIR's fields as they are."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from store.corpus.rows import LIMIT, Entries, Row

_MARK = b"\xef\xbb\xbf"


def read(path: Path) -> Entries:
    """The rows of a file; blank lines are none."""
    for number, line in lines(path):
        where = f"{path.name}, line {number}"
        try:
            yield where, msgspec.json.decode(line, type=Row) if len(line) <= LIMIT else _long()
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            yield where, error


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Lines with their numbers, of a longer one than any row may be only the beginning."""
    with path.open("rb") as file:
        number = 0
        while line := file.readline(LIMIT + 1):
            number += 1
            rest = line
            while len(rest) > LIMIT and not rest.endswith(b"\n"):
                rest = file.readline(LIMIT + 1)
            bare = line.removeprefix(_MARK) if number == 1 else line
            if bare.strip():
                yield number, bare


def _long() -> ValueError:
    return ValueError(f"it is longer than {LIMIT} bytes")
