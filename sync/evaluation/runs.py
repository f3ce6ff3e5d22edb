"""TREC run files: `query_id Q0 doc_id rank score name`, one hit a line. The rank is not read: scores say the order."""

from collections.abc import Collection
from math import isfinite
from pathlib import Path

from label_configs.errors import Unreadable, quoted
from label_configs.records import ScoredDoc
from sync.formats import base

_PROBLEMS = 20
"""Problems that are told of one file."""


def read(path: Path, ids: Collection[str]) -> list[ScoredDoc]:
    """The hits of a run file. Raises Unreadable with the lines that are none.

    ids: those of the workspace; the ones with white space are read as the `trec` format writes them.
    """
    meant = {written: name for name, written in base.spelled(ids).items()}
    hits: dict[tuple[str, str], ScoredDoc] = {}
    problems: list[str] = []
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip() and len(problems) < _PROBLEMS:
                    try:
                        hit = _hit(line, meant)
                        _once(hits, hit)
                    except ValueError as error:
                        problems.append(f"line {number}: {error}")
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{path} cannot be read: {error}.") from error
    if problems:
        raise Unreadable(f"{path} is not a run file as TREC has them.", problems=problems)
    return list(hits.values())


def _hit(line: str, meant: dict[str, str]) -> ScoredDoc:
    fields = line.split()
    if len(fields) != 6:
        raise ValueError(f"expected query_id Q0 doc_id rank score name, found {len(fields)} fields")
    query_id, _, doc_id, _, said, _ = fields
    try:
        score = float(said)
    except ValueError:
        score = float("nan")
    if not isfinite(score):
        raise ValueError(f"{quoted(said)} is no score")
    return ScoredDoc(meant.get(query_id, query_id), meant.get(doc_id, doc_id), score)


def _once(hits: dict[tuple[str, str], ScoredDoc], hit: ScoredDoc) -> None:
    if hits.setdefault(hit[:2], hit) is not hit:
        raise ValueError(f"{hit.doc_id} stands twice for {hit.query_id}")
