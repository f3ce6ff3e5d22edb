"""What teams have already: judgments in the files of other tools, taken into a workspace as what is known.

Everything that is wrong with them is named at once; nothing is written before all of it was read.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from label_configs.errors import Mendable, Unreadable
from label_configs.records import Item, Query
from label_configs.rules import Rules
from store import corpus as corpus_files
from store import files, known
from store.known import Known
from store.taking import beir, trec, triplets
from store.taking.rows import Entries, Row
from store.workspace import Workspace


class Source(NamedTuple):
    """How a kind of files is read, and where its corpus and queries are, if it has any."""

    read: Callable[[Path, Mapping[str, Query], Mapping[str, Item]], Entries]
    files: Callable[[Path], Mapping[str, Path]] = lambda path: {}


SOURCES: Mapping[str, Source] = {
    "beir": Source(beir.read, beir.files),
    "trec": Source(trec.read),
    "triplets": Source(triplets.read),
}


@dataclass(frozen=True)
class Taken:
    """What was taken: pairs by grade, files that the workspace did not have, and a sentence for each row left out."""

    grades: Mapping[int, int]
    positives: int
    queries: int
    copied: list[str]
    left_out: list[str]


def take(
    workspace: Workspace, source: str, path: Path, grades: Mapping[int, int] | None = None, *, dry_run: bool = False
) -> Taken:
    """Take what files of another tool say is known; taking them again changes nothing.

    grades: what their grades are by the rules, where the scales differ. A pair that is known already gets the new
    grade. Raises Unreadable that names what does not fit, where that is more than `[corpus] max_broken` allows.
    """
    if not path.exists():
        raise Unreadable(f"There is no {path}.")
    bring = _missing(workspace, SOURCES[source].files(path))
    share = workspace.settings.corpus.max_broken
    items = {i.doc_id: i for i in corpus_files.items(bring.get("corpus", workspace.corpus), share).records}
    queries = {q.query_id: q for q in corpus_files.queries(bring.get("queries", workspace.queries), share).records}
    found = _Found(workspace.rules, grades or {}, queries, items)
    for where, row in SOURCES[source].read(path, queries, items):
        found.add(where, row)
    found.check(path, share)
    if not dry_run:
        for name, file in bring.items():
            with files.replacing(workspace.root / f"{name}.jsonl") as temporary:
                shutil.copyfile(file, temporary)
        _keep(workspace, found.pairs)
    return found.taken(sorted(bring))


def _missing(workspace: Workspace, there: Mapping[str, Path]) -> dict[str, Path]:
    """Of the files that a source has those that the workspace lacks."""
    have = {"corpus": workspace.corpus, "queries": workspace.queries}
    return {name: path for name, path in there.items() if not have[name].exists()}


def _keep(workspace: Workspace, pairs: Mapping[tuple[str, str], int]) -> None:
    before = known.read(workspace.known, workspace.rules)
    merged = {(row.query_id, row.doc_id): row.grade for row in before}
    merged.update(pairs)
    known.write(workspace.known, (Known(q, d, grade) for (q, d), grade in merged.items()))


class _Found:
    """The pairs of a source as far as they fit rules, queries and items, and what does not."""

    def __init__(
        self, rules: Rules, grades: Mapping[int, int], queries: Mapping[str, Any], items: Mapping[str, Any]
    ) -> None:
        self._rules, self._grades, self._queries, self._items = rules, grades, queries, items
        self.pairs: dict[tuple[str, str], int] = {}
        self.problems: list[str] = []

    def add(self, where: str, row: Row | Exception) -> None:
        problems = [str(row)] if isinstance(row, Exception) else list(self._problems(row))
        self.problems += [f"{where}: {problem}" for problem in problems]
        if not problems and not isinstance(row, Exception):
            self.pairs[row.query_id, row.doc_id] = self._grade(row)

    def check(self, path: Path, share: float) -> None:
        total = len(self.pairs) + len(self.problems)
        if len(self.problems) > share * total or not total:
            raise Unreadable(
                f"{path} cannot be taken: {len(self.problems)} of {total} rows do not fit the workspace.",
                problems=known.shown(self.problems),
                mend="Correct them, add what they name to corpus and queries, or raise max_broken under [corpus]; "
                "--grades 1=3,0=0 says what grades of another scale are.",
            )
        if not self._positives():
            there = ", ".join(f"{grade}: {count}" for grade, count in sorted(self._counts().items()))
            positive = ", ".join(map(str, sorted(self._rules.positive)))
            raise Mendable(
                f"{path} has no positive by the rules: its grades are {there}; positive are {positive}.",
                mend="Say what its grades are by the rules: --grades 1=3,0=0.",
            )

    def taken(self, copied: list[str]) -> Taken:
        positives = self._positives()
        return Taken(self._counts(), len(positives), len({q for q, _ in positives}), copied, self.problems)

    def _positives(self) -> list[tuple[str, str]]:
        return [pair for pair, grade in self.pairs.items() if grade in self._rules.positive]

    def _counts(self) -> Counter[int]:
        return Counter(self.pairs.values())

    def _grade(self, row: Row) -> int:
        """By the rules; what is right and not graded is the best that there is."""
        return max(self._rules.positive) if row.grade is None else self._grades.get(row.grade, row.grade)

    def _problems(self, row: Row) -> Iterator[str]:
        grade = self._grade(row)
        if row.query_id not in self._queries:
            yield f"there is no query {row.query_id!r}"
        if row.doc_id not in self._items:
            yield f"there is no item {row.doc_id!r}"
        if grade not in self._rules.values:
            yield f"{grade} is no grade of the rules: {', '.join(map(str, self._rules.values))}"
        if self.pairs.get((row.query_id, row.doc_id), grade) != grade:
            yield f"query {row.query_id!r} and item {row.doc_id!r} have another grade in an earlier row"
